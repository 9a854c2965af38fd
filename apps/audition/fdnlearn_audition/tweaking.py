"""The network that the page runs itself: the very numbers that the webaudio export carries, at any decay and size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fdnlearn.errors import FdnlearnError

#: The page computes sample by sample: with more lines than this a telephone could not keep up.
MOST_LINES = 32


def network(folder: str, sample_rate_hz: int, decay: float, size: float) -> dict[str, Any]:
    """What the AudioWorklet's ``class Network`` is made from.

    Raises
    ------
    FdnlearnError
        If the network is too large for a page or cannot be realised at that rate.
    """
    from fdnlearn.export.network import describe
    from fdnlearn.export.webaudio import network_data
    from fdnlearn.fdn import load_fdn

    fdn = load_fdn(Path(folder) / "fdn.json")
    if fdn.lines > MOST_LINES:
        raise FdnlearnError(
            "network",
            f"has {fdn.lines} lines, a page runs {MOST_LINES}",
            "fit with fewer lines to tweak it here",
        )
    realised = describe(fdn, "room", sample_rate_hz, decay=decay, size=size)
    return network_data(realised) | {"direct": realised.realisation.direct_delay_samples}
