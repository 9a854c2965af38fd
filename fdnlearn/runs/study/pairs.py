"""One method held against one rival: quantity by quantity, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fdnlearn.runs.study.quantities import COMPARED, Compared
from fdnlearn.runs.study.statistics import compare_pairs, holm

#: Significance, after Holm's correction over the judged quantities of a pair.
LEVEL = 0.05

#: With fewer rooms the smallest p that the signed-rank test can give, 2^(1 - rooms), is corrected to above `LEVEL`.
FEWEST_ROOMS = 1 + math.ceil(math.log2(sum(c.judged for c in COMPARED) / LEVEL))

Pair = tuple[Sequence[float], Sequence[float]]


def held_against(method: str, rival: str, errors: Mapping[str, Pair]) -> dict[str, Any]:
    """Compare two methods over rooms.

    Parameters
    ----------
    method, rival : str
    errors : mapping
        `Compared.key` -> errors of `method` and of `rival` in the rooms where the quantity counts (infinite: missed).

    Returns
    -------
    dict
        ``quantities``: medians, their difference, the median of the paired differences (rival minus method) with its
        interval, p, Holm-adjusted p, effect size, and ``finding``: ``better`` or ``worse`` (significantly so),
        ``worse median`` (by more than a quarter of a just-noticeable difference) or ``no worse``; None without rooms.
        ``never_worse`` and ``better_on`` sum up the ``judged`` quantities.
    """
    compared = {c.key: _quantity(c, *errors[c.key]) for c in COMPARED}
    judged = [compared[c.key] for c in COMPARED if c.judged and compared[c.key]["rooms"]]
    for row, adjusted in zip(judged, holm([row["p"] for row in judged]), strict=True):
        row["p_holm"] = adjusted
        row["finding"] = _finding(row)
    return {
        "method": method,
        "rival": rival,
        "quantities": compared,
        "judged": len(judged),
        "never_worse": all(not row["worse_median"] for row in judged) if judged else None,
        "better_on": sum(row["finding"] == "better" for row in judged),
        "worse_on": sum(row["finding"] == "worse" for row in judged),
    }


def _quantity(compared: Compared, method: Sequence[float], rival: Sequence[float]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "rooms": len(method),
        "median": None,
        "rival_median": None,
        "worse_median": None,
        "median_difference": None,
        "interval": None,
        "p": None,
        "p_holm": None,
        "effect": None,
        "finding": None,
    }
    if not method:
        return row
    own, other = float(np.median(method)), float(np.median(rival))
    paired = compare_pairs(method, rival)
    return row | {
        "median": own,
        "rival_median": other,
        # Two infinite medians are equally bad: their difference is no number, and no comparison holds for it.
        "worse_median": bool(own - other > compared.tolerance),
        "median_difference": paired.median_difference,
        "interval": paired.interval,
        "p": paired.p,
        "effect": paired.effect,
    }


def _finding(row: Mapping[str, Any]) -> str:
    if row["p_holm"] < LEVEL:
        return "better" if row["effect"] > 0.0 else "worse"
    return "worse median" if row["worse_median"] else "no worse"
