"""``clap``: the state of the player, for hosts and scripts that load a CLAP plugin's state from a file."""

from __future__ import annotations

from pathlib import Path

from fdnlearn.export import player
from fdnlearn.export.network import Network
from fdnlearn.export.target import FLOAT32_DB, ExportTarget


def _write(network: Network, folder: Path) -> list[str]:
    name = f"{network.name}.clapstate"
    (folder / name).write_bytes(player.state(network.fdn))
    return [name]


TARGET = ExportTarget(
    name="clap",
    purpose="state of the player plugin for CLAP hosts",
    host="a small host on the CLAP headers",
    tolerance_db=FLOAT32_DB,
    measured_db="-148",
    write=_write,
    renderer="fdnlearn.export.hosts.clap:render",
    limits=player.LIMITS,
    refuse=player.refuse,
    about=lambda: player.about_player("clap"),
)
