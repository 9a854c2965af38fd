"""The network that the page runs itself: the very numbers that the webaudio export carries, at any decay and size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fdnlearn.base.errors import FdnlearnError

if TYPE_CHECKING:
    from fdnlearn.fdn import FDN

#: The page computes sample by sample: with more lines than this a telephone could not keep up.
MOST_LINES = 32


def network(folder: str, sample_rate_hz: int, decay: float, size: float) -> dict[str, Any]:
    """The network of a folder as the page's ``class Network`` is made from it.

    Raises
    ------
    FdnlearnError
        If it is too large for a page or cannot be realised at that rate.
    """
    from fdnlearn.fdn import load_fdn

    fdn = load_fdn(Path(folder) / "fdn.json")
    if fdn.lines > MOST_LINES:
        raise FdnlearnError(
            "network",
            f"has {fdn.lines} lines, a page runs {MOST_LINES}",
            "fit with fewer lines to tweak it here",
        )
    return network_of(fdn, sample_rate_hz, decay, size)


def network_of(fdn: FDN, sample_rate_hz: int, decay: float, size: float) -> dict[str, Any]:
    """A network at a rate, reverberation times and delays scaled, as plain numbers."""
    from fdnlearn.export.network import describe
    from fdnlearn.export.webaudio import network_data

    return network_data(describe(fdn, "room", sample_rate_hz, decay=decay, size=size))
