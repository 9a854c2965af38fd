"""Responses for the listening room: room and network on one time axis, whatever the rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from export_networks import head_of
from fdn_networks import network
from fdnlearn_audition import responses

from fdnlearn.fdn import save_fdn


@pytest.mark.parametrize("head", [head_of(330, 150), {}], ids=["a head", "none"])
@pytest.mark.parametrize("rate_hz", [44100, 48000])
def test_a_network_is_heard_with_the_room(head: dict[str, Any], rate_hz: int, tmp_path: Path) -> None:
    """A recording that is the network itself: at every rate both are at one place."""
    from fdnlearn.render import impulse_response

    fdn = network(6, sample_rate_hz=48000, reverberation_time_s=0.9, delays=(900, 5700), **head)
    save_fdn(fdn, tmp_path / "fdn.json")
    h = np.asarray(impulse_response(fdn), dtype=np.float64)
    soundfile.write(tmp_path / "target.wav", h.T, fdn.sample_rate_hz, subtype="FLOAT")
    room, played = (
        soundfile.read(play(str(tmp_path), rate_hz), always_2d=True)[0][:, 0]
        for play in (responses.room, responses.network)
    )
    length = min(room.size, played.size, round(0.02 * rate_hz))
    lags = np.correlate(room[:length], played[:length], "full")
    assert abs(int(np.argmax(np.abs(lags))) - (length - 1)) <= 1
