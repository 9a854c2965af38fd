"""What a test starts besides itself, which decides whether it is of the fast tier, that of `make check`.

Markers come from the fixtures of a test where those tell, otherwise from ``pytestmark`` or a decorator in its file. A
test without a marker may start no process: it would be slow unseen, and `Guard` makes it fail.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

#: Marker -> what a test that has it starts. Tests without any of them are the fast tier.
MARKERS = {
    "browser": "a browser, or the listening room that it looks at",
    "host": "compilers, and programs in which exports and the player are proved",
    "process": "processes of our own: commands, workers, a cluster",
    "fit": "a fit, however brief",
    "page": "the drawing of reports",
    "rooms": "the measured rooms",
    "gpu_interpreter": "the GPU kernels, where there is no GPU in an interpreter",
    "long": "a computation of more than a second",
}
#: Markers that say something else.
OTHERS = {
    "last_bits": "hangs on last bits, if anything does: `make processors` runs it as on other processors",
}
#: Session fixture -> marker of the tests that use it, directly or not.
_FIXTURES = {
    "chromium": "browser",
    "listening_room": "browser",
    "programs": "host",
    "built_player": "host",
    "fitted": "fit",
    "rooms": "rooms",
}
#: Start of the names of files whose tests share a costly fixture -> what they share: they go to the same process.
_SHARED = {"test_audition_": "listening room", "test_player_": "player", "test_export_": "player"}


def sort_into_tiers(items: list[pytest.Item], tier: str | None) -> list[pytest.Item]:
    """Mark all tests, put those that take longest first, and keep one tier or both; returns those that are left out."""
    for item in items:
        _mark(item)
    # Groups stay together; where several processes share the tests, short ones at the end let all finish at once.
    order = list(MARKERS)
    rank: dict[str, int] = {}
    for item in items:
        own = min((order.index(m.name) for m in item.iter_markers() if m.name in MARKERS), default=len(order))
        rank[group_of(item.nodeid)] = min(own, rank.get(group_of(item.nodeid), own))
    items.sort(key=lambda item: rank[group_of(item.nodeid)])
    left_out = [item for item in items if tier is not None and is_marked(item) != (tier == "slow")]
    items[:] = [item for item in items if item not in set(left_out)]
    return left_out


def _mark(item: pytest.Item) -> None:
    """Give a test the markers of its fixtures and of the kernel that it is for, and its group."""
    fixtures = getattr(item, "fixturenames", ())
    for fixture, marker in _FIXTURES.items():
        if fixture in fixtures and _is_shared(item, fixture):
            item.add_marker(marker)
    parameters = (
        item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    )
    if any(isinstance(value, str) and value == "cuda" for value in parameters.values()):
        item.add_marker("gpu_interpreter")


def group_of(nodeid: str) -> str:
    """Tests of one group run in one process: those of a file, and those of files that share a costly fixture."""
    file = nodeid.partition("::")[0].rpartition("/")[2]
    return next((shared for start, shared in _SHARED.items() if file.startswith(start)), file)


def make_scheduler(config: pytest.Config, log: Any) -> Any:
    """What deals tests out to processes, group by group.

    By the names of tests, which the process that deals knows; marks it does not see, and pytest-xdist's own
    ``loadgroup`` hands them over in a way that pytest 9.2 no longer reads.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return ByGroup(config, log)


def is_marked(item: pytest.Item) -> bool:
    """Whether a test may start anything."""
    return any(item.get_closest_marker(name) for name in MARKERS)


def _is_shared(item: pytest.Item, fixture: str) -> bool:
    """Whether the fixture is that of conftest.py and not one of the same name in a test file."""
    definitions = item._fixtureinfo.name2fixturedefs[fixture]  # type: ignore[attr-defined]
    return bool(definitions[-1].func.__module__ == "conftest")


class Guard:
    """Fails a test that starts a process without having said so."""

    def __init__(self) -> None:
        self.item: pytest.Item | None = None
        sys.addaudithook(self._look)

    def _look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "subprocess.Popen" or self.item is None or is_marked(self.item):
            return
        # Kernels are compiled in child processes, once a machine, by whichever test comes first.
        if ".compilation import" not in str(arguments[1]):
            pytest.fail(f"starts {arguments[1]}, so it needs a marker: one of {', '.join(MARKERS)}")
