"""All kinds of input that are tried, known without importing what stands behind them."""

from __future__ import annotations

from collections.abc import Mapping

from fdnlearn.registry import load
from fuzz.cases import Kind

#: Name -> reference to a `Kind`.
KINDS: Mapping[str, str] = {
    "recordings": "fuzz.recordings:RECORDINGS",
    "networks": "fuzz.networks:NETWORKS",
    "commands": "fuzz.commands:COMMAND_LINES",
    "manifests": "fuzz.manifests:MANIFESTS",
    "page": "fuzz.page:PAGE",
}


def kind_of(name: str) -> Kind:
    """A kind by its name."""
    kind: Kind = load(KINDS[name])
    return kind
