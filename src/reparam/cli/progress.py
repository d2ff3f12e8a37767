"""How far a command is: the epochs of a training, and the rows of a long pass."""

import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from .terminal import note, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..training.loggers import Tracker
    from ..training.trainer import Progress

SLOW = 3.0
"""Seconds after which a pass over rows shows how far it is."""


def show_progress(training: "Iterable[Progress]", trackers: "list[Tracker]", quiet: bool) -> None:
    """Run a training with a progress bar, or with --verbose a line for each epoch; trackers log each."""
    from ..training.display import epochs_shown

    try:
        for progress in epochs_shown(training, 0 if quiet or settings.quiet else 1 + settings.verbose):
            for tracker in trackers:
                tracker.log(progress)
    except KeyboardInterrupt:
        note("stopped; the same command with --resume continues")
        raise
    finally:
        for tracker in trackers:
            tracker.close()


@contextmanager
def rows_shown() -> "Iterator[None]":
    """Inside, a pass over rows that has taken SLOW seconds shows on the terminal how far it is."""
    if settings.quiet or not sys.stderr.isatty():
        yield
        return
    from ..evaluation.passes import watched
    from ..stopwatch import Stopwatch

    watch, bar = Stopwatch(), ExitStack()
    update: Callable[[int, int], None] | None = None

    def tell(done: int, n: int) -> None:
        nonlocal update
        if update is None and watch.read() >= SLOW:
            update = bar.enter_context(row_bar())
        if update is not None:
            update(done, n)

    with bar, watched(tell):
        yield


@contextmanager
def row_bar() -> "Iterator[Callable[[int, int], None]]":
    """A bar on stderr that is gone afterwards; what is given takes the rows done and all rows."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("rows"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("rows", total=None)
        yield lambda done, n: bar.update(task, completed=done, total=n)
