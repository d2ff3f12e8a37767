"""Figures of codes: a map of the posterior means, and the KL of each latent dimension.

A code of two dimensions is shown as it is. More are shown in the plane of their first two principal
components: an orthogonal projection, so that distances have the unit of the code.

>>> points, shares = principal_plane(np.array([[0.0, 0.0, 1.0], [3.0, 4.0, 1.0]]))
>>> round(float(np.linalg.norm(points[0] - points[1])), 6), shares.round(2).tolist()
(5.0, [1.0, 0.0])
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import color_sequences, colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from .style import BLUE, FAINT, INK, LABEL, TICK, Array, caption, empty, finish, grid, plain, short, titled

CLASSES = 20  # the most whole numbers that are classes, not a quantity
NAMED = 60  # the most classes with a colour; the others are grey
IN_A_COLUMN = 20  # the most entries in a column of a legend
RASTER = 3000  # the most points that are drawn one by one in a vector graphic
UNLABELLED, OTHERS = "no label", "others"


def principal_plane(Z: ArrayLike) -> tuple[Array, Array]:
    """Codes (n, L), L > 1, in the plane of their first two principal components, (n, 2), and the share of
    the total variance on each axis, (2,); NaN where the codes do not vary. The larger tail points right
    and up."""
    Z = np.asarray(Z, dtype=float)
    centred = Z - Z.mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    axes, sizes = np.pad(axes, ((0, 2), (0, 0)))[:2], np.pad(sizes, (0, 2))
    points = centred @ axes.T
    points = points * np.where((points**3).sum(axis=0) < 0, -1, 1)
    total = np.square(sizes).sum()
    return points, np.square(sizes[:2]) / (total or np.nan)


def latent_map(
    Z: ArrayLike,
    y: ArrayLike | None = None,
    axes: tuple[str, str] = ("z1", "z2"),
    title: str = "",
    name: str = "",
) -> Figure:
    """Codes (n, 2) as points: by class with a legend, by quantity with a colour bar, or in one colour.

    Rows without a label are grey. `name` is that of y, above the legend or beside the bar.
    """
    Z = np.asarray(Z, dtype=float)
    figure = empty(6, 4.8)
    caption(figure, title)
    plane = figure.add_subplot()
    plain(plane)
    titled(plane, title, *axes)
    values, names = (np.full(len(Z), np.nan), None) if y is None else _coloured(np.asarray(y))
    if np.isnan(values).all():
        _points(plane, Z, to_rgba_array([BLUE] * len(Z)))
    elif names is None:
        scale, limits = colormaps["viridis"], Normalize(float(np.nanmin(values)), float(np.nanmax(values)))
        _points(plane, Z, _or_faint(values, scale(limits(values))))
        bar = figure.colorbar(ScalarMappable(limits, scale), ax=plane, shrink=0.8, aspect=28, pad=0.02)
        bar.outline.set_visible(False)
        bar.set_label(name, fontsize=LABEL, color=INK)
        bar.ax.tick_params(length=3, width=0.8, color=FAINT, labelsize=TICK, labelcolor=INK)
    else:
        colours = _class_colours(len(names))
        _points(plane, Z, _or_faint(values, colours[np.nan_to_num(values).astype(int)]))
        grey = OTHERS if len(names) == NAMED else UNLABELLED
        _legend(plane, names, colours, name, grey if np.isnan(values).any() else None)
    plane.set_aspect("equal", adjustable="datalim")
    return figure


def _coloured(y: Array) -> tuple[Array, list[str] | None]:
    """One number per row, NaN without a colour, and the class names, or None where `y` is a quantity."""
    if y.dtype.kind not in "iuf":
        y, absent = y.astype(str), np.array([value is None or value != value for value in y])
        found, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
        kept = np.sort(np.argsort(-counts, kind="stable")[:NAMED])
        shown = np.isin(codes, kept) & ~absent
        names = [str(found[i]) for i in kept if (shown & (codes == i)).any()]
        return np.where(shown, np.searchsorted(names, y), np.nan), names
    levels = np.unique(y[np.isfinite(y)])
    if len(levels) > CLASSES or np.any(levels % 1):
        return y.astype(float), None
    levels = levels[1:] if len(levels) > 2 and levels[0] == -1 else levels  # -1: not labelled
    return np.where(np.isin(y, levels), np.searchsorted(levels, y), np.nan), [f"{v:.0f}" for v in levels]


def _class_colours(n: int) -> Array:
    """(n, 4): up to ten of Petroff, which are safe for colour blindness; a rainbow for more."""
    few = ListedColormap(color_sequences["petroff10"])
    return np.asarray((few if n <= 10 else colormaps["turbo"].resampled(n))(range(n)))


def _or_faint(values: Array, colours: Array) -> Array:
    return np.where(np.isnan(values)[:, None], to_rgba_array(FAINT), colours)


def _points(plane: Axes, Z: Array, colours: Array) -> None:
    """Larger and more opaque where they are few; in random order, so that no class lies on top."""
    order = np.random.default_rng(0).permutation(len(Z))
    alpha = float(np.clip(40 / np.sqrt(len(Z) + 1), 0.3, 0.85))
    size = 5 + 4000 / (len(Z) + 80)
    drawn = plane.scatter(Z[order, 0], Z[order, 1], color=colours[order], s=size, alpha=alpha, linewidths=0)
    drawn.set_rasterized(len(Z) > RASTER)


def _legend(plane: Axes, names: Sequence[str], colours: Array, name: str, grey: str | None) -> None:
    """Outside at the right, in as many columns as it needs."""
    marks = [(short(each, 18), colour) for each, colour in zip(names, colours, strict=True)]
    marks += [(grey, to_rgba_array(FAINT)[0])] if grey else []
    look: dict[str, Any] = {"marker": "o", "linestyle": "", "markersize": 5.5, "markeredgewidth": 0}
    legend = plane.legend(
        [Line2D([], [], color=colour, **look) for _, colour in marks],
        [each for each, _ in marks],
        title=name or None,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        ncols=-(-len(marks) // IN_A_COLUMN),
        frameon=False,
        fontsize=TICK,
        title_fontsize=TICK,
        labelcolor=INK,
        handletextpad=0.3,
        columnspacing=1.0,
        alignment="left",
    )
    legend.get_title().set_color(INK)


def rates(values: Sequence[float], inactive: float = 0.01) -> Figure:
    """The mean KL of each latent dimension in nats, (L,), largest first; those below `inactive` are grey."""
    known = np.asarray(values, dtype=float)
    order = np.argsort(-np.nan_to_num(known, nan=-1), kind="stable")
    order = order[np.isfinite(known[order])]
    dead = int((known[order] < inactive).sum())
    words = "KL of each latent dimension, largest first"
    words += f"; {dead} of {len(order)} below {inactive:g} nats" if dead else ""
    figure = empty(5, 3)
    caption(figure, words)
    axes = figure.add_subplot()
    named = len(order) <= CLASSES
    colours = np.where(known[order] < inactive, FAINT, BLUE).tolist()
    axes.bar(range(1, len(order) + 1), known[order], width=0.75 if named else 1.0, color=colours)
    if named:
        axes.set_xticks(range(1, len(order) + 1), [f"z{i + 1}" for i in order])
    grid(axes)
    finish(axes, words, "latent dimension" if named else "rank", "nats per datum")
    return figure
