"""Absorption families: versioned closed-form designs from reverberation times to one loop filter per line.

A family is one file and one line here. A published family never changes: a better one gets a new number.
"""

from __future__ import annotations

from fdnlearn.fdn.families.family import Family
from fdnlearn.fdn.families.flat_1 import FLAT_1
from fdnlearn.fdn.families.peq_1 import PEQ_1

FAMILIES: dict[str, Family] = {family.name: family for family in (FLAT_1, PEQ_1)}

__all__ = ["FAMILIES", "Family"]
