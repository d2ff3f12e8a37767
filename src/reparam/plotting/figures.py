"""Functions from arrays to a matplotlib `Figure` or an `Animation`. `model_plots.py` chooses which.

Only matplotlib's object interface is used: nothing is shown, no global state changes, and threads are safe.
Images are (n, *event) in [0, 1], events as in `mosaic.py`.

>>> figure = image_grid(np.random.default_rng(0).random((12, 8, 8)), columns=6, title="noise")
>>> figure.axes[0].get_title(loc="left")
'noise'
"""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import color_sequences, colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.stats import norm

from .mosaic import mosaic, picture

Array = NDArray[Any]
Decode = Callable[[Array], Array]  # codes (n, L) -> images (n, *event)
DPI, TILE = 150, 0.55  # dots an inch; inches a small tile
FRAME = 90  # milliseconds
TITLE, LABEL, TICK = 10, 9, 8  # font sizes in points
INK, FAINT, BLUE, ORANGE = "#333333", "#c8c8c8", "#2f7fc8", "#e8890c"
PARTS = {"KL (rate)": "rate", "reconstruction (distortion)": "distortion"}  # of the bound, and their keys
CLASSES = 20  # the most classes with different colours in a map


class Animation(NamedTuple):
    """An animated plot."""

    frames: Sequence[Image.Image]


def encoded(drawn: Figure | Animation) -> tuple[str, bytes]:
    """The file extension, png or gif, and the bytes."""
    buffer = io.BytesIO()
    if isinstance(drawn, Animation):
        first, *rest = drawn.frames
        first.save(buffer, format="gif", save_all=True, append_images=rest, duration=FRAME, loop=0)
        return "gif", buffer.getvalue()
    drawn.savefig(buffer, format="png", bbox_inches="tight", pad_inches=0.1)
    return "png", buffer.getvalue()


# common style


def empty(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=0.07, h_pad=0.07))


def finish(axes: Axes, title: str, x: str = "", y: str = "") -> None:
    """Set title, labels and plain style."""
    _plain(axes)
    _titled(axes, title, x, y)


def _titled(axes: Axes, title: str, x: str = "", y: str = "") -> None:
    axes.set_title(title, loc="left", fontsize=TITLE, color=INK)
    axes.set_xlabel(x, fontsize=LABEL, color=INK)
    axes.set_ylabel(y, fontsize=LABEL, color=INK)


def _plain(axes: Axes) -> None:
    """Thin grey spines on two sides and small ticks."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=FAINT, linewidth=0.8)
    axes.tick_params(length=3, width=0.8, color=FAINT, labelsize=TICK, labelcolor=INK)


def _shape(n: int) -> tuple[int, int]:
    """Rows and columns for n panels."""
    columns = max(n, 1) if n <= 3 else min(4, -(-n // 2))
    return max(1, -(-n // columns)), columns


def _numbers(values: Array) -> list[str]:
    return [f"{value:z.2f}".replace("-", "\N{MINUS SIGN}") for value in values]


# images


def _tile(images: Array) -> tuple[float, float]:
    """Width and height of a tile in inches; large images get up to twice the room."""
    height, width = picture(images[0], images.shape[1:]).shape[:2]
    unit = TILE * float(np.clip(max(height, width) / 32, 1, 2)) / max(height, width)
    return width * unit, height * unit


def _draw(
    axes: Axes, images: Array, columns: int, rows: Sequence[str] = (), names: Sequence[str] = ()
) -> None:
    """Draw all images as one, in units of tiles: each tile is centred at (column, row)."""
    canvas, n_rows = mosaic(images, columns), -(-len(images) // columns)
    aspect = columns * canvas.shape[0] / (n_rows * canvas.shape[1])
    axes.imshow(canvas, extent=(-0.5, columns - 0.5, n_rows - 0.5, -0.5), aspect=aspect)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0, labelsize=TICK, labelcolor=INK)
    axes.spines[:].set_visible(False)


def image_grid(
    images: ArrayLike,
    columns: int | None = None,
    title: str = "",
    row_labels: Sequence[object] | None = None,
    column_labels: Sequence[object] | None = None,
) -> Figure:
    """n images, row by row; about a square unless `columns` is given."""
    images = np.asarray(images)
    columns = columns or int(np.ceil(np.sqrt(len(images))))
    rows, names = [str(label) for label in row_labels or ()], [str(label) for label in column_labels or ()]
    (width, height), margin = _tile(images), 0.3 + 0.085 * max(map(len, rows), default=0)
    figure = empty(columns * width + margin, -(-len(images) // columns) * height + 0.8)
    axes = figure.add_subplot()
    _draw(axes, images, columns, rows, names)
    _titled(axes, title)
    return figure


def samples_by_epoch(
    samples: ArrayLike, epochs: Sequence[int], labels: Sequence[object] | None = None
) -> Figure:
    """(E, K, *event): samples after each epoch, one row per epoch, one column per label."""
    samples = np.asarray(samples)
    images, names = samples.reshape(-1, *samples.shape[2:]), [f"epoch {epoch}" for epoch in epochs]
    return image_grid(images, samples.shape[1], "samples by epoch", names, labels)


def reconstructions(X: ArrayLike, Xhat: ArrayLike, columns: int = 10) -> Figure:
    """Data above their reconstructions; beyond `columns` of them only complete further rows are shown."""
    X, Xhat = np.asarray(X), np.asarray(Xhat)
    columns = min(columns, len(X))
    rows = len(X) // columns
    pairs = np.stack([x[: rows * columns].reshape(rows, columns, *x.shape[1:]) for x in (X, Xhat)], axis=1)
    images = pairs.reshape(-1, *X.shape[1:])
    return image_grid(images, columns, "data and reconstructions", ["input", "output"] * rows)


def interpolation(images: ArrayLike, title: str = "interpolation between two codes") -> Figure:
    """(pairs, steps, *event): one row per pair, from one code to the other."""
    images = np.asarray(images)
    steps = images.shape[1]
    names = _numbers(np.linspace(0, 1, steps))
    figure = image_grid(images.reshape(-1, *images.shape[2:]), steps, title, column_labels=names)
    _titled(figure.axes[0], title, "weight of the second code")
    return figure


def comparison(panels: Mapping[str, ArrayLike]) -> Figure:
    """Several sets of images side by side, each under its name."""
    sets = {name: np.asarray(images) for name, images in panels.items()}
    sides = {name: int(np.ceil(np.sqrt(len(images)))) for name, images in sets.items()}
    width, height = np.max([np.multiply(sides[name], _tile(images)) for name, images in sets.items()], axis=0)
    rows, columns = _shape(len(sets))
    figure = empty(columns * (width + 0.3), rows * (height + 0.4))
    for place, (name, images) in enumerate(sets.items(), 1):
        axes = figure.add_subplot(rows, columns, place)
        _draw(axes, images, sides[name])
        _titled(axes, name)
    return figure


# codes


def manifold(decode: Decode, side: int = 15, title: str = "decoded latent plane") -> Figure:
    """A decoded plane of codes, in equal steps of probability under N(0, 1); z1 increases right, z2 up."""
    z = norm.ppf(np.linspace(0.05, 0.95, side))
    up, right = np.meshgrid(z[::-1], z, indexing="ij")
    images = np.asarray(decode(np.column_stack([right.ravel(), up.ravel()])))
    figure = image_grid(images, side, title, _numbers(z[::-1]), _numbers(z))
    _titled(figure.axes[0], title, "z1", "z2")
    return figure


def traversals(
    decode: Decode,
    z: ArrayLike,
    dims: Sequence[int],
    steps: int = 9,
    span: float = 3.0,
    title: str = "traversals",
) -> Figure:
    """One row per latent dimension, from -span to span while the others stay at `z`."""
    values = np.linspace(-span, span, steps)
    codes = np.tile(np.asarray(z, dtype=float).ravel(), (len(dims), steps, 1))
    for row, dim in enumerate(dims):
        codes[row, :, dim] = values
    images = np.asarray(decode(codes.reshape(len(dims) * steps, -1)))
    figure = image_grid(images, steps, title, [f"z{dim + 1}" for dim in dims], _numbers(values))
    _titled(figure.axes[0], title, "value of the dimension")
    return figure


def sweep(
    decode: Decode, z: ArrayLike, dims: Sequence[int], steps: int = 12, title: str = "traversal"
) -> Animation:
    """One tile per latent dimension; each moves through the quantiles 0.02 to 0.98 of N(0, 1) and back, in
    equal steps of probability, while the others stay at `z`."""
    shares = np.linspace(0.02, 0.98, steps)
    codes = np.tile(np.asarray(z, dtype=float).ravel(), (steps, len(dims), 1))
    codes[:, range(len(dims)), dims] = norm.ppf(shares)[:, None]
    images = np.asarray(decode(codes.reshape(steps * len(dims), -1)))
    images = images.reshape(steps, len(dims), *images.shape[1:])
    (width, height), frames = _tile(images[0]), []
    strip = float(np.clip(1.5 * width * len(dims), 3.5, 8.5))  # inches
    figure = empty(strip + 0.3, strip / len(dims) * height / width + 0.9)
    axes, canvas = figure.add_subplot(), FigureCanvasAgg(figure)
    _draw(axes, images[0], len(dims), names=[f"z{dim + 1}" for dim in dims])
    for share, row in zip(shares, images, strict=True):
        axes.images[0].set_data(mosaic(row, len(dims)))
        _titled(axes, title, f"each at quantile {share:.2f} of N(0, 1)")
        canvas.draw()  # type: ignore[no-untyped-call]
        figure.set_layout_engine("none")
        pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        frames.append(Image.fromarray(pixels[..., :3].copy()).quantize(64, dither=Image.Dither.NONE))
    return Animation([*frames, *frames[-2:0:-1]])


def _coloured(y: Array) -> tuple[Array, list[str] | None]:
    """One number per row, NaN without a label, and the class names, or None where `y` is a quantity."""
    if y.dtype.kind not in "iuf":
        text, codes = np.unique(y.astype(str), return_inverse=True)
        return codes.astype(float), list(text)
    names = np.unique(y[np.isfinite(y)])
    if len(names) > CLASSES or np.any(names % 1):
        return y.astype(float), None
    names = names[1:] if len(names) > 2 and names[0] == -1 else names  # -1: not labelled
    return np.where(np.isin(y, names), np.searchsorted(names, y), np.nan), [f"{name:.0f}" for name in names]


def latent_map(
    Z: ArrayLike, y: ArrayLike | None = None, axes: tuple[str, str] = ("z1", "z2"), title: str = ""
) -> Figure:
    """Codes (n, 2) as points, coloured by class, by quantity, or not; rows without a label are grey."""
    Z = np.asarray(Z, dtype=float)
    figure = empty(6, 5.2)
    plane = figure.add_subplot()
    alpha = float(np.clip(40 / np.sqrt(len(Z) + 1), 0.3, 0.8))
    look: dict[str, Any] = {"s": 5 + 4000 / (len(Z) + 80), "alpha": alpha, "linewidths": 0}
    values, names = (np.full(len(Z), np.nan), None) if y is None else _coloured(np.asarray(y))
    if np.isnan(values).all():
        plane.scatter(*Z.T, color=BLUE, **look)
    else:
        # Petroff's ten colours are safe for colour blindness; a continuous map for more classes
        n, scale, ends = len(names or ()), colormaps["viridis"], (np.nanmin(values), np.nanmax(values))
        if names is not None:
            ends = (-0.5, n - 0.5)
            scale = (
                ListedColormap(color_sequences["petroff10"][:n])
                if n <= 10
                else colormaps["turbo"].resampled(n)
            )
        limits = Normalize(float(ends[0]), float(ends[1]))
        colours = np.where(np.isnan(values)[:, None], to_rgba(FAINT), scale(limits(values)))
        order = np.random.default_rng(0).permutation(len(Z))  # so that no class lies on top
        plane.scatter(*Z[order].T, color=colours[order], **look)
        bar = figure.colorbar(ScalarMappable(limits, scale), ax=plane, shrink=0.8, aspect=28, pad=0.02)
        bar.outline.set_visible(False)
        if names is not None:
            every = -(-n // 30)
            bar.set_ticks(range(0, n, every), labels=names[::every])
        bar.ax.tick_params(length=0 if names else 3, labelsize=TICK, labelcolor=INK)
    plane.set_aspect("equal", adjustable="datalim")
    _plain(plane)
    _titled(plane, title, *axes)
    return figure


# training


def _curve(rows: Sequence[Mapping[str, Any]], key: str) -> Array:
    """One number per epoch; None becomes NaN, which is not drawn."""
    return np.array([np.nan if row.get(key) is None else row[key] for row in rows], dtype=float)


def losses(history: Sequence[Mapping[str, Any]]) -> Figure:
    """What was minimised, term by term; the bound, where no term is it; rate and distortion."""
    from ..objectives import title_of

    epochs, terms = _curve(history, "epoch"), [row.get("terms") or {} for row in history]
    bound, held_out = -_curve(history, "bound"), -_curve(history, "validation")

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
    rows, columns = _shape(len(panels))
    figure = empty(3.2 * columns, 2.7 * rows)
    look: dict[str, Any] = {"linewidth": 1.5, "markersize": 4, "marker": "o" if len(epochs) < 3 else None}
    for place, (title, values) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(rows, columns, place)
        axes.plot(epochs, values, color=BLUE, label="training", **look)
        if np.isfinite(held_out).any() and is_bound(values):
            axes.plot(epochs, held_out, color=ORANGE, label="held out", **look)
            axes.legend(frameon=False, fontsize=TICK, labelcolor=INK)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
        axes.grid(axis="y", color=FAINT, linewidth=0.5, alpha=0.5)
        _plain(axes)
        _titled(axes, title, "epoch", units.get(title, "nats per datum"))
        axes.set_title(f"{values[np.isfinite(values)][-1]:.4g}", loc="right", fontsize=LABEL, color=BLUE)
    return figure
