"""What the plugin targets share: the state that the player reads, what it can carry, where it is and its version.

A preset embeds the whole fit as the JSON of the contract, without its provenance, so it goes on working wherever it
is copied, at any sample rate; the player designs the filters.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.export.hosts import HostMissing
from fdnlearn.export.network import ExportNetwork
from fdnlearn.export.target import FLOAT32_DB, ExportTarget, Proof, TargetLimits
from fdnlearn.fdn import FDN, ReverberationTime

#: What presets of this program need: the same first number, at least the second.
VERSION = (1, 1)
#: Names a folder that holds the built player, before all others.
VARIABLE = "FDNLEARN_PLAYER"
NAME = "fdnlearn-player"

#: Controls as a preset sets them (symbol -> value): the room alone, as it was learned.
CONTROLS = {
    "wet": 0.0,
    "dry": -60.0,
    "predelay": 0.0,
    "decay": 1.0,
    "size": 1.0,
    "early": 0.0,
    "direct": 1.0,
    "freeze": 0.0,
}
#: Absorption families that player knows; free gains as well.
FAMILIES = frozenset({"flat-1", "peq-1"})
LIMITS = TargetLimits(lines=64, channels=2)
LARGEST_GAIN = 1e6

#: Format -> file in the folder of the built player, and folders where hosts look for it.
PLUGINS = {
    "vst3": (f"{NAME}.vst3", ("~/.vst3", "/usr/local/lib/vst3", "/usr/lib/vst3")),
    "clap": (f"{NAME}.clap", ("~/.clap", "/usr/local/lib/clap", "/usr/lib/clap")),
    "lv2": (f"{NAME}.lv2", ("~/.lv2", "/usr/local/lib/lv2", "/usr/lib/lv2")),
}
_MARK = re.compile(rb"fdnlearn-player/(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class InstalledPlayer:
    """A player that was found: its file or bundle, and its version."""

    path: Path
    version: tuple[int, int, int]


def refuse(network: ExportNetwork) -> None:
    """Refuse what the player cannot read.

    Raises
    ------
    FdnlearnError
    """
    absorption = network.fdn.absorption
    if isinstance(absorption, ReverberationTime) and absorption.family not in FAMILIES:
        raise FdnlearnError(
            "player", f"does not know the absorption family {absorption.family!r}", "choose another target"
        )
    r = network.realisation
    largest = max(
        float(np.max(np.abs(values), initial=0.0))
        for values in (r.input_gains, r.output_gains, r.direct_gains, r.tap_gains, r.gain)
    )
    if largest > LARGEST_GAIN:
        raise FdnlearnError(
            "player",
            f"takes gains up to {LARGEST_GAIN:g}, not {largest:g}",
            "scale the network or choose another target",
        )


def preset_target(
    kind: str, host: str, purpose: str, write: Callable[[ExportNetwork, Path], list[str]]
) -> ExportTarget:
    """The export target of a preset for the player in one plugin format, a key of `PLUGINS`."""
    return ExportTarget(
        kind,
        purpose,
        write,
        Proof(host, FLOAT32_DB, "-148", f"{kind}:render"),
        LIMITS,
        refuse=refuse,
        about=lambda: about_player(kind),
    )


def fit_text(fdn: FDN) -> str:
    """The fit as the player reads it: compact JSON in ASCII."""
    document = fdn.model_dump(mode="python", exclude={"provenance"})
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def state(fdn: FDN) -> bytes:
    """The player's state as VST3 and CLAP hosts store it: keys and values, each ended by a zero byte."""
    words = ["__dpf_state_begin__", "fit", fit_text(fdn), "__dpf_state_end__", "__dpf_parameters_begin__"]
    for symbol, value in CONTROLS.items():
        words += [symbol, f"{value:g}"]
    words.append("__dpf_parameters_end__")
    return b"".join(word.encode() + b"\0" for word in words) + b"\xfe\0"


def source_folder() -> Path:
    """Where the player's source lies: in a checkout, or in an installed package."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "apps" / "player"
    return inside if inside.is_dir() else package.parent / "apps" / "player"


def find_player(kind: str) -> InstalledPlayer:
    """The player in one plugin format.

    Parameters
    ----------
    kind : str
        A key of `PLUGINS`.

    Raises
    ------
    HostMissing
        If it is nowhere.
    FdnlearnError
        If it is too old or too new for the presets of this program.
    """
    for path in _places(kind):
        version = _version(path)
        if version is None:
            continue
        if version[0] != VERSION[0] or version[:2] < VERSION:
            raise FdnlearnError(
                str(path),
                f"is version {'.'.join(map(str, version))}, where {VERSION[0]}.{VERSION[1]} or a later "
                f"{VERSION[0]}.x is needed",
                f"build and install it anew: {_build()}",
            )
        return InstalledPlayer(path, version)
    raise HostMissing(f"the player ({kind})", "is not installed", _build())


def about_player(kind: str) -> str:
    """One line for users: where the player is and its version, or how to get it."""
    try:
        player = find_player(kind)
    except FdnlearnError as error:
        return str(error)
    return f"the player: {player.path}, version {'.'.join(map(str, player.version))}"


def _build() -> str:
    return f"make -C {source_folder()} install"


def _places(kind: str) -> Iterator[Path]:
    name, folders = PLUGINS[kind]
    if named := os.environ.get(VARIABLE):
        yield Path(named) / name
        return
    yield source_folder() / "bin" / name
    for folder in folders:
        yield Path(folder).expanduser() / name


def _version(path: Path) -> tuple[int, int, int] | None:
    """What the mark in the binary says; None where there is none."""
    binaries = [path] if path.is_file() else sorted(path.rglob("*.so")) + sorted(path.rglob("*.vst3"))
    for binary in binaries:
        try:
            mark = _MARK.search(binary.read_bytes()) if binary.is_file() else None
        except OSError:
            continue
        if mark:
            major, minor, patch = (int(number) for number in mark.groups())
            return major, minor, patch
    return None
