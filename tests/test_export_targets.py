"""Every target in its real host: an impulse through what was exported is the learned response."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from export_networks import CASES, mono, shelves_known, stereo

from fdnlearn import registry
from fdnlearn.base.errors import FdnlearnError
from fdnlearn.export import Export, check, export, get_target
from fdnlearn.export.certificate import LONGEST_S
from fdnlearn.export.checking import error_db
from fdnlearn.export.hosts import HostJob, c_compiler
from fdnlearn.export.network import describe
from fdnlearn.fdn import FDN, load_fdn
from fdnlearn.model.learned import learned_response

VECTORS = Path(__file__).parents[1] / "docs" / "testvectors"
VERIFIED = [name for name in registry.TARGETS if get_target(name).verified]
#: What a target cannot carry, and says so.
REFUSED = {
    ("pyfdn", "mono_at_44100"): "cannot low-pass",
    ("pyfdn", "headed_at_44100"): "at most 512 lines of early taps",
    **{
        (kind, case): "does not know the absorption family"
        for kind in ("vst3", "clap", "lv2")
        for case in ("stereo", "measured", "measured_at_16000")
    },
}


pytestmark = pytest.mark.usefixtures("built_player")


@pytest.fixture(autouse=True)
def families() -> Iterator[None]:
    with shelves_known():
        yield


def heard(exported: Export, least_db: float) -> float:
    """The error in the target's host; a skip where that is not installed."""
    outcome = check(exported, longest_s=1.5)
    if outcome.error_db is None:
        pytest.skip(outcome.reason)
    assert outcome.error_db <= least_db, f"{outcome.target}: {outcome.error_db:.1f} dB"
    return outcome.error_db


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", VERIFIED)
def test_an_export_sounds_like_the_network(name: str, case: str, tmp_path: Path) -> None:
    make, rate = CASES[case]
    if (name, case) in REFUSED:
        with pytest.raises(FdnlearnError, match=REFUSED[name, case]):
            export(make(), name, tmp_path, sample_rate_hz=rate)
        assert not any(tmp_path.iterdir())
        return
    exported = export(make(), name, tmp_path, name=case, sample_rate_hz=rate)[0]
    heard(exported, exported.target.tolerance_of(exported.network))


@pytest.mark.parametrize(
    "vector",
    ["stereo_4", "tone_4", "sparse_early_4", "fir_early_4", "decay_size_4", "head_4", "head_stereo_4"],
)
@pytest.mark.parametrize("name", ["c99", "faust", "csound"])
def test_published_vectors_are_met(name: str, vector: str, tmp_path: Path) -> None:
    exported = export(load_fdn(VECTORS / f"{vector}.json"), name, tmp_path)[0]
    heard(exported, exported.target.proof.tolerance_db)


def test_what_exports_are_held_to_is_the_learned_response() -> None:
    fdn = mono()
    expected = describe(fdn, "room").impulse_response(LONGEST_S)
    learned = learned_response(fdn, 1 << 17)[..., : expected.shape[2]]
    assert error_db(expected, learned) <= -230.0


@pytest.mark.parametrize("case", ["headed", "headed_at_44100", "headed_stereo"])
def test_the_certificate_says_by_how_much_a_head_makes_everything_late(case: str, tmp_path: Path) -> None:
    make, rate = CASES[case]
    fdn = make()
    exported = export(fdn, "wav", tmp_path, sample_rate_hz=rate)[0]
    expected = json.loads(exported.certificate.read_text())["expected"]
    latency = {"headed": 150, "headed_at_44100": 413 + 89, "headed_stereo": 70 - 24}[case]
    assert expected["latency_samples"] == latency
    assert expected["direct_delay_samples"] == latency + round(fdn.pre_delay_s * fdn.sample_rate_hz)


def c_job(fdn: FDN, folder: Path, input_index: int = 0) -> tuple[HostJob, np.ndarray]:
    exported = export(fdn, "c99", folder / "export", name="room")[0]
    expected = exported.network.impulse_response(0.5)
    scratch = folder / "scratch"
    scratch.mkdir()
    job = HostJob(exported.network, exported.files, scratch, expected.shape[2], input_index)
    return job, expected[:, input_index]


@pytest.mark.parametrize("case", CASES)
def test_the_c_code_is_exact_with_double_samples(case: str, tmp_path: Path) -> None:
    job, expected = c_job(CASES[case][0](), tmp_path)
    assert error_db(c_compiler.render(job, "double"), expected) <= -230.0


@pytest.mark.parametrize("sample", ["float", "double"])
def test_the_c_code_has_no_undefined_behaviour(sample: str, tmp_path: Path) -> None:
    job, expected = c_job(stereo(), tmp_path, 1)
    flags = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Wconversion", "-Wshadow")
    assert error_db(c_compiler.render(job, sample, flags), expected) <= -140.0


def test_two_rooms_in_one_c_program(tmp_path: Path) -> None:
    first = export(mono(), "c99", tmp_path, name="kitchen")[0].files[0]
    second = export(stereo(), "c99", tmp_path, name="Große Halle 2")[0].files[0]
    assert second.name == "gro_e_halle_2.h"
    (tmp_path / "main.c").write_text(
        f'#include "{first.name}"\n#include "{second.name}"\nstatic kitchen_state a;\nstatic gro_e_halle_2_state b;\n'
        "int main(void) { kitchen_reset(&a); gro_e_halle_2_reset(&b); return 0; }\n"
    )
    command = ["gcc", *c_compiler.STRICT, "main.c", "-o", "main", "-Wno-unused-function"]
    subprocess.run(command, cwd=tmp_path, check=True)
    subprocess.run([tmp_path / "main"], check=True)


def test_silence_after_sound_is_not_slow(tmp_path: Path) -> None:
    """The C code's states end at zero instead of lingering among denormal numbers."""
    exported = export(stereo(), "c99", tmp_path, name="room")[0]
    (tmp_path / "main.c").write_text(
        f'#include "{exported.files[0].name}"\n#include <math.h>\n#include <stdio.h>\nstatic room_state r;\n'
        "int main(void) {\n  static float x[2][480]; const float *in[2] = {x[0], x[1]};\n"
        "  float *out[2] = {x[0], x[1]};\n  int small = 0;\n  room_reset(&r);\n"
        "  for (int block = 0; block < 3000; ++block) {\n"
        "    for (int t = 0; t < 480; ++t) x[0][t] = x[1][t] = block == 0 ? 1.0f : 0.0f;\n"
        "    room_process(&r, in, out, 480);\n  }\n"
        "  for (unsigned i = 0; i < sizeof r.sections / sizeof *r.sections; ++i)\n"
        "    if (r.sections[i] != 0.0) ++small;\n"
        "  for (unsigned i = 0; i < sizeof r.lines / sizeof *r.lines; ++i)\n"
        "    if (fpclassify(r.lines[i]) == FP_SUBNORMAL) ++small;\n"
        '  printf("%d", small);\n  return 0;\n}\n'
    )
    subprocess.run(["gcc", "-O2", "main.c", "-o", "main", "-lm"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    assert done.stdout == "0"


@pytest.mark.parametrize("name", ["csound", "faust", "puredata"])
def test_a_locale_with_decimal_commas_changes_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locales = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout.lower()
    if "de_de" not in locales:
        pytest.skip("the locale de_DE.UTF-8 is not installed")
    monkeypatch.setitem(os.environ, "LC_ALL", "de_DE.UTF-8")
    exported = export(stereo(), name, tmp_path)[0]
    heard(exported, exported.target.tolerance_of(exported.network))
