"""``clap``: the state of the player, for hosts and scripts that load a CLAP plugin's state from a file."""

from __future__ import annotations

from pathlib import Path

from fdnlearn.export import player
from fdnlearn.export.network import ExportNetwork


def _write(network: ExportNetwork, folder: Path) -> list[str]:
    name = f"{network.name}.clapstate"
    (folder / name).write_bytes(player.state(network.fdn))
    return [name]


TARGET = player.preset_target(
    "clap", "a small host on the CLAP headers", "state of the player plugin for CLAP hosts", _write
)
