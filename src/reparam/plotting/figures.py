"""Functions from arrays of images to a matplotlib `Figure` or an `Animation`. `model_plots.py` chooses which.

Images are (n, *event) in [0, 1], events as in `mosaic.py`. Figures of codes, of training and of tables have
files of their own; `latent_map` and `losses` can be had from here too.

>>> figure = image_grid(np.random.default_rng(0).random((12, 8, 8)), columns=6, title="noise")
>>> figure.axes[0].get_title(loc="left")
'noise'
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image
from scipy.special import ndtri

from .latent_figures import latent_map as latent_map
from .mosaic import mosaic, picture
from .style import (
    BLUE as BLUE,
    INK,
    TICK,
    Animation as Animation,
    Array,
    caption,
    empty as empty,
    encoded as encoded,
    finish as finish,
    numbers,
    shape,
    titled,
)
from .training_figures import losses as losses

Decode = Callable[[Array], Array]  # codes (n, L) -> images (n, *event)
TILE = 0.55  # inches of a small tile


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
    """Images (n, *event), row by row; about a square unless `columns` is given."""
    images = np.asarray(images)
    columns = columns or int(np.ceil(np.sqrt(len(images))))
    rows, names = [str(label) for label in row_labels or ()], [str(label) for label in column_labels or ()]
    (width, height), margin = _tile(images), 0.3 + 0.085 * max(map(len, rows), default=0)
    figure = empty(columns * width + margin, -(-len(images) // columns) * height + 0.8)
    caption(figure, title)
    axes = figure.add_subplot()
    _draw(axes, images, columns, rows, names)
    titled(axes, title)
    return figure


def samples_by_epoch(
    samples: ArrayLike, epochs: Sequence[int], labels: Sequence[object] | None = None
) -> Figure:
    """(E, K, *event): samples after each epoch, one row per epoch, one column per label."""
    samples = np.asarray(samples)
    images, names = samples.reshape(-1, *samples.shape[2:]), [f"epoch {epoch}" for epoch in epochs]
    return image_grid(images, samples.shape[1], "samples by epoch", names, labels)


def reconstructions(X: ArrayLike, Xhat: ArrayLike, columns: int = 10) -> Figure:
    """Data X (n, *event) above their reconstructions Xhat; beyond `columns` of them only complete further
    rows are shown."""
    X, Xhat = np.asarray(X), np.asarray(Xhat)
    columns = min(columns, len(X))
    rows = len(X) // columns
    pairs = np.stack([x[: rows * columns].reshape(rows, columns, *x.shape[1:]) for x in (X, Xhat)], axis=1)
    images = pairs.reshape(-1, *X.shape[1:])
    return image_grid(images, columns, "data and their reconstructions", ["data", "reconstruction"] * rows)


def interpolation(images: ArrayLike, title: str = "interpolation between two codes") -> Figure:
    """(pairs, steps, *event): one row per pair, from one code to the other."""
    images = np.asarray(images)
    steps = images.shape[1]
    names = numbers(np.linspace(0, 1, steps))
    figure = image_grid(images.reshape(-1, *images.shape[2:]), steps, title, column_labels=names)
    titled(figure.axes[0], title, "weight of the second code")
    return figure


def comparison(panels: Mapping[str, ArrayLike]) -> Figure:
    """Several sets of images (n, *event) side by side, each under its name."""
    sets = {name: np.asarray(images) for name, images in panels.items()}
    sides = {name: int(np.ceil(np.sqrt(len(images)))) for name, images in sets.items()}
    width, height = np.max([np.multiply(sides[name], _tile(images)) for name, images in sets.items()], axis=0)
    rows, columns = shape(len(sets))
    figure = empty(columns * (width + 0.3), rows * (height + 0.4))
    caption(figure, "samples of several models")
    for place, (name, images) in enumerate(sets.items(), 1):
        axes = figure.add_subplot(rows, columns, place)
        _draw(axes, images, sides[name])
        titled(axes, name)
    return figure


# codes


def manifold(decode: Decode, side: int = 15, title: str = "decoded latent plane") -> Figure:
    """A decoded plane of codes (n, 2), in equal steps of probability under N(0, 1); z1 increases right, z2
    up."""
    z = ndtri(np.linspace(0.05, 0.95, side))
    up, right = np.meshgrid(z[::-1], z, indexing="ij")
    images = np.asarray(decode(np.column_stack([right.ravel(), up.ravel()])))
    figure = image_grid(images, side, title, numbers(z[::-1]), numbers(z))
    titled(figure.axes[0], title, "z1", "z2")
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
    figure = image_grid(images, steps, title, [f"z{dim + 1}" for dim in dims], numbers(values))
    titled(figure.axes[0], title, "value of the dimension")
    return figure


def sweep(
    decode: Decode, z: ArrayLike, dims: Sequence[int], steps: int = 12, title: str = "traversal"
) -> Animation:
    """One tile per latent dimension; each moves through the quantiles 0.02 to 0.98 of N(0, 1) and back, in
    equal steps of probability, while the others stay at `z`."""
    shares = np.linspace(0.02, 0.98, steps)
    codes = np.tile(np.asarray(z, dtype=float).ravel(), (steps, len(dims), 1))
    codes[:, range(len(dims)), dims] = ndtri(shares)[:, None]
    images = np.asarray(decode(codes.reshape(steps * len(dims), -1)))
    images = images.reshape(steps, len(dims), *images.shape[1:])
    (width, height), frames = _tile(images[0]), []
    strip = float(np.clip(1.5 * width * len(dims), 3.5, 8.5))  # inches
    figure = empty(strip + 0.3, strip / len(dims) * height / width + 0.9)
    axes, canvas = figure.add_subplot(), FigureCanvasAgg(figure)
    _draw(axes, images[0], len(dims), names=[f"z{dim + 1}" for dim in dims])
    for share, row in zip(shares, images, strict=True):
        axes.images[0].set_data(mosaic(row, len(dims)))
        titled(axes, title, f"each at quantile {share:.2f} of N(0, 1)")
        canvas.draw()  # type: ignore[no-untyped-call]
        figure.set_layout_engine("none")
        pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        frames.append(Image.fromarray(pixels[..., :3].copy()).quantize(64, dither=Image.Dither.NONE))
    return Animation([*frames, *frames[-2:0:-1]])
