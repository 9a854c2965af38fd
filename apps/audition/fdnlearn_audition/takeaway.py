"""What a visitor takes away: exports for every target that there is, with certificates, one by one or in an archive."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from fdnlearn import registry
from fdnlearn.base.errors import FdnlearnError
from fdnlearn_audition.messages import told


def targets() -> list[dict[str, str]]:
    """Every export target that is registered: ``name``, ``purpose``, ``proof``."""
    from fdnlearn.export import get_target

    rows = []
    for name in registry.TARGETS:
        target = get_target(name)
        proof = (
            f"heard in {target.proof.host}, {target.proof.measured_db} dB re peak"
            if target.verified
            else "not verified"
        )
        rows.append({"name": name, "purpose": target.purpose, "proof": proof})
    return rows


def export(folder: str, names: list[str], name: str, sample_rate_hz: int | None) -> list[dict[str, Any]]:
    """Export the network of a folder.

    Parameters
    ----------
    folder : str
    names : list of str
        Targets.
    name : str
        Stem of the files.
    sample_rate_hz : int or None
        The fit's own if None.

    Returns
    -------
    list of dict
        One for each target: ``target``, ``file`` (relative to `folder`; an archive where there are several files and
        their certificate), or ``problem`` where the target cannot carry this network.
    """
    from fdnlearn.export import export as write
    from fdnlearn.fdn import load_fdn

    base = Path(folder)
    fdn = load_fdn(base / "fdn.json")
    rows: list[dict[str, Any]] = []
    for target in names:
        place = base / "export" / f"{target}-{sample_rate_hz or fdn.sample_rate_hz}"
        try:
            (exported,) = write(fdn, target, place, name=name, sample_rate_hz=sample_rate_hz)
        except FdnlearnError as error:
            rows.append({"target": target, "problem": told(error, target)})
            continue
        archive = place.with_name(f"{exported.network.name}-{place.name}.zip")
        pack(archive, place, [*exported.files, exported.certificate])
        rows.append(
            {"target": target, "file": archive.relative_to(base).as_posix(), "files": len(exported.files)}
        )
    return rows


def bundle(folder: str, names: list[str], name: str, sample_rate_hz: int | None) -> str:
    """The network, its results and its exports in one archive; returns the path."""
    base = Path(folder)
    export(folder, names, name, sample_rate_hz)
    archive = base / f"{name}.zip"
    results = [
        path for path in base.iterdir() if path.is_file() and path.suffix in (".json", ".html", ".csv")
    ]
    results += [base / "ir.wav"] if (base / "ir.wav").is_file() else []
    exports = [path for path in (base / "export").rglob("*") if path.is_file() and path.suffix != ".zip"]
    pack(archive, base, [*sorted(results), *sorted(exports)])
    return str(archive)


def pack(archive: Path, base: Path, files: list[Path]) -> None:
    """Write a ZIP whose entries carry no date: equal files make equal archives."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as into:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(base).as_posix())
            entry.compress_type = zipfile.ZIP_DEFLATED
            into.writestr(entry, path.read_bytes())
