"""The player's core designs what `realise` designs, and proves what `prove` proves."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from fdn_networks import FloatArray
from player_tools import FITS, Programs, designed, headed, six, written

from fdnlearn.fdn import FDN, ToneSection, prove, realise
from fdnlearn.fdn.biquads import tone_sos

RATES_HZ = (44100, 48000, 88200, 96000)


@pytest.fixture(scope="module")
def design(programs: Programs) -> Path:
    return programs["design"]


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
            ("version", 3, "newer"),
            ("head", [], "not part of version 1"),
            ("direct_peak_samples", 0, "not part of version 1"),
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
        ("fields", "complaint"),
        [
            ({"version": 1}, "not part of version 1"),
            ({"direct_peak_samples": 222}, "direct_peak_samples: is not within the head"),
            ({"direct_peak_samples": -1}, "direct_peak_samples"),
            ({"direct_peak_samples": 1.5}, "direct_peak_samples"),
            ({"head": []}, "direct_peak_samples: is not within the head"),
            ({"head": {}}, "head: is not an array"),
            ({"head": [{"output": 0, "input": 0}]}, "coefficients: is missing"),
            ({"head": [{"output": 0, "input": 0, "coefficients": []}]}, "head"),
            ({"head": [{"output": 0, "input": 0, "coefficients": [1e9] * 222}]}, "head"),
            ({"head": [{"output": 2, "input": 0, "coefficients": [0.5] * 222}]}, "range"),
            ({"head": [{"output": 0, "input": 1, "coefficients": [0.5] * 222}]}, "range"),
            ({"head": [{"output": 0, "input": 0, "coefficients": [0.5] * 222, "kind": "fir"}]}, "not of the format"),
            ({"head": [{"output": 0, "input": 0, "coefficients": [0.5] * (2**16 + 1)}]}, "head"),
        ],
    )  # fmt: skip
    def test_a_head_that_is_none_is_refused(
        self, fields: dict[str, object], complaint: str, design: Path, tmp_path: Path
    ) -> None:
        document = json.loads(written(headed(), tmp_path).read_text()) | fields
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
