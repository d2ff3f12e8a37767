"""Figures of a fit: the losses by epoch, and the bound by the number of importance samples."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator

from .style import (
    BLUE,
    FAINT,
    INK,
    LABEL,
    ORANGE,
    TICK,
    Array,
    caption,
    empty,
    finish,
    grid,
    shape,
    with_minus,
)

PARTS = {"KL (rate)": "rate", "reconstruction (distortion)": "distortion"}  # of the bound, and their keys


def _curve(rows: Sequence[Mapping[str, Any]], key: str) -> Array:
    """One number per epoch; None becomes NaN, which is not drawn."""
    return np.array([np.nan if row.get(key) is None else row[key] for row in rows], dtype=float)


def losses(history: Sequence[Mapping[str, Any]]) -> Figure:
    """What was minimised, term by term; the bound, where no term is it; rate and distortion. A dashed line
    stands where training goes on from the best epoch, over all rows."""
    from ..objectives import title_of

    epochs, terms = _curve(history, "epoch"), [row.get("terms") or {} for row in history]
    bound, held_out = -_curve(history, "bound"), -_curve(history, "validation")

    computed = np.isfinite(held_out)  # not after each epoch, where epochs are short
    stops = [row["epoch"] for row in history if row.get("stopped")]

    def is_bound(values: Array) -> bool:
        return np.allclose(values, bound, rtol=1e-3, equal_nan=True)

    names = dict.fromkeys(name for row in terms for name in row)
    titles = {name: title_of(name) for name in names}
    units = {title: unit for title, unit in titles.values()}
    panels = {titles[name][0]: _curve(terms, name) for name in names}
    if not any(map(is_bound, panels.values())):
        panels["negative bound"] = bound
    panels |= {title: _curve(history, key) for title, key in PARTS.items()}
    panels = {title: values for title, values in panels.items() if np.isfinite(values).any()}
    rows, columns = shape(len(panels))
    figure = empty(3.1 * columns, 2.4 * rows)
    caption(figure, "training curves: means over the data at each epoch, the last value at the right")
    look: dict[str, Any] = {"linewidth": 1.5, "markersize": 4, "marker": "o" if len(epochs) < 3 else None}
    for place, (title, values) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(rows, columns, place)
        axes.plot(epochs, values, color=BLUE, label="training", **look)
        for stop in stops:
            axes.axvline(stop, color=FAINT, linewidth=1, linestyle="--")
        if computed.any() and is_bound(values):
            axes.plot(epochs[computed], held_out[computed], color=ORANGE, label="held out", **look)
            axes.legend(frameon=False, fontsize=TICK, labelcolor=INK)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
        grid(axes)
        finish(axes, title, "epoch", units.get(title, "nats per datum"))
        axes.title.set_fontsize(LABEL)
        last = with_minus(f"{values[np.isfinite(values)][-1]:.4g}")
        axes.set_title(last, loc="right", fontsize=LABEL, color=BLUE)
    return figure


def bound_by_samples(bounds: Mapping[int, float]) -> Figure:
    """The importance-weighted bound in nats by the number of samples k: where it is flat, k is enough."""
    by_k = {k: bound for k, bound in bounds.items() if isfinite(bound)}
    figure = empty(5, 3)
    words = "importance-weighted bound by number of samples k; flat where k is enough"
    caption(figure, words)
    axes = figure.add_subplot()
    axes.semilogx(list(by_k), list(by_k.values()), marker="o", markersize=4, linewidth=1.5, color=BLUE)
    axes.set_xticks(list(by_k), [str(k) for k in by_k])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    grid(axes)
    finish(axes, words, "samples k", "nats per datum")
    return figure
