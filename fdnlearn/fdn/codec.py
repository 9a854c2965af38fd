"""The contract as JSON: deterministic bytes out, one clear refusal for every file that is not a valid network."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from fdnlearn.base import documents
from fdnlearn.base.documents import MAX_DEPTH, DocumentKind
from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.files import write_text
from fdnlearn.base.replacing import replacing
from fdnlearn.fdn.contract import FDN, FORMAT, VERSION

KIND = DocumentKind(
    FORMAT,
    VERSION,
    give="give an FDN as JSON",
    none="this is not an FDN file",
    damaged="export or fit it again",
    tags=frozenset({"per_line_gain", "reverberation_time", "sparse", "fir"}),
)


def load_fdn(path: str | os.PathLike[str]) -> FDN:
    """Read a network from a JSON file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    FDN
        Valid and proved stable.

    Raises
    ------
    FdnlearnError
        One line naming the file, the field, the problem and the remedy, whatever the file holds.
    """
    return loads_fdn(documents.read_bytes(path), str(path))


def loads_fdn(data: bytes | str, name: str = "FDN") -> FDN:
    """Parse a network from JSON text; `name` is what an error calls it.

    Raises
    ------
    FdnlearnError
        As `load_fdn`.
    """
    return documents.loads_document(data, FDN, KIND, name)


def save_fdn(fdn: FDN, path: str | os.PathLike[str]) -> None:
    """Write a network as JSON, atomically: the file is complete or untouched. Equal networks give equal bytes.

    Raises
    ------
    FdnlearnError
        If the folder cannot be written or the provenance is not JSON.
    """
    text = dumps_fdn(fdn)
    with replacing(Path(path)) as partial:
        write_text(partial, text)


def dumps_fdn(fdn: FDN) -> str:
    """JSON text of a network: fields in the order of the contract, shortest round-trip numbers, one row a line.

    Raises
    ------
    FdnlearnError
        If the provenance holds NaN, infinity or nests too deeply.
    """
    try:
        document = fdn.model_dump(mode="python")
        if documents.depth(document) > MAX_DEPTH:
            raise RecursionError
        document["delays_samples"] = [int(m) if m == int(m) else m for m in document["delays_samples"]]
        return _pretty(document, "") + "\n"
    except (ValueError, TypeError, RecursionError):
        raise FdnlearnError(
            "provenance",
            "cannot be written as JSON (NaN, infinity, or nested too deeply)",
            "keep plain finite values",
        ) from None


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the format. Shapes, orthogonality and stability are checked beyond it."""
    return documents.json_schema(FDN, "fdnlearn feedback delay network", "format", "version")


def _pretty(value: Any, indent: str) -> str:
    """Objects over several lines; an array of arrays one row a line, everything inside on one line."""
    inner = indent + "  "
    if isinstance(value, dict) and value:
        items = (f"{inner}{json.dumps(str(key))}: {_pretty(item, inner)}" for key, item in value.items())
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    if isinstance(value, (list, tuple)) and any(isinstance(item, (list, tuple, dict)) for item in value):
        return (
            "[\n" + ",\n".join(inner + json.dumps(item, allow_nan=False) for item in value) + f"\n{indent}]"
        )
    return json.dumps(value, allow_nan=False)
