"""Pictures of a model: numbers in, a matplotlib `Figure` out, and `plot`, which decides and writes.

Only matplotlib's object interface is used: nothing is shown, nothing global changes, and threads may draw.
Images are (n, *event) in [0, 1]; an event is (H, W), (1, H, W), (3, H, W), (H, W, 1) or (H, W, 3).

>>> figure = image_grid(np.random.default_rng(0).random((12, 8, 8)), columns=6, title="noise")
>>> figure.axes[0].get_title(loc="left")
'noise'
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from matplotlib import color_sequences, colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

Array = NDArray[Any]
Decode = Callable[[Array], Array]  # codes (n, L) -> images (n, *event)

DPI, TILE, GAP = 150, 0.55, 0.02  # dots an inch; inches a small tile; the white round a tile as a share of it
TITLE, LABEL, TICK = 10, 9, 8  # font sizes in points
INK, FAINT, BLUE, ORANGE = "#333333", "#c8c8c8", "#2f7fc8", "#e8890c"
HOLE = (0.93, 0.55, 0.45)  # a missing pixel
MAP_ROWS, EPOCH_ROWS, CLASSES = 10_000, 20, 20  # the most points, epochs and classes that a figure shows
TERMS = {  # what a figure calls a term of the objective; any other by its own name
    "ELBO": "negative ELBO",
    "IWAE": "negative IWAE bound",
    "CrossEntropy": "cross-entropy (weighted)",
    "TotalCorrelation": "total correlation (weighted)",
}


class Fitted(Protocol):
    """What `plot` asks of a fitted estimator."""

    @property
    def history_(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def event_(self) -> tuple[int, ...]: ...
    @property
    def classes_(self) -> Array | None: ...
    @property
    def latent_dim_(self) -> int: ...
    @property
    def samples_(self) -> Array | None: ...
    def transform(self, X: Any) -> Any: ...
    def inverse_transform(self, Z: Any, label: Any = None) -> Any: ...
    def sample(self, n: int, label: Any = None, mean: bool = False) -> Any: ...
    def reconstruct(self, X: Any) -> Any: ...


# the house style


def empty(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=0.07, h_pad=0.07))


def finish(axes: Axes, title: str, x: str = "", y: str = "") -> None:
    """Plain axes under a title."""
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


def is_picture(event: Sequence[int]) -> bool:
    """Whether a datum of this shape can be looked at; a flat vector cannot, whatever its length."""
    if len(event) == 3:
        event = event[1:] if event[0] in (1, 3) else event[:2] if event[2] in (1, 3) else ()
    return len(event) == 2 and min(event) > 1


def picture(x: ArrayLike, event: Sequence[int]) -> Array:
    """One datum as (H, W) or (H, W, 3), clipped to [0, 1], pixels of 0 to 255 brought there; missing pixels
    stay NaN."""
    image = np.asarray(x, dtype=np.float32).reshape(tuple(event))
    if image.ndim == 3:
        image = np.moveaxis(image, 0, -1) if event[0] in (1, 3) else image
        image = image[..., 0] if image.shape[-1] == 1 else image
    return np.clip(image / 255 if np.nanmax(image, initial=0) > 2 else image, 0.0, 1.0)


def _tile(images: Array) -> tuple[float, float]:
    """Width and height of a tile in inches; large images get up to twice the room."""
    height, width = picture(images[0], images.shape[1:]).shape[:2]
    unit = TILE * float(np.clip(max(height, width) / 32, 1, 2)) / max(height, width)
    return width * unit, height * unit


def _draw(
    axes: Axes, images: Array, columns: int, rows: Sequence[str] = (), names: Sequence[str] = ()
) -> None:
    """All images as one, in units of tiles: the tile of a row and a column is centred at (column, row)."""
    tiles = np.stack([picture(x, images.shape[1:]) for x in images])
    tiles = tiles if tiles.ndim == 4 else np.repeat(tiles[..., None], 3, axis=-1)
    tiles = np.round(255 * np.where(np.isnan(tiles), HOLE, tiles)).astype(np.uint8)
    zoom = max(1, 96 // max(tiles.shape[1:3]))  # few pixels: enlarge them, so that the gap can be thin
    tiles = tiles.repeat(zoom, axis=1).repeat(zoom, axis=2)
    n, height, width, _ = tiles.shape
    n_rows, gap = -(-n // columns), max(1, round(GAP * max(height, width)))
    canvas = np.full((n_rows * columns, height + 2 * gap, width + 2 * gap, 3), 255, dtype=np.uint8)
    canvas[:n, gap:-gap, gap:-gap] = tiles
    height, width = canvas.shape[1:3]
    canvas = canvas.reshape(n_rows, columns, height, width, 3).swapaxes(1, 2)
    mosaic = canvas.reshape(n_rows * height, columns * width, 3)
    axes.imshow(mosaic, extent=(-0.5, columns - 0.5, n_rows - 0.5, -0.5), aspect=height / width)
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
    """n images, row after row; about a square of them unless `columns` says otherwise."""
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
    """(E, K, *event): what the model drew after each epoch, one row an epoch, one column a label."""
    samples = np.asarray(samples)
    images, names = samples.reshape(-1, *samples.shape[2:]), [f"epoch {epoch}" for epoch in epochs]
    return image_grid(images, samples.shape[1], "samples, epoch by epoch", names, labels)


def reconstructions(X: ArrayLike, Xhat: ArrayLike, columns: int = 10) -> Figure:
    """Data above what the model makes of them; beyond `columns` of them only whole further rows are shown."""
    X, Xhat = np.asarray(X), np.asarray(Xhat)
    columns = min(columns, len(X))
    rows = len(X) // columns
    pairs = np.stack([x[: rows * columns].reshape(rows, columns, *x.shape[1:]) for x in (X, Xhat)], axis=1)
    images = pairs.reshape(-1, *X.shape[1:])
    return image_grid(images, columns, "data and their reconstructions", ["input", "output"] * rows)


def interpolation(images: ArrayLike, title: str = "interpolation between two codes") -> Figure:
    """(pairs, steps, *event): one row a pair, from one end to the other."""
    images = np.asarray(images)
    steps = images.shape[1]
    names = _numbers(np.linspace(0, 1, steps))
    figure = image_grid(images.reshape(-1, *images.shape[2:]), steps, title, column_labels=names)
    _titled(figure.axes[0], title, "share of the second code")
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


def manifold(decode: Decode, side: int = 15, title: str = "the decoded plane") -> Figure:
    """A plane of codes, decoded: equal steps in probability under N(0, 1); z1 grows right, z2 grows up."""
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
    """One row a latent dimension, moved from -span to span while the others stay at `z`."""
    values = np.linspace(-span, span, steps)
    codes = np.tile(np.asarray(z, dtype=float).ravel(), (len(dims), steps, 1))
    for row, dim in enumerate(dims):
        codes[row, :, dim] = values
    images = np.asarray(decode(codes.reshape(len(dims) * steps, -1)))
    figure = image_grid(images, steps, title, [f"z{dim + 1}" for dim in dims], _numbers(values))
    _titled(figure.axes[0], title, "value of the dimension")
    return figure


def _coloured(y: Array) -> tuple[Array, list[str] | None]:
    """A number a row, NaN without a label, and the classes it counts, or None where `y` is a quantity."""
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
        # Petroff's ten colours stay apart for the colour-blind; a sweep where there are more classes
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
    """One number an epoch; None becomes NaN, which is not drawn."""
    return np.array([np.nan if row.get(key) is None else row[key] for row in rows], dtype=float)


def losses(history: Sequence[Mapping[str, Any]]) -> Figure:
    """What was minimised, term by term; the bound, where no term is it; rate and distortion."""
    epochs, terms = _curve(history, "epoch"), [row.get("terms") or {} for row in history]
    bound, held_out = -_curve(history, "bound"), -_curve(history, "validation")

    def is_bound(values: Array) -> bool:
        return np.allclose(values, bound, rtol=1e-3, equal_nan=True)

    names = dict.fromkeys(name for row in terms for name in row)
    panels = {TERMS.get(name, f"{name} (weighted)"): _curve(terms, name) for name in names}
    if not any(map(is_bound, panels.values())):
        panels["negative bound"] = bound
    panels |= {key: _curve(history, key) for key in ("rate", "distortion")}
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
        _titled(axes, title, "epoch", "no unit" if title.startswith("MMD") else "nats per datum")
        axes.set_title(f"{values[np.isfinite(values)][-1]:.4g}", loc="right", fontsize=LABEL, color=BLUE)
    return figure


# a fitted model


def _shade(images: Any, event: tuple[int, ...], like: Array) -> Array:
    """Pixels in [0, 1]: as they are, unless those of `like` plainly use another range (0 to 255, -1 to 1)."""
    low, high = float(np.nanmin(like)), float(np.nanmax(like))
    low, high = low if low < -0.5 else 0.0, high if high > 1.5 else 1.0
    pixels: Array = (np.asarray(images, dtype=np.float32).reshape(-1, *event) - low) / (high - low)
    return pixels


def _labels(model: Fitted) -> list[Any]:
    return [None] if model.classes_ is None else list(model.classes_[:CLASSES])


def _samples(model: Fitted, n: int) -> Array:
    """n decoded draws; with a label head the classes take turns. Without a latent one of each is all."""
    labels = _labels(model)
    n = n if model.latent_dim_ else len(labels)
    draws = [np.asarray(model.sample(-(-n // len(labels)), label=label, mean=True)) for label in labels]
    return np.stack(draws, axis=1).reshape(-1, *model.event_)[:n]


def pictures(model: Fitted, data: Any) -> Iterator[tuple[str, Figure]]:
    """The file name and the picture of everything that applies."""
    size, X, y, Z = model.latent_dim_, None, None, None
    active = np.arange(size)
    if len(model.history_):
        yield "losses", losses(model.history_)
    if data is not None:
        step = -(-len(data.X) // MAP_ROWS)
        X, y = data.X[::step], None if data.y is None else np.asarray(data.y)[::step]
    if X is not None and size:
        Z = np.asarray(model.transform(X), dtype=float)
        active = np.argsort(-Z.var(axis=0), kind="stable")
    if Z is not None and size > 1:
        a, b = sorted(active[:2])
        which = "" if size == 2 else f": the two most active of {size} dimensions"
        yield "latent_map", latent_map(Z[:, [a, b]], y, (f"z{a + 1}", f"z{b + 1}"), f"posterior means{which}")
    if is_picture(model.event_):
        yield from _pictures(model, None if X is None else np.asarray(X), y, Z, active[:10].tolist())


def _pictures(
    model: Fitted, X: Array | None, y: Array | None, Z: Array | None, active: list[int]
) -> Iterator[tuple[str, Figure]]:
    rng, size, event, classes = np.random.default_rng(0), model.latent_dim_, model.event_, _labels(model)
    labelled = model.classes_ is not None
    columns = len(classes) if labelled else 10
    drawn = _samples(model, columns * (10 if labelled else 6))
    like = drawn if X is None else X[:256]

    def decode(z: Array, label: Any = classes[0]) -> Array:
        return _shade(model.inverse_transform(z, label=label), event, like)

    def codes(n: int, label: Any) -> Array:
        """Codes of n data, of that class if there are classes; draws from N(0, 1) where there are too few."""
        pool = np.flatnonzero(y == label) if labelled else np.arange(0 if Z is None else len(Z))
        if Z is None or len(pool) < n:
            return rng.standard_normal((n, size))
        return np.take(Z, rng.choice(pool, n, replace=False), axis=0)

    title, names = ("samples, a class a column", classes) if labelled else ("samples", None)
    yield "samples", image_grid(_shade(drawn, event, like), columns, title, column_labels=names)
    if model.samples_ is not None and len(model.samples_):
        epochs = np.unique(np.linspace(0, len(model.samples_) - 1, EPOCH_ROWS).round().astype(int))
        rows = [_shade(images, event, like) for images in model.samples_[epochs]]
        names = names if len(rows[0]) == len(classes) else None
        numbers = getattr(model, "sampled_", None) or range(1, len(model.samples_) + 1)
        yield "samples_by_epoch", samples_by_epoch(rows, [numbers[i] for i in epochs], names)
    if not size:
        return
    if X is not None:
        some = X[np.sort(rng.choice(len(X), min(len(X), 20), replace=False))]
        shown, made = (_shade(x, event, like) for x in (some, model.reconstruct(some)))
        yield "reconstructions", reconstructions(shown, made)
    if labelled:
        z = rng.standard_normal((8, size))
        images = np.stack([decode(z, label) for label in classes], axis=1).reshape(-1, *event)
        yield "classes", image_grid(images, columns, "a code a row, a class a column", column_labels=classes)
    of = f", class {classes[0]}" if labelled else ""
    if size == 2:
        yield "manifold", manifold(decode, title=f"the decoded plane{of}")
    title = f"traversals{'' if Z is None else ', most active first'}{of}"
    yield "traversals", traversals(decode, codes(1, classes[0]), active, title=title)
    t = np.linspace(0, 1, 11)[:, None]
    ends = [(label, *codes(2, label)) for label in (classes * 6)[:6]]
    yield "interpolation", interpolation([decode((1 - t) * a + t * b, label) for label, a, b in ends])


def plot(models: Mapping[str, Fitted], data: Any, out: str | Path) -> list[Path]:
    """Write every picture that applies: in `out` for one model, in `out/NAME` and a comparison for several.

    `data` is None or has .X (n, *event) and .y, which may be None.
    """
    written: list[Path] = []

    def write(figure: Figure, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, bbox_inches="tight", pad_inches=0.1)
        written.append(path)

    for name, model in models.items():
        folder = Path(out) / re.sub(r"[^\w=+-]+", "_", name) if len(models) > 1 else Path(out)
        for title, figure in pictures(model, data):
            write(figure, folder / f"{title}.png")
    events = {tuple(model.event_) for model in models.values()}
    if len(models) > 1 and len(events) == 1 and is_picture(event := events.pop()):
        sets = {name: _samples(model, 36) for name, model in models.items()}
        like = np.concatenate(list(sets.values())) if data is None else np.asarray(data.X[:256])
        sets = {name: _shade(images, event, like) for name, images in sets.items()}
        write(comparison(sets), Path(out) / "comparison.png")
    return written
