"""The contract `FDN`: its JSON, its stability proof and its realisation at any sample rate. NumPy and pydantic only."""

from __future__ import annotations

from fdnlearn.fdn.absorption import PerLineGain, ReverberationTime
from fdnlearn.fdn.codec import dumps_fdn, json_schema, load_fdn, loads_fdn, save_fdn
from fdnlearn.fdn.contract import FDN, FDNArrays
from fdnlearn.fdn.families import FAMILIES
from fdnlearn.fdn.parts import FirEarly, Head, SparseEarly, Tap, ToneSection
from fdnlearn.fdn.realise import Realisation, realise
from fdnlearn.fdn.stability import StabilityProof, prove

__all__ = [
    "FAMILIES",
    "FDN",
    "FDNArrays",
    "FirEarly",
    "Head",
    "PerLineGain",
    "Realisation",
    "ReverberationTime",
    "SparseEarly",
    "StabilityProof",
    "Tap",
    "ToneSection",
    "dumps_fdn",
    "json_schema",
    "load_fdn",
    "loads_fdn",
    "prove",
    "realise",
    "save_fdn",
]
