"""Fits of measured rooms, exported and heard in every host that carries them."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import QUICK, run

from fdnlearn import registry
from fdnlearn.base.errors import FdnlearnError
from fdnlearn.export import check, export, get_target
from fdnlearn.export.network import describe
from fdnlearn.export.pyfdn import tap_lines
from fdnlearn.fdn import FDN, load_fdn
from fdnlearn.fitting import FitConfig, solve
from fdnlearn.render.stereo import widened
from fdnlearn.rir import load_target

pytestmark = pytest.mark.usefixtures("built_player")
VERIFIED = [name for name in registry.TARGETS if get_target(name).verified]


@pytest.fixture(scope="module", params=[0, 1])
def homogeneous(
    request: pytest.FixtureRequest, rooms: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> FDN:
    """A quick fit with the six lines of the default."""
    room = list(rooms.values())[request.param]
    folder = tmp_path_factory.mktemp("fit")
    options = [*QUICK, "--lines", 6, "--sample-rate", 16000]
    outcome = run("fit", room, "-o", folder, "--force", *options)
    assert outcome.code == 0, outcome.stderr
    return load_fdn(folder / "fdn.json")


@pytest.fixture(scope="module")
def banded(rooms: dict[str, Path]) -> FDN:
    """A quick stereo fit of sixteen lines at full rate: sections in the loop, equaliser, direct sound, echoes."""
    target = load_target(rooms["genesis6_studio_live_room"], sample_rate_hz=48000)
    config = FitConfig.for_model("banded", lines=16, iterations=4, restarts=1)
    return widened(solve(target, config).fdn, 0)


def heard(fdn: FDN, name: str, folder: Path) -> None:
    exported = export(fdn, name, folder, name="room")[0]
    outcome = check(exported, longest_s=1.5)
    if outcome.error_db is None:
        pytest.skip(outcome.reason)
    assert outcome.error_db <= exported.target.tolerance_of(exported.network)


@pytest.mark.parametrize("name", VERIFIED)
def test_a_fitted_room_sounds_in_its_host_as_it_was_learned(
    homogeneous: FDN, name: str, tmp_path: Path
) -> None:
    heard(homogeneous, name, tmp_path)


@pytest.mark.parametrize("name", VERIFIED)
def test_so_does_a_room_octave_by_octave_in_stereo(banded: FDN, name: str, tmp_path: Path) -> None:
    assert (banded.lines, banded.outputs, banded.sample_rate_hz) == (16, 2, 48000)
    if name == "pyfdn" and len(tap_lines(describe(banded, "room"))) > 512:
        with pytest.raises(FdnlearnError, match="at most 512 lines of early taps"):
            export(banded, name, tmp_path)
        return
    heard(banded, name, tmp_path)
