"""Run a comparison: every method on every room with every seed, one after the other, for the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from fdnlearn.base.errors import UsageError
from fdnlearn.runs.ends import FAILED
from fdnlearn.runs.study.cells import Cell, CellFolder, Place
from fdnlearn.runs.study.fits import fit_cell, warm_up
from fdnlearn.runs.study.plan import Plan
from fdnlearn.runs.study.progress import StudyCallback, StudyProgress
from fdnlearn.runs.study.rooms import StudyRoom


@dataclass(frozen=True)
class StudyRun:
    """What there is of a comparison.

    Attributes
    ----------
    plan : Plan
    threads : int
        Of the kernels.
    rooms : tuple of StudyRoom
    cells : tuple of Cell
        Finished and failed ones, in the order of the plan.
    pending : int
        Cells that were not reached.
    """

    plan: Plan
    threads: int
    rooms: tuple[StudyRoom, ...]
    cells: tuple[Cell, ...]
    pending: int


def run_cells(
    plan: Plan,
    rooms: tuple[StudyRoom, ...],
    folder: CellFolder,
    callback: StudyCallback | None = None,
    *,
    clear: bool = False,
) -> StudyRun:
    """Fit every cell that `folder` does not hold yet.

    A room that cannot be read, or a fit that fails, becomes a failed cell and the rest goes on; failed cells are
    tried again the next time. Methods take turns within a room and seed, so that a machine that slows down does
    so for all of them.

    Parameters
    ----------
    plan : Plan
    rooms : tuple of StudyRoom
        The plan's recordings, as `load_rooms` gives them.
    folder : CellFolder
        One that is held.
    callback : callable, optional
    clear : bool
        Remove the cells that are there.

    Returns
    -------
    StudyRun

    Raises
    ------
    UsageError
        If there are fewer threads, or a method needs what is not installed.
    FdnlearnError
        If the folder holds cells with other settings, or a cell cannot be written.
    """
    places = [
        (room, method, Place(room.key, method.spec, seed))
        for room in rooms
        for seed in range(plan.seeds)
        for method in plan.methods
    ]
    known: dict[Place, Cell] = {}

    def stop(doing: str, _: object = None) -> bool:
        return callback is not None and callback(StudyProgress(len(known), len(places), doing))

    with _same_threads(plan.threads) as threads:
        for room, method, place in places:
            settings = plan.settings(method, place.seed, threads)
            if room.error is not None:
                known[place] = Cell(place, FAILED, settings, {"room": room.name, "reason": str(room.error)})
            elif not clear and (cell := folder.read(place, settings)) is not None:
                known[place] = cell
        folder.open(clear=clear)
        for cell in known.values():
            if not cell.finished:
                folder.write(cell)
        to_do = [entry for entry in places if entry[2] not in known]
        # All before the first fit: a method that cannot run is refused before time is spent on the others.
        for method in {method.spec: method for _, method, _ in to_do}.values():
            if stop(f"{method.spec}, compiling"):
                break
            warm_up(plan, method)
        for room, method, place in to_do:
            doing = f"{room.name}, {method.spec}, seed {place.seed}"
            if stop(doing):
                break
            settings = plan.settings(method, place.seed, threads)
            cell = fit_cell(plan, room, method, place, settings, partial(stop, doing))
            if cell is None:
                break
            folder.write(cell)
            known[place] = cell
    cells = tuple(known[place] for _, _, place in places if place in known)
    return StudyRun(plan, threads, rooms, cells, len(places) - len(cells))


@contextmanager
def _same_threads(wanted: int | None) -> Iterator[int]:
    """Let every method's kernels run on as many threads; torch's own pool would only spin beside them."""
    import numba
    import torch

    import fdnlearn.base.jit  # noqa: F401  (chooses Numba's threading layer before the first kernel runs)

    most = numba.config.NUMBA_NUM_THREADS
    if wanted is not None and wanted > most:
        raise UsageError(f"--threads {wanted}", f"only {most} are available", f"choose at most {most}")
    before, torch_before = numba.get_num_threads(), torch.get_num_threads()
    numba.set_num_threads(wanted or most)
    torch.set_num_threads(1)
    try:
        yield wanted or most
    finally:
        numba.set_num_threads(before)
        torch.set_num_threads(torch_before)
