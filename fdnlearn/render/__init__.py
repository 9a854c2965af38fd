"""The network in the time domain: offline, block by block, at any sample rate. No torch."""

from __future__ import annotations

from fdnlearn.render.blocks import BlockRenderer
from fdnlearn.render.offline import impulse_response, render, tail_length_s, tail_warnings

__all__ = ["BlockRenderer", "impulse_response", "render", "tail_length_s", "tail_warnings"]
