"""What is told about the layer is true: the page's examples run, and the encoder of the example learns."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numba
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.long
def test_the_page_runs_from_top_to_bottom() -> None:
    page = (ROOT / "docs" / "layer.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    torch.manual_seed(0)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/layer.md", "exec"), names)
    assert names["wet"].shape == (3, 1, 8000)
    assert names["h"].shape == (3, 1, 1, 16000)


@pytest.mark.long
def test_the_encoder_hears_rooms_that_it_was_not_trained_on(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.syspath_prepend(ROOT / "examples")
    monkeypatch.syspath_prepend(ROOT / "data")
    encoder = __import__("encoder")
    threads = numba.get_num_threads()
    # On a busy machine waiting for a second core at every step would take longest.
    numba.set_num_threads(1)
    request.addfinalizer(lambda: numba.set_num_threads(threads))
    rooms = encoder.draw_rooms(60, seed=1)
    assert torch.equal(encoder.draw_rooms(2, seed=1).responses, rooms.responses[:2])
    trained, plain, losses = encoder.train(rooms[:45], 80, seed=0)
    assert sum(losses[-10:]) < 0.6 * sum(losses[:10])
    assert encoder.train(rooms[:45], 3, seed=0)[2] == encoder.train(rooms[:45], 3, seed=0)[2]
    own, trivial = encoder.held_out_error(trained, plain, rooms[:45], rooms[45:]).mean(1)
    assert own < trivial
