"""The player's core plays what was learned at any rate, in blocks of any size, frozen or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from player_tools import FITS, Core, banded, headed, six, written

from fdnlearn.acoustics.parameters import room_parameters
from fdnlearn.export.checking import error_db
from fdnlearn.fdn import FDN, load_fdn, realise
from fdnlearn.render import impulse_response

VECTORS = Path(__file__).parents[1] / "docs" / "testvectors"
RATES_HZ = (44100, 48000, 88200, 96000)


class TestSound:
    @pytest.mark.parametrize("rate", [None, *RATES_HZ])
    @pytest.mark.parametrize("make", FITS.values(), ids=FITS)
    def test_it_plays_what_was_learned_at_any_rate(self, make, rate: int | None, core: Core) -> None:
        fdn = make()
        rate = rate or fdn.sample_rate_hz
        heard = core.response(fdn, rate, 1.0)
        expected = sum(impulse_response(fdn, rate, 1.0, input_index=k) for k in range(fdn.inputs))
        assert error_db(heard[: fdn.outputs], np.asarray(expected)) <= -140.0

    @pytest.mark.parametrize(
        "vector",
        [
            "mono_4",
            "times_4",
            "bands_4",
            "tone_4",
            "stereo_4",
            "sparse_early_4",
            "fir_early_4",
            "fractional_4",
            "head_4",
            "head_stereo_4",
        ],
    )
    def test_published_vectors_are_met(self, vector: str, core: Core) -> None:
        fdn = load_fdn(VECTORS / f"{vector}.json")
        heard = core.response(fdn, fdn.sample_rate_hz, 600 / fdn.sample_rate_hz)
        expected = sum(
            impulse_response(fdn, length_s=600 / fdn.sample_rate_hz, input_index=k) for k in range(fdn.inputs)
        )
        assert error_db(heard[: fdn.outputs], np.asarray(expected)) <= -140.0

    def test_decay_and_size_are_those_of_the_reference(self, core: Core) -> None:
        heard = core.response(banded(), 48000, 1.0, settings=["decay 1.75", "size 0.75"])
        expected = impulse_response(banded(), 48000, 1.0, decay=1.75, size=0.75)
        assert error_db(heard, expected) <= -140.0

    @pytest.mark.parametrize("make", FITS.values(), ids=FITS)
    def test_block_sizes_do_not_matter(self, make, core: Core) -> None:
        first, *others = (core.response(make(), 48000, 0.7, block=block) for block in (64, 1, 17, 512))
        assert np.max(np.abs(first)) > 0.01
        for other in others:
            assert np.array_equal(other, first)

    def test_reverberation_times_stay_at_every_rate(self, core: Core) -> None:
        fdn = banded(early=[], pre_delay_s=0.0)
        fitted = room_parameters(impulse_response(fdn, length_s=4.0)[0], 48000, "none").octave
        for rate in (44100, 48000, 96000):
            heard = room_parameters(core.response(fdn, rate, 4.0)[0], rate, "none").octave
            for hz in (63, 125, 250, 500, 1000, 2000, 4000, 8000):
                if hz in fitted:
                    assert heard[hz].t30_s == pytest.approx(fitted[hz].t30_s, rel=0.03), (
                        f"{hz} Hz at {rate} Hz"
                    )

    def test_nothing_loaded_passes_everything(self, core: Core) -> None:
        x = np.random.default_rng(0).standard_normal((2, 1000)).astype(np.float32).astype(np.float64)
        assert np.array_equal(core.play(x, 48000, []), x)

    def test_direct_and_early_parts_have_levels(self, core: Core) -> None:
        fdn = banded()
        whole = core.response(fdn, 48000, 0.2)
        late = core.response(fdn, 48000, 0.2, settings=["direct 0", "early -60"])
        part = core.response(fdn, 48000, 0.2, settings=["direct 0"])
        origin = realise(fdn).direct_delay_samples
        colour = origin + round(0.0015 * 48000)
        assert np.max(np.abs(late[:, : origin + 300])) == 0.0
        assert np.max(np.abs(part[:, : colour + 1])) == 0.0
        assert np.max(np.abs(part[:, colour + 1 : colour + 400])) > 0.0
        assert np.max(np.abs(whole[:, origin])) > 0.0
        assert np.allclose(whole[:, colour + 1 :], part[:, colour + 1 :], atol=1e-6)

    @pytest.mark.parametrize("rate", [48000, 44100])
    def test_a_head_is_direct_sound_and_what_follows_is_early(self, rate: int, core: Core) -> None:
        fdn = headed(pre_delay_s=0.0)
        silent = [{**path.model_dump(), "coefficients": [0.0] * 222} for path in fdn.head]
        without = FDN.model_validate(fdn.model_dump() | {"head": silent})
        alone = FDN.model_validate(fdn.model_dump() | {"early": [], "output_gains": [[0.0] * 8] * 2})
        for settings, expected in (
            (["direct 0"], impulse_response(without, rate, 0.2)),
            (
                ["direct 0", "early -60"],
                impulse_response(FDN.model_validate(without.model_dump() | {"early": []}), rate, 0.2),
            ),
            (
                ["early -60"],
                impulse_response(FDN.model_validate(fdn.model_dump() | {"early": []}), rate, 0.2),
            ),
        ):
            assert error_db(core.response(fdn, rate, 0.2, settings=settings), expected) <= -140.0
        assert error_db(core.response(alone, rate, 0.2), impulse_response(alone, rate, 0.2)) <= -140.0

    @pytest.mark.parametrize("own", [0.0, 0.001, 0.05])
    def test_a_pre_delay_takes_up_what_a_head_has_before_its_direct_sound(
        self, own: float, core: Core
    ) -> None:
        fdn = headed(pre_delay_s=own)
        direct = impulse_response(headed(pre_delay_s=0.0), 48000, 0.3)
        for added_ms in (0, 2, 25):
            late = max(0, round(48000 * own) + 48 * added_ms - 150)
            expected = np.pad(direct, ((0, 0), (late, 0)))[:, : direct.shape[1]]
            heard = core.response(fdn, 48000, 0.3, settings=[f"predelay {added_ms}"])
            assert error_db(heard, expected) <= -140.0

    def test_dry_and_pre_delay(self, core: Core) -> None:
        fdn = six()
        wet = core.response(fdn, 48000, 0.3)
        both = core.response(fdn, 48000, 0.3, settings=["dry -6.0205999", "predelay 25"])
        assert both[0, 0] == pytest.approx(0.5, abs=1e-6)
        assert np.allclose(both[:, 1200:], wet[:, :-1200], atol=1e-6)

    def test_what_is_no_number_does_not_stay(self, core: Core) -> None:
        fdn = six()
        x = np.zeros((2, 4800))
        x[:, 0] = 1.0
        clean = core.play(x, 48000, [f"-1 load {written(fdn, core.folder)}"])
        x[:, 100:120] = np.nan
        assert np.array_equal(core.play(x, 48000, [f"-1 load {core.folder / 'fit.json'}"]), clean)


class TestFreeze:
    def test_the_tail_stays_and_nothing_comes_in(self, core: Core) -> None:
        rate, rng = 48000, np.random.default_rng(5)
        fit = written(banded(early=[]), core.folder)
        quiet = np.zeros((2, 20 * rate))
        quiet[:, : rate // 2] = 0.1 * rng.standard_normal((2, rate // 2))
        loud = quiet.copy()
        loud[:, rate:] = 0.1 * rng.standard_normal((2, 19 * rate))
        script = [f"-1 load {fit}", f"{rate // 2} set freeze 1"]
        y = core.play(quiet, rate, script)
        assert np.array_equal(core.play(loud, rate, script), y)
        power = np.square(y[:, rate:]).sum(axis=0).reshape(19, -1).mean(axis=1)
        assert abs(10.0 * np.log10(power[-1] / power[0])) < 0.5
        assert power[0] > 1e-5

    def test_thawed_it_decays_again(self, core: Core) -> None:
        rate = 48000
        x = np.zeros((2, 6 * rate))
        x[:, :4800] = 0.1 * np.random.default_rng(6).standard_normal((2, 4800))
        script = [
            f"-1 load {written(banded(), core.folder)}",
            "4800 set freeze 1",
            f"{2 * rate} set freeze 0",
        ]
        y = core.play(x, rate, script)
        levels = np.square(y).sum(axis=0).reshape(6, -1).mean(axis=1)
        assert levels[5] < 1e-5 * levels[1]
