"""The player's core: it designs what `realise` designs, plays it at any rate, and keeps still when controls move."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
from fdn_networks import FloatArray, network
from player_tools import Core, Programs, banded, can_compile, designed, written

from fdnlearn.acoustics.parameters import room_parameters
from fdnlearn.export.checking import error_db
from fdnlearn.fdn import FDN, ToneSection, load_fdn, prove, realise
from fdnlearn.fdn.biquads import tone_sos
from fdnlearn.render import impulse_response

VECTORS = Path(__file__).parents[1] / "docs" / "testvectors"
RATES_HZ = (44100, 48000, 88200, 96000)


def six() -> FDN:
    """What a default fit looks like."""
    return network(6, reverberation_time_s=0.9, delays=(100, 600))


def dense() -> FDN:
    """A measured early part, which begins before the direct sound at other rates."""
    gains = 0.1 * np.random.default_rng(4).standard_normal(200)
    return banded(
        4, early=[{"kind": "fir", "output": 1, "input": 0, "coefficients": gains.tolist()}], pre_delay_s=0.0
    )


def two_inputs() -> FDN:
    return network(8, 2, 2, sample_rate_hz=44100, reverberation_time_s=1.4, delays=(300, 2500))


FITS = {"six": six, "banded": banded, "dense": dense, "two_inputs": two_inputs}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    if not can_compile():
        pytest.skip("g++ is not installed")
    compiling = Programs(tmp_path_factory.mktemp("programs"))
    yield compiling
    compiling.close()


@pytest.fixture(scope="module")
def design(programs: Programs) -> Path:
    return programs["design"]


@pytest.fixture(scope="module")
def player_program(programs: Programs) -> Path:
    return programs["play"]


@pytest.fixture
def core(player_program: Path, tmp_path: Path) -> Core:
    return Core(player_program, tmp_path)


def sos_of(document: dict[str, object], name: str, lanes: int) -> FloatArray:
    """Sections (S, 5, lanes)."""
    return np.asarray(document[name], dtype=np.float64).reshape(-1, 5, lanes)


class TestDesign:
    @pytest.mark.parametrize("rate", RATES_HZ)
    @pytest.mark.parametrize("make", FITS.values(), ids=FITS)
    def test_filters_and_delays_are_those_of_the_reference(
        self, make, rate: int, design: Path, tmp_path: Path
    ) -> None:
        fdn = make()
        for decay, size in ((1.0, 1.0), (4.0, 0.5), (0.25, 2.0), (1.7, 1.3)):
            made = designed(design, written(fdn, tmp_path), rate, decay, size)
            expected = realise(fdn, rate, decay=decay, size=size)
            n, without_a0 = fdn.lines, [0, 1, 2, 4, 5]
            assert made["delays"] == expected.delays_samples.tolist()
            assert made["late"] == expected.late_delay_samples
            np.testing.assert_allclose(made["gains"][:n], expected.line_gains, rtol=1e-12)
            sections = sos_of(made, "sos", made["width"])[:, :, :n].transpose(2, 0, 1)
            np.testing.assert_allclose(sections, expected.line_sos[..., without_a0], rtol=0, atol=1e-12)
            for name, wanted in (("tone", expected.tone_sos), ("lowpass", expected.lowpass_sos)):
                for lane in sos_of(made, name, 4).transpose(2, 0, 1):
                    np.testing.assert_allclose(lane, wanted[:, without_a0], rtol=0, atol=1e-12)

    @pytest.mark.parametrize("rate", RATES_HZ)
    @pytest.mark.parametrize("make", FITS.values(), ids=FITS)
    def test_taps_are_those_of_the_reference(self, make, rate: int, design: Path, tmp_path: Path) -> None:
        fdn = make()
        made = designed(design, written(fdn, tmp_path), rate, size=1.3)
        r = realise(fdn, rate, size=1.3)
        longest = (
            r.direct_delay_samples + r.early_delay_samples + int(r.tap_delays_samples.max(initial=0)) + 1
        )
        expected = np.zeros((fdn.outputs, fdn.inputs, longest))
        expected[:, :, r.direct_delay_samples] = r.direct_gains
        places = r.tap_outputs, r.tap_inputs, r.tap_delays_samples + r.early_delay_samples
        np.add.at(expected, places, r.tap_gains)
        heard = np.zeros_like(expected)
        for row, k, delay, gain in np.reshape(made["taps"], (-1, 4)):
            outputs = range(fdn.outputs) if row == fdn.outputs else [int(row)]
            for o in outputs:
                heard[o, int(k), int(delay)] += gain
        np.testing.assert_allclose(heard, expected * r.gain, rtol=0, atol=1e-12)

    @pytest.mark.parametrize(
        ("field", "value", "complaint"),
        [
            ("feedback_matrix", [[0.5] * 6] * 6, "not orthogonal"),
            ("feedback_matrix", [[1.0]], "number of rows"),
            ("absorption", {"kind": "per_line_gain", "gains": [1.0 - 1e-9] * 6}, "not stable"),
            ("absorption", {"kind": "per_line_gain", "gains": [0.5] * 5}, "not one a line"),
            ("absorption", {"kind": "reverberation_time", "family": "peq-9"}, "is missing"),
            ("tune", [], "not of the format"),
            ("version", 2, "newer"),
            ("gain", 1e9, "range"),
            ("gain", "1", "range"),
            ("delays_samples", [1.0] * 65, "64 delay lines"),
            ("direct_gains", [[1.0]] * 3, "two outputs"),
            ("early", [{"kind": "sparse", "output": 1, "input": 0, "taps": []}], "range"),
        ],
    )
    def test_what_cannot_be_played_is_refused(
        self, field: str, value: object, complaint: str, design: Path, tmp_path: Path
    ) -> None:
        document = json.loads(written(six(), tmp_path).read_text()) | {field: value}
        assert complaint in self.refusal(design, tmp_path, json.dumps(document))

    @pytest.mark.parametrize(
        ("whole", "damaged"),
        [
            ('"gain":1.0', '"gain":1,0'),
            ('"gain":1.0', '"gain":1e999'),
            ('"gain"', '"polarity"'),
            ("}", "]"),
            ("[", "[["),
        ],
    )
    def test_text_that_is_no_json_is_refused(
        self, whole: str, damaged: str, design: Path, tmp_path: Path
    ) -> None:
        text = written(six(), tmp_path).read_text()
        assert whole in text
        assert "is not JSON" in self.refusal(design, tmp_path, text.replace(whole, damaged, 1))

    def test_a_loop_that_the_family_caps_is_the_references(self, design: Path, tmp_path: Path) -> None:
        times = {"kind": "reverberation_time", "family": "peq-1", "line_groups": [0] * 6}
        times |= {"frequencies_hz": [100.0, 1000.0, 4000.0], "times_s": [[1000.0, 0.02, 1000.0]]}
        document = json.loads(written(six(), tmp_path).read_text()) | {"absorption": times}
        document["feedback_matrix"][0] = [(1.0 + 4e-7) * u for u in document["feedback_matrix"][0]]
        (tmp_path / "fit.json").write_text(json.dumps(document))
        made = designed(design, tmp_path / "fit.json", 16000)  # the cap keeps it below 1 - 1e-5
        expected = realise(FDN.model_validate(document))
        np.testing.assert_allclose(made["gains"][:6], expected.line_gains, rtol=1e-12)
        assert expected.stability.bound > 1.0 - 2e-5

    def refusal(self, design: Path, folder: Path, text: str) -> str:
        """The one line in which a text is refused."""
        (folder / "bad.json").write_text(text)
        command = [design, folder / "bad.json", "48000", "1", "1"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        return done.stderr


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


def clicks_db(y: FloatArray, rate: int, change: int) -> float:
    """Largest residual above 8 kHz from 10 ms before a change until it has been carried out, re the level around it."""
    high = scipy.signal.butter(10, 8000.0, "highpass", fs=rate, output="sos")
    window = slice(change - round(0.01 * rate), change + round(0.15 * rate))
    residual = scipy.signal.sosfiltfilt(high, y, axis=1)[:, window]
    return 20.0 * float(np.log10(np.max(np.abs(residual)) / np.max(np.abs(y[:, window]))))


class TestChanges:
    RATE = 48000
    AT = 48000

    def sine(self, seconds: float = 2.0) -> FloatArray:
        t = np.arange(round(seconds * self.RATE)) / self.RATE
        return np.tile(np.sin(2.0 * np.pi * 200.0 * t) * np.minimum(t / 0.1, 1.0), (2, 1))

    @pytest.mark.parametrize(
        "change",
        [
            "decay 4",
            "decay 0.25",
            "size 2",
            "size 0.5",
            "predelay 91.3",
            "wet -20",
            "dry 0",
            "early -60",
            "direct 0",
            "freeze 1",
        ],
    )
    def test_no_control_clicks(self, change: str, core: Core) -> None:
        fit = written(banded(), core.folder)
        y = core.play(self.sine(), self.RATE, [f"-1 load {fit}", f"{self.AT} set {change}"])
        still = core.play(self.sine(), self.RATE, [f"-1 load {fit}"])
        assert not np.allclose(y[:, self.AT + 9600 :], still[:, self.AT + 9600 :], atol=1e-4)
        assert clicks_db(y, self.RATE, self.AT) < -60.0

    def test_another_fit_fades_in(self, core: Core) -> None:
        first, second = written(banded(), core.folder, "a"), written(six(), core.folder, "b")
        y = core.play(self.sine(), self.RATE, [f"-1 load {first}", f"{self.AT} load {second}"])
        alone = core.play(self.sine(), self.RATE, [f"-1 load {second}"])
        assert clicks_db(y, self.RATE, self.AT) < -60.0
        assert np.allclose(y[:, -9600:], alone[:, -9600:], atol=5e-3 * np.max(np.abs(alone)))

    def test_the_first_fit_of_a_running_plugin_fades_in(self, core: Core) -> None:
        y = core.play(self.sine(), self.RATE, [f"{self.AT} load {written(banded(), core.folder)}"])
        assert np.array_equal(y[:, : self.AT], self.sine()[:, : self.AT].astype(np.float32))
        assert clicks_db(y, self.RATE, self.AT) < -60.0

    def test_changes_arrive(self, core: Core) -> None:
        fit = written(banded(), core.folder)
        x = np.zeros((2, 2 * self.RATE))
        x[:, self.RATE] = 1.0
        moved = core.play(
            x, self.RATE, [f"-1 load {fit}", "100 set size 1.5", "9000 set decay 0.5", "9100 set decay 2"]
        )
        expected = impulse_response(banded(), self.RATE, 1.0, size=1.5, decay=2.0)
        assert error_db(moved[:, self.RATE :], expected) <= -140.0

    def test_automation_stays_within_twice_the_static_energy(self, core: Core) -> None:
        """A minute of decay and size over their whole ranges, 20 times a second, at the longest reverberation time."""
        fdn = banded(8, times_s=(12.0, 8.0))
        fit = written(fdn, core.folder)
        rng = np.random.default_rng(3)
        seconds, step = 60, self.RATE // 20
        x = 0.1 * np.tile(rng.standard_normal(seconds * self.RATE), (2, 1))

        def largest_energy(script: list[str]) -> float:
            y = core.play(x, self.RATE, [f"-1 load {fit}", *script], block=512)
            assert np.isfinite(y).all()
            energy = np.square(y).sum(axis=0).reshape(-1, self.RATE // 10).sum(axis=1)
            return float(energy.max())

        static = max(largest_energy(["-1 set decay 4", f"-1 set size {size}"]) for size in (0.5, 1, 2))
        moves = []
        for frame in range(0, seconds * self.RATE, step):
            decay, size = 0.25 * 16.0 ** rng.random(), 0.5 * 4.0 ** rng.random()
            moves += [f"{frame} set decay {decay:.4f}", f"{frame} set size {size:.4f}"]
        steps = [
            f"{frame} set size {0.5 if frame // step % 2 else 2}"
            for frame in range(0, seconds * self.RATE, step)
        ]
        assert largest_energy(moves) <= 2.0 * static
        assert largest_energy(["-1 set decay 4", *steps]) <= 2.0 * static


class TestAudioThread:
    def test_it_takes_no_memory_and_no_lock_whatever_happens(
        self, programs: Programs, tmp_path: Path
    ) -> None:
        """Controls move, rooms fade in and replace each other; malloc, free and mutexes are counted meanwhile."""
        core = Core(programs["counted_play"], tmp_path)
        first, second = written(banded(), tmp_path, "a"), written(six(), tmp_path, "b")
        script = [f"-1 load {first}"]
        for step in range(20):
            frame = 4000 * (step + 1)
            script += [f"{frame} set decay {0.3 + 0.15 * step}", f"{frame} set size {2.0 - 0.07 * step}"]
            script += [f"{frame} set freeze {step % 5 // 4}", f"{frame} set wet {-step}"]
            if step % 4 == 3:
                script.append(f"{frame + 1000} load {(first, second)[step // 4 % 2]}")
        x = 0.1 * np.random.default_rng(7).standard_normal((2, 96000))
        assert np.isfinite(core.play(x, 48000, script)).all()

    def test_silence_ends_in_zeros(self, core: Core) -> None:
        """Nothing lingers among denormal numbers."""
        fdn = banded(times_s=(0.3, 0.2))
        y = core.response(fdn, 48000, 15.0)
        assert np.max(np.abs(y[:, :48000])) > 0.1
        assert np.all(y[:, -48000:] == 0.0)


class TestStability:
    @pytest.fixture
    def bound(self, programs: Programs) -> Path:
        return programs["bound"]

    def test_the_proof_is_that_of_the_reference(self, bound: Path) -> None:
        """Cascades whose largest gain lies close to what is allowed, on either side."""
        rng = np.random.default_rng(11)
        cases, expected = [], []
        for _ in range(60):
            sections = [
                ToneSection(
                    type=("peaking", "low_shelf", "high_shelf")[rng.integers(3)],
                    frequency_hz=float(20.0 * 1000.0 ** rng.random()),
                    gain_db=float(rng.uniform(-6.0, 6.0)),
                    q=float(rng.uniform(0.5, 2.0)),
                )
                for _ in range(rng.integers(1, 11))
            ]
            sos = tone_sos(sections, 48000.0)
            attained = prove(np.eye(1), np.ones(1), sos[None], 48000.0).attained
            gain = float(rng.uniform(0.2, 1.0))
            for margin in (-1e-2, -3e-4, 3e-3, 1e-2):
                allowed = gain * attained * (1.0 + margin)
                numbers = [gain, allowed, len(sos), *sos[:, [0, 1, 2, 4, 5]].ravel().tolist()]
                cases.append(" ".join(map(repr, numbers)))
                expected.append(margin > 0.0)
        done = subprocess.run([bound], input="\n".join(cases), capture_output=True, text=True, check=True)
        assert [word == "1" for word in done.stdout.split()] == expected

    def test_unstable_sections_are_none(self, bound: Path) -> None:
        case = "0.1 0.9 1 1.0 0.0 0.0 -2.01 1.01"
        done = subprocess.run([bound], input=case, capture_output=True, text=True, check=True)
        assert done.stdout == "0\n"


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


class TestHardening:
    @pytest.fixture(scope="class")
    @staticmethod
    def fits(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
        folder = tmp_path_factory.mktemp("fits")
        made = {
            "six": network(6, reverberation_time_s=0.4, delays=(20, 300)),
            "banded": banded(4, sample_rate_hz=8000),
            "two": network(3, 2, 2, sample_rate_hz=8000, delays=(1, 40)),
            "dense": network(
                2, early=[{"kind": "fir", "output": 0, "input": 0, "coefficients": [0.5, -0.25, 0.125]}]
            ),
        }
        return [written(fdn, folder, name) for name, fdn in made.items()]

    def test_ten_thousand_loads_and_moves_find_nothing(self, programs: Programs, fits: list[Path]) -> None:
        done = subprocess.run(
            [programs["stress"], "10000", *fits], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr[-3000:]
        loaded, refused = (int(word) for word in done.stdout.replace(",", "").split()[0:3:2])
        assert loaded > 2000
        assert refused > 500

    def test_loading_while_audio_runs_is_no_race(self, programs: Programs, fits: list[Path]) -> None:
        done = subprocess.run(
            [programs["threads"], "-30", *fits], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr[-3000:]
