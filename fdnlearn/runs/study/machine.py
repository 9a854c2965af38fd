"""On what a comparison ran: figures of seconds mean nothing without it."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

from fdnlearn.base.processes import cores

_PACKAGES = ("numpy", "scipy", "numba", "torch", "pymoo", "cma")


def describe_machine() -> dict[str, str | int]:
    """Processor, system and versions; nothing that names the machine or its user."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
