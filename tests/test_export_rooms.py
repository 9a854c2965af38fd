"""Fits of measured rooms, exported and heard in every host that carries them."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import QUICK, run

from fdnlearn import registry
from fdnlearn.export import check, export, get_target
from fdnlearn.fdn import FDN, load_fdn

pytestmark = pytest.mark.usefixtures("built_player")
VERIFIED = [name for name in registry.TARGETS if get_target(name).verified]


@pytest.fixture(scope="module", params=[0, 1])
def fit(
    request: pytest.FixtureRequest, rooms: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> FDN:
    """A quick fit with the six lines of the default."""
    room = list(rooms.values())[request.param]
    folder = tmp_path_factory.mktemp("fit")
    options = [*QUICK, "--lines", 6, "--sample-rate", 16000]
    outcome = run("fit", room, "-o", folder, "--force", *options)
    assert outcome.code == 0, outcome.stderr
    return load_fdn(folder / "fdn.json")


@pytest.mark.parametrize("name", VERIFIED)
def test_a_fitted_room_sounds_in_its_host_as_it_was_learned(fit: FDN, name: str, tmp_path: Path) -> None:
    exported = export(fit, name, tmp_path, name="room")[0]
    outcome = check(exported, longest_s=1.5)
    if outcome.error_db is None:
        pytest.skip(outcome.reason)
    assert outcome.error_db <= exported.target.tolerance_of(exported.network)
