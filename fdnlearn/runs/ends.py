"""How one fit of many can end, as it is written down."""

from __future__ import annotations

FINISHED, FAILED = "finished", "failed"
