"""Writing exports: every file of a target and its certificate appear together, or none of them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fdnlearn import registry
from fdnlearn.base.errors import FdnlearnError, UsageError, suggest
from fdnlearn.base.store import Store
from fdnlearn.export.certificate import certificate, write_certificate
from fdnlearn.export.network import ExportNetwork, describe
from fdnlearn.export.target import ExportTarget
from fdnlearn.export.text import identifier
from fdnlearn.fdn import FDN

#: Stands for every target that there is.
ALL = "all"


@dataclass(frozen=True, eq=False)
class Export:
    """What was written for one target.

    Attributes
    ----------
    target : ExportTarget
    network : ExportNetwork
    files : tuple of Path
        The main one first.
    certificate : Path
    """

    target: ExportTarget
    network: ExportNetwork
    files: tuple[Path, ...]
    certificate: Path


def get_target(name: str) -> ExportTarget:
    """A target by its name.

    Raises
    ------
    UsageError
        If there is no such target.
    """
    if name not in registry.TARGETS:
        raise UsageError(
            "--to",
            f"{name!r} is no export target",
            suggest(name, (*registry.TARGETS, ALL), f"choose from {', '.join(registry.TARGETS)}, {ALL}"),
        )
    target: ExportTarget = registry.load(registry.TARGETS[name])
    return target


def get_targets(names: str | Iterable[str]) -> list[ExportTarget]:
    """Targets by their names, each once; a text is split at commas, ``all`` stands for all.

    Raises
    ------
    UsageError
        If a name is unknown or there is none.
    """
    words = names.split(",") if isinstance(names, str) else list(names)
    words = [word.strip() for word in words if word.strip()]
    if not words:
        raise UsageError(
            "--to", "names no export target", f"choose from {', '.join(registry.TARGETS)}, {ALL}"
        )
    wanted = [name for word in words for name in (registry.TARGETS if word == ALL else (word,))]
    return [get_target(name) for name in dict.fromkeys(wanted)]


def export(
    fdn: FDN,
    targets: str | Iterable[str],
    folder: str | os.PathLike[str],
    *,
    name: str = "fdn",
    sample_rate_hz: int | None = None,
) -> list[Export]:
    """Write a network for one or several targets, a certificate beside each.

    Parameters
    ----------
    fdn : FDN
    targets : str or iterable of str
        Names as in `fdnlearn.registry.TARGETS`, or ``"all"``.
    folder : path-like
        Made if it does not exist. Files of the same names are replaced.
    name : str
        Stem of the files; identifiers in programs are made from it.
    sample_rate_hz : int, optional
        Rate that the export runs at; the fit's own by default. Presets of the player run at any.

    Returns
    -------
    list of Export

    Raises
    ------
    UsageError
        If a target is unknown.
    FdnlearnError
        If a target cannot carry the network, the rate is out of range or makes a delay vanish, or a file cannot be
        written. Targets written before stay.
    """
    chosen = get_targets(targets)
    rate = fdn.sample_rate_hz if sample_rate_hz is None else sample_rate_hz
    _check_delays(fdn, rate)
    network = describe(fdn, identifier(name), rate)
    for target in chosen:
        target.admit(network)
    return [_write(target, network, Path(folder)) for target in chosen]


def _check_delays(fdn: FDN, rate: int) -> None:
    for index, delay in enumerate(fdn.delays_samples):
        if math.floor(delay * rate / fdn.sample_rate_hz + 0.5) < 1:
            raise FdnlearnError(
                "sample rate",
                f"at {rate} Hz delay {index} of {delay:g} samples at {fdn.sample_rate_hz} Hz vanishes",
                "choose a higher --sample-rate",
            )


def _write(target: ExportTarget, network: ExportNetwork, folder: Path) -> Export:
    stem = f"{network.name}.{target.name}"
    proof = f"{stem}.cert.json"
    # Two exports of the same name take turns; others do not meet.
    store = Store(folder, "export", staging=f".{stem}.partial")
    with store.held(wait=True), store.staged() as staged:
        names = target.write(network, staged)
        document = certificate(target, network, {name: staged / name for name in names})
        write_certificate(staged / proof, document)
        # The certificate comes last: beside it lies what it speaks of.
        store.publish(staged, (*names, proof))
    return Export(target, network, tuple(folder / name for name in names), folder / proof)
