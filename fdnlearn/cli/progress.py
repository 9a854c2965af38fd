"""A progress bar on a terminal, silence anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Shown:
    """What a bar shows.

    Attributes
    ----------
    doing : str
        In front of the bar.
    completed, total : int
    note : str
        Behind the bar.
    """

    doing: str
    completed: int
    total: int
    note: str = ""


@contextmanager
def progress_bar(title: str = "") -> Iterator[Callable[[Shown], None]]:
    """Give a function that shows how far something has come, on stderr."""
    if not sys.stderr.isatty():
        yield lambda shown: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        front = f"[bold]{escape(title)}[/bold] " if title else ""
        task = bar.add_task(f"{front}preparing", total=None, note="")

        def show(shown: Shown) -> None:
            bar.update(
                task,
                description=front + escape(shown.doing),
                completed=shown.completed,
                total=shown.total,
                note=escape(shown.note),
            )

        yield show
