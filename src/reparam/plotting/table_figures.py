"""Figures of a table: real rows beside drawn ones, and the rows that a model finds least likely.

Tables are pandas frames; scores are log-probabilities in nats.

>>> import pandas as pd
>>> real = pd.DataFrame({"size": [1.5, 2.5, 3.5, 4.0] * 9, "kind": ["a", "b", "b", None] * 9})
>>> [axes.get_title(loc="left") for axes in marginals(real, real.dropna()).axes]
['size', 'kind']
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ..evaluation.column_distances import is_number, kolmogorov_smirnov, numbers, total_variation
from .associations import associations
from .cells import texts
from .score_figures import score_histogram as score_histogram, strangest_cells as strangest_cells
from .style import (
    BLUE,
    FAINT,
    INK,
    LABEL,
    ORANGE,
    TICK,
    Array,
    compact,
    empty,
    headed,
    plain,
    short,
    titled,
    with_minus,
)

if TYPE_CHECKING:
    import pandas as pd

PANELS = 12  # the most columns in `marginals`
BARS, VALUES = 8, 12  # the most categories, and different whole numbers, that are bars
BINS = 24
IN_CELLS = 9  # the most columns whose associations are written as numbers
ASSOCIATED = 24  # the most columns in `correlations`
LOOKS: list[dict[str, Any]] = [
    {"facecolor": f"{BLUE}73", "edgecolor": "none", "linewidth": 0, "fill": True},
    {"facecolor": "none", "edgecolor": ORANGE, "linewidth": 1.5, "fill": False},
]
"""Of real and of drawn rows."""
SIGNED = LinearSegmentedColormap.from_list(
    "signed", [(0.0, ORANGE), (0.5, f"{ORANGE}00"), (0.5, f"{BLUE}00"), (1.0, BLUE)]
)
"""From -1 to 1: stronger colours for stronger associations, transparent at 0."""


def marginals(real: "pd.DataFrame", drawn: "pd.DataFrame") -> Figure:
    """The distribution of each column in real and drawn rows, their distance above it: Kolmogorov-Smirnov
    for numbers, total variation for categories. Of more than PANELS columns those that differ the most."""
    every = {str(name): distance(real[name], drawn[name]) for name in real.columns}
    found = {name: each for name, each in every.items() if np.isfinite(each[1])}
    worst = sorted(found, key=lambda name: -found[name][1])[:PANELS]
    names = [name for name in found if name in worst]
    columns = max(1, min(len(names), 3))
    rows = -(-len(names) // columns)
    figure = empty(2.75 * columns + 0.2, 1.9 * rows + 0.4)
    words = f"marginals of {len(real):,} real and {len(drawn):,} drawn rows"
    words += f", the {PANELS} of {len(found)} columns that differ the most" if len(names) < len(found) else ""
    headed(figure, words)
    for place, name in enumerate(names, 1):
        axes = figure.add_subplot(rows, columns, place)
        plain(axes)
        titled(axes, short(name, 18), _marginal(axes, real[name], drawn[name]))
        axes.title.set_fontsize(LABEL)
        axes.xaxis.label.set_fontsize(TICK)
        measure, value = found[name]
        axes.set_title(f"{measure} {value:.2f}", loc="right", fontsize=TICK, color=INK)
    handles = [Patch(**look) for look in LOOKS]
    figure.legend(
        handles,
        ["real", "drawn"],
        loc="outside upper right",
        ncols=2,
        frameon=False,
        fontsize=TICK,
        labelcolor=INK,
    )
    return figure


def distance(real: "pd.Series[Any]", drawn: "pd.Series[Any]") -> tuple[str, float]:
    """How far the known cells of two columns differ, from 0 to 1: ("KS", that of Kolmogorov and Smirnov) for
    numbers, ("TV", total variation) for categories; NaN where one holds none."""
    if real.isna().all() or drawn.isna().all():
        return "", float("nan")
    if is_number(real):
        return "KS", kolmogorov_smirnov(*(numbers(each.dropna()) for each in (real, drawn)))
    _, shares = _shares(real, drawn)
    return "TV", total_variation(*shares)


def _shares(real: "pd.Series[Any]", drawn: "pd.Series[Any]") -> tuple[list[str], Array]:
    """Every value as text, the most frequent real one first, and its share of known cells, (2, values)."""
    both = [texts(real), texts(drawn)]
    values, codes = np.unique(np.array(both[0] + both[1]), return_inverse=True)
    split = codes[: len(both[0])], codes[len(both[0]) :]
    shares = np.stack([np.bincount(each, minlength=len(values)) / len(each) for each in split])
    order = np.argsort(-shares[0], kind="stable")
    return [str(value) for value in values[order]], shares[:, order]


def _missing(values: "pd.Series[Any]") -> str:
    share = float(values.isna().mean())
    return f"{100 * share:.2g} % missing" if share else ""


def _marginal(axes: Axes, real: "pd.Series[Any]", drawn: "pd.Series[Any]") -> str:
    """Draw it; returns what is not drawn, in words."""
    if not is_number(real):
        _bars(axes, *_shares(real, drawn))
        return _missing(real)
    a, b = (numbers(each.dropna()) for each in (real, drawn))
    dates, levels = real.dtype.kind == "M", np.unique(np.concatenate([a, b]))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    if len(levels) <= VALUES and not dates and not np.any(levels % 1):
        for values, look in zip((a, b), LOOKS, strict=True):
            axes.bar(range(len(levels)), [(values == level).mean() for level in levels], width=0.8, **look)
        axes.set_xticks(range(len(levels)), [f"{level:g}" for level in levels])
        return _missing(real)
    edges = bins(a)
    for values, look in zip((a, b), LOOKS, strict=True):
        shares = np.histogram(values, edges)[0] / len(values)
        axes.stairs(shares, edges, **look)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=not np.any(levels % 1)))
    axes.xaxis.set_major_formatter(lambda value, _: compact(value))
    if dates:
        locator = AutoDateLocator(maxticks=5)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_ylim(bottom=0)
    beyond = float(((a < edges[0]) | (a > edges[-1])).mean())
    return ", ".join(filter(None, [_missing(real), f"{100 * beyond:.2g} % beyond" if beyond else ""]))


def bins(values: Array) -> Array:
    """Edges of about BINS bins over the values, without a tail further than eight interquartile ranges from
    the quartiles; whole numbers have bins of whole numbers."""
    first, third = np.quantile(values, [0.25, 0.75])
    reach = 8 * (third - first) or np.inf
    low, high = max(values.min(), first - reach), min(values.max(), third + reach)
    if np.any(values % 1) or high - low < 1:
        return np.linspace(low, high if high > low else low + 1, BINS + 1)
    step = np.ceil((high - low + 1) / BINS)
    return np.arange(np.floor(low), high + step + 0.5, step) - 0.5


def _bars(axes: Axes, names: Sequence[str], shares: Array) -> None:
    """Horizontal, the most frequent at the top; rare categories as one."""
    if len(names) > BARS:
        rest = shares[:, BARS - 1 :].sum(1, keepdims=True)
        names = [*names[: BARS - 1], f"{len(names) - BARS + 1} others"]
        shares = np.concatenate([shares[:, : BARS - 1], rest], axis=1)
    places = np.arange(len(names))
    for each, look in zip(shares, LOOKS, strict=True):
        axes.barh(places, each, height=0.78, **look)
    axes.set_yticks(places, [short(name, 14) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def correlations(real: "pd.DataFrame", drawn: "pd.DataFrame") -> Figure:
    """The association of each pair of columns (`associations.py`) in real rows, in drawn rows, and the
    difference; of the first ASSOCIATED columns."""
    names = [str(name) for name in real.columns][:ASSOCIATED]
    found = [associations(frame[names]) for frame in (real, drawn)]
    change = found[1] - found[0]
    mean = np.abs(change[np.tril_indices(len(names), -1)])
    size = (len(names) - 1) * (0.4 if len(names) <= IN_CELLS else 0.2)
    size = float(np.clip(size, 1.5, 4.5))
    figure = empty(3 * size + 1.4, size + 1.75)
    some = f"the first {ASSOCIATED} of {real.shape[1]} columns" if real.shape[1] > len(names) else "columns"
    headed(figure, f"association of each pair of {some}: Pearson's r, Cramér's V, correlation ratio")
    off = (
        f"drawn \N{MINUS SIGN} real, mean absolute {np.nanmean(mean):.2f}" if np.isfinite(mean).any() else ""
    )
    panels = dict(zip(["real", "drawn", off], [*found, change], strict=True))
    axes = [figure.add_subplot(1, 3, place) for place in (1, 2, 3)]
    for each, (title, values) in zip(axes, panels.items(), strict=True):
        image = _triangle(each, values, names, labelled=title == "real")
        each.set_title(title, loc="left", fontsize=LABEL, color=INK)
    bar = figure.colorbar(
        image, ax=axes, location="bottom", shrink=0.3, aspect=32, pad=0.03, ticks=[-1, -0.5, 0, 0.5, 1]
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=3, width=0.8, color=FAINT, labelsize=TICK, labelcolor=INK)
    return figure


def _triangle(axes: Axes, values: Array, names: Sequence[str], labelled: bool) -> Any:
    """The lower triangle (C, C), without the diagonal, numbers in the cells where they are few."""
    below = np.tril(np.ones(values.shape, dtype=bool), -1)
    shown = np.where(below, values, np.nan)[1:, :-1]
    image = axes.imshow(shown, cmap=SIGNED, vmin=-1, vmax=1)
    n = len(shown)
    for i, j in zip(*np.nonzero(below[1:, :-1]), strict=True):
        box: dict[str, Any] = {"fill": False, "edgecolor": FAINT, "linewidth": 0.5, "clip_on": False}
        axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, **box))
        if len(names) <= IN_CELLS and np.isfinite(shown[i, j]):
            strong = abs(shown[i, j]) > 0.8
            text = with_minus(f"{shown[i, j]:z.2f}")
            axes.text(
                j, i, text, ha="center", va="center", fontsize=TICK - 1.5, color="white" if strong else INK
            )
    axes.set_xticks(
        range(n), [short(name, 16) for name in names[:-1]], rotation=45, ha="right", rotation_mode="anchor"
    )
    axes.set_yticks(range(n), [short(name, 16) for name in names[1:]] if labelled else [""] * n)
    axes.tick_params(length=0, labelsize=TICK, labelcolor=INK)
    axes.spines[:].set_visible(False)
    return image
