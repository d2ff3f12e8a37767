"""An epoch in words, and the bar of a training: on the terminal or in a notebook."""

import math
import re
import sys
from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .trainer import Progress

FIGURES = {"bound": "bound", "rate": "KL", "distortion": "reconstruction"}
"""The metrics of an epoch in a line of text."""
SUMMARY_WIDTH = 50
"""The characters of a line beside a progress bar."""


def epoch_summary(row: dict[str, Any]) -> str:
    """The metrics of one epoch as text. A bound that is a sum over classes is not minus KL minus
    reconstruction, so the loss stands beside it, with what adds up to it.

    >>> row = {"bound": -75.25, "rate": 20.0, "distortion": 55.25, "validation": None}
    >>> epoch_summary(row)
    'bound -75.25, KL 20.00, reconstruction 55.25 nats'
    >>> row |= {"summed": True, "loss": 77.25, "terms": {"ELBO": 75.25, "CrossEntropy": 2.0}, "bound": -71.5}
    >>> print(folded(epoch_summary(row)))
    bound -71.50 (summed over classes);
    loss 77.25 = KL 20.00 + reconstruction 55.25 +
    weighted cross-entropy 2.00 nats
    """
    figures = {word: row[name] for name, word in FIGURES.items() if row[name] is not None}
    if not row.get("summed") or row["bound"] is None:
        return f"{', '.join(in_words(figures))} nats"
    held_out = "" if row["validation"] is None else ", held out"
    bound = f"bound {figures.pop('bound'):.2f} (summed over classes{held_out})"
    return f"{bound}; {loss_summary(row['loss'], row['terms'], figures)} nats"


def loss_summary(loss: float, terms: dict[str, float], parts: dict[str, float]) -> str:
    """The loss as the sum of its terms; in place of the bound its `parts`, KL and reconstruction, if that is
    their sum, and else beside it: beta is not 1, or the bound is another one."""
    added = {name.replace("CrossEntropy", "weighted cross-entropy"): value for name, value in terms.items()}
    whole = sum(parts.values())
    bound = [name for name, value in added.items() if math.isclose(value, whole, rel_tol=1e-5, abs_tol=5e-3)]
    if not bound:
        return f"loss {loss:.2f} = {' + '.join(in_words(added))}; {', '.join(in_words(parts))}"
    added.pop(bound[0])
    return f"loss {loss:.2f} = {' + '.join(in_words(parts | added))}"


def in_words(figures: dict[str, float]) -> list[str]:
    return [f"{word} {value:.2f}" for word, value in figures.items()]


def folded(summary: str) -> str:
    """A summary of several parts on short lines, so that the bar beside it keeps its place."""
    parts = re.split("(?<=;) ", summary)
    if len(parts) == 1:
        return summary
    return "\n".join(line for part in parts for line in wrap(part, SUMMARY_WIDTH, break_on_hyphens=False))


def epochs_shown(training: "Iterable[Progress]", verbose: int) -> "Iterator[Progress]":
    """The training, shown on stderr as it goes: 0 nothing, 1 a bar from the first epoch on, in a notebook in
    its cell, 2 a line for each epoch."""
    if verbose != 1:
        for progress in training:
            if verbose:
                text = epoch_summary(progress.row())
                print(f"epoch {progress.epoch} of {progress.epochs}: {text}", file=sys.stderr)
            yield progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress as Bar, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    # FORCE_COLOR, which notebooks set for their commands, is no terminal on which a bar moves
    moves = None if sys.stderr.isatty() else False
    console = Console() if in_notebook() else Console(stderr=True, force_terminal=moves)
    bar = Bar(*columns, console=console)
    task, started = bar.add_task("epochs", total=None), False
    try:
        for progress in training:
            summary = epoch_summary(progress.row())
            bar.update(task, total=progress.epochs, completed=progress.epoch, description=folded(summary))
            bar.start()
            started = True
            yield progress
    finally:
        if started:
            bar.refresh()  # a notebook's bar is not when it stops
            bar.stop()


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this; its cell shows what is written to stdout."""
    return "ipykernel" in sys.modules
