"""Figures of scores: how likely each row is under a model, and which cells make a row unlikely."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from .cells import decimals, text
from .style import (
    BLUE,
    FAINT,
    INK,
    ORANGE,
    TICK,
    Array,
    caption,
    empty,
    finish,
    grid,
    numbers,
    short,
    titled,
)

if TYPE_CHECKING:
    import pandas as pd

BINS = 40
SURPRISING = 2.0  # nats below the column's median from which a cell is highlighted
FULL = 10.0  # nats from which its colour is full
IN_A_ROW = 3  # the most highlighted cells in a row
COLUMNS = 9  # the most columns of a table in a picture
LETTERS = 16  # the most letters of a cell
LETTER, LINE = 0.078, 0.42  # inches: the width of a letter, and the height of a row


def score_histogram(scores: ArrayLike, threshold: float | None = None, name: str = "log p(x)") -> Figure:
    """The scores of rows (n,) in nats; `threshold`: rows below it are the anomalies. What is not finite, and
    a tail far to the left, is counted and not drawn."""
    known = np.asarray(scores, dtype=float)
    finite = known[np.isfinite(known)]
    low, high = _window(finite)
    figure = empty(5, 3)
    words = f"{name} of {len(known):,} row{'s' * (len(known) != 1)}"
    if left := int((known < low).sum()):
        words += f"; {left} further left"
    caption(figure, words)
    axes = figure.add_subplot()
    edges = _edges(low, high, low if threshold is None else threshold)
    counts, _ = np.histogram(finite, edges)
    left_of = edges[1:] <= (-np.inf if threshold is None else threshold + 1e-9 * (high - low))
    colours = np.where(left_of, ORANGE, BLUE).tolist()
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=colours, alpha=0.75, linewidth=0)
    if threshold is not None:
        below = int((known < threshold).sum())
        axes.axvline(threshold, color=ORANGE, linewidth=1.5)
        (value,) = numbers([threshold], 1)
        text = f"{below} rows below {value} ({100 * below / len(known):.2g} %)"
        axes.annotate(
            text,
            (threshold, 1),
            (4, -2),
            xycoords=("data", "axes fraction"),
            va="top",
            textcoords="offset points",
            fontsize=TICK,
            color=INK,
        )
        axes.set_ylim(0, 1.18 * max(counts.max(), 1))
    grid(axes)
    finish(axes, words, f"{name}, nats per datum", "rows")
    return figure


def _window(finite: Array) -> tuple[float, float]:
    """From the lowest score, or five interquartile ranges under the median, to the highest."""
    if not len(finite):
        return 0.0, 1.0
    low, middle, high = np.quantile(finite, [0.25, 0.5, 0.75])
    least, most = max(finite.min(), middle - 5 * (high - low)), finite.max()
    return (float(least), float(most)) if most > least else (float(most) - 0.5, float(most) + 0.5)


def _edges(low: float, high: float, through: float) -> Array:
    """BINS bins from low to high, moved so that `through` is one of their edges."""
    width = (high - low) / BINS
    start = through - np.ceil((through - low) / width - 1e-9) * width
    edges: Array = start + width * np.arange(np.ceil((high - start) / width - 1e-9) + 1)
    edges[-1] = max(edges[-1], high)
    return edges


class Strangest(NamedTuple):
    """Row numbers (m,), the least likely first, how many nats each of their cells lies below its column's
    median, (m, C), and which are highlighted, (m, C)."""

    rows: Array
    surprise: Array
    cells: Array


def strangest(scores: ArrayLike, cells: ArrayLike, rows: int = 8) -> Strangest:
    """The rows with the lowest scores (n,), and their cells with the lowest log-probability (n, C), relative
    to the median of the column: at most IN_A_ROW of them, SURPRISING nats or more, and always one.

    >>> strangest([-9.0, -1.0], [[-8.0, -1.0], [-0.5, -0.5]], rows=1).cells.tolist()
    [[True, False]]
    """
    scores, cells = np.asarray(scores, dtype=float), np.asarray(cells, dtype=float)
    chosen = np.argsort(scores, kind="stable")[: min(rows, int((~np.isnan(scores)).sum()))]
    known = [column[~np.isnan(column)] for column in cells.T]
    with np.errstate(invalid="ignore"):
        surprise = np.array([np.median(each) if len(each) else np.nan for each in known]) - cells[chosen]
    filled = np.nan_to_num(surprise, nan=-np.inf)
    rank = np.argsort(np.argsort(-filled, axis=1, kind="stable"), axis=1)
    marked = (rank < IN_A_ROW) & (filled >= SURPRISING) | (rank == 0) & (filled > -np.inf)
    return Strangest(chosen, surprise, marked)


def strangest_cells(
    frame: "pd.DataFrame",
    scores: ArrayLike,
    cells: ArrayLike,
    expected: "pd.DataFrame | None" = None,
    rows: int = 8,
    name: str = "log p(x)",
) -> Figure:
    """The least likely rows as a table, their strangest cells in colour with what was expected there.

    `frame` (n, C), `scores` (n,) and `cells` (n, C) in nats, NaN where missing; `expected` has one row for
    each row that is shown, in the order of `strangest`. The index of the frame names the rows.
    """
    found = strangest(scores, cells, rows)
    columns = [Cells.of_names(frame.index[found.rows])]
    for j in _columns(found):
        columns.append(
            Cells.of(frame.iloc[:, j], None if expected is None else expected.iloc[:, j], found, j)
        )
    totals = numbers(np.asarray(scores, dtype=float)[found.rows], 1)
    columns.append(Cells(name, totals, right=True))
    widths = [column.width for column in columns]
    figure = empty(sum(widths) + 0.2, LINE * (len(found.rows) + 1) + 0.6)
    words = (
        f"the {len(found.rows)} least likely rows; in colour their cells that are unlikely for their column"
    )
    words += ", with the value expected there" if expected is not None else ""
    caption(figure, words)
    axes = figure.add_subplot()
    for column, left in zip(columns, np.cumsum([0.0, *widths]).tolist(), strict=False):
        column.draw(axes, left)
    axes.axhline(0, color=INK, linewidth=0.8, zorder=0)
    for place in range(1, len(found.rows) + 1):
        axes.axhline(place, color=FAINT, linewidth=0.5, zorder=0)
    axes.set(xlim=(0, sum(widths)), ylim=(len(found.rows), -0.8))
    axes.set_axis_off()
    titled(axes, words)
    return figure


def _columns(found: Strangest) -> list[int]:
    """The columns to show, in their order: those with highlighted cells first of all."""
    worst = np.where(found.cells, found.surprise, -1).max(axis=0)
    return np.sort(np.argsort(-worst, kind="stable")[:COLUMNS]).tolist()  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Cells:
    """A column of a drawn table: the texts of m cells, notes under them, and strengths of their colour, in
    [0, 1], of those that have one."""

    name: str
    texts: list[str]
    notes: list[str] | None = None
    strength: list[float] | None = None
    right: bool = False

    @classmethod
    def of_names(cls, index: Any) -> Self:
        return cls("row", [short(label, LETTERS) for label in index])

    @classmethod
    def of(
        cls, column: "pd.Series[Any]", expected: "pd.Series[Any] | None", found: Strangest, j: int
    ) -> Self:
        """Column j of a table, and what was expected in its highlighted cells."""
        digits, shown, marked = decimals(column), column.iloc[found.rows], found.cells[:, j]
        hopes = [None] * len(shown) if expected is None else [f"expected {text(v, digits)}" for v in expected]
        notes = [hope if hope and mark else "" for hope, mark in zip(hopes, marked, strict=True)]
        strength = np.where(marked, np.clip(found.surprise[:, j] / FULL, 0.35, 1.0), 0.0).tolist()
        texts, right = [text(value, digits) for value in shown], column.dtype.kind in "iuf"
        return cls(short(column.name, LETTERS), texts, notes, strength, right)

    @property
    def width(self) -> float:
        """Inches."""
        longest = max(map(len, [self.name, *self.texts, *(self.notes or [])]))
        return 0.24 + LETTER * longest

    def draw(self, axes: Axes, left: float) -> None:
        """At `left` inches; a row is 1 high, the names stand above 0."""
        x, side = (left + self.width - 0.1, "right") if self.right else (left + 0.1, "left")
        look: dict[str, Any] = {"ha": side, "va": "center", "color": INK}
        axes.text(x, -0.4, self.name, fontsize=TICK, weight="bold", **look)
        notes, strength = self.notes or [""] * len(self.texts), self.strength or [0.0] * len(self.texts)
        for row, (words, note, strong) in enumerate(zip(self.texts, notes, strength, strict=True)):
            if strong:
                box = Rectangle((left + 0.02, row + 0.06), self.width - 0.04, 0.88, linewidth=0)
                box.set(facecolor=ORANGE, alpha=0.6 * strong)
                axes.add_patch(box)
            weight = "bold" if strong else "normal"
            axes.text(x, row + (0.32 if note else 0.5), words, fontsize=TICK, weight=weight, **look)
            axes.text(x, row + 0.72, note, fontsize=TICK - 1.5, **look)
