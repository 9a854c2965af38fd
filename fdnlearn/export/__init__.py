"""Exports: one network as WAV, source code, patches and plugin presets, each with a certificate and a check.

``export(fdn, "c99,faust", "folder")`` writes, ``check`` plays what was written in its real host. Every target is one
file here and one line in `fdnlearn.registry.TARGETS`.
"""

from __future__ import annotations

from fdnlearn.export.checking import Check, check
from fdnlearn.export.exporting import Export, export, get_target, get_targets
from fdnlearn.export.target import ExportTarget, Proof, TargetLimits

__all__ = [
    "Check",
    "Export",
    "ExportTarget",
    "Proof",
    "TargetLimits",
    "check",
    "export",
    "get_target",
    "get_targets",
]
