"""All kinds of input that are tried."""

from __future__ import annotations

from collections.abc import Mapping

from fuzz.cases import Kind
from fuzz.commands import COMMAND_LINES
from fuzz.manifests import MANIFESTS
from fuzz.networks import NETWORKS
from fuzz.page import PAGE
from fuzz.recordings import RECORDINGS

KINDS: Mapping[str, Kind] = {
    kind.name: kind for kind in (RECORDINGS, NETWORKS, COMMAND_LINES, MANIFESTS, PAGE)
}
