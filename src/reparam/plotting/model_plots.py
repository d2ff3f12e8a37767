"""The plots of a fitted model: `pictures` chooses those that apply, `plot` writes them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .figures import (
    CLASSES,
    Animation,
    comparison,
    encoded,
    image_grid,
    interpolation,
    latent_map,
    losses,
    manifold,
    reconstructions,
    samples_by_epoch,
    sweep,
    traversals,
)
from .mosaic import is_picture, shade

Array = NDArray[Any]
MAP_ROWS, EPOCH_ROWS = 10_000, 20  # the most points and epochs in a plot


class Fitted(Protocol):
    """The parts of a fitted estimator that `plot` uses."""

    @property
    def history_(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def event_(self) -> tuple[int, ...]: ...
    @property
    def likelihood_(self) -> Any: ...
    @property
    def classes_(self) -> Array | None: ...
    @property
    def latent_dim_(self) -> int: ...
    def transform(self, X: Any) -> Any: ...
    def inverse_transform(self, Z: Any, label: Any = None) -> Any: ...
    def sample(self, n: int, label: Any = None, mean: bool = False) -> Any: ...
    def reconstruct(self, X: Any) -> Any: ...


def _labels(model: Fitted) -> list[Any]:
    return [None] if model.classes_ is None else list(model.classes_[:CLASSES])


def _samples(model: Fitted, n: int) -> Array:
    """n decoded samples; with a label head the classes alternate. Without a latent, one per class."""
    labels = _labels(model)
    n = n if model.latent_dim_ else len(labels)
    draws = [np.asarray(model.sample(-(-n // len(labels)), label=label, mean=True)) for label in labels]
    return np.stack(draws, axis=1).reshape(-1, *model.event_)[:n]


def pictures(model: Fitted, data: Any) -> Iterator[tuple[str, Figure | Animation]]:
    """The name and the plot of everything that applies."""
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
) -> Iterator[tuple[str, Figure | Animation]]:
    rng, size, event, classes = np.random.default_rng(0), model.latent_dim_, model.event_, _labels(model)
    labelled = model.classes_ is not None
    columns = len(classes) if labelled else 10
    drawn = _samples(model, columns * (10 if labelled else 6))
    like = drawn if X is None else X[:256]

    def shaded(images: Any) -> Array:
        return shade(images, model.likelihood_.top, like).reshape(-1, *event)

    def decode(z: Array, label: Any = classes[0]) -> Array:
        return shaded(model.inverse_transform(z, label=label))

    def codes(n: int, label: Any) -> Array:
        """Codes of n rows, of that class if there are classes; draws from N(0, 1) where there are too few."""
        pool = np.flatnonzero(y == label) if labelled else np.arange(0 if Z is None else len(Z))
        if Z is None or len(pool) < n:
            return rng.standard_normal((n, size))
        return np.take(Z, rng.choice(pool, n, replace=False), axis=0)

    title, names = ("samples, one class per column", classes) if labelled else ("samples", None)
    yield "samples", image_grid(shaded(drawn), columns, title, column_labels=names)
    held = getattr(model, "samples_", None)  # of a run folder
    if held is not None and len(held):
        epochs = np.unique(np.linspace(0, len(held) - 1, EPOCH_ROWS).round().astype(int))
        rows = [shaded(images) for images in held[epochs]]
        names = names if len(rows[0]) == len(classes) else None
        numbers = getattr(model, "sampled_", None) or range(1, len(held) + 1)
        yield "samples_by_epoch", samples_by_epoch(rows, [numbers[i] for i in epochs], names)
    if not size:
        return
    if X is not None:
        some = X[np.sort(rng.choice(len(X), min(len(X), 20), replace=False))]
        shown, made = (shaded(x) for x in (some, model.reconstruct(some)))
        yield "reconstructions", reconstructions(shown, made)
    if labelled:
        z = rng.standard_normal((8, size))
        images = np.stack([decode(z, label) for label in classes], axis=1).reshape(-1, *event)
        yield (
            "classes",
            image_grid(images, columns, "codes by row, classes by column", column_labels=classes),
        )
    of = f", class {classes[0]}" if labelled else ""
    if size == 2:
        yield "manifold", manifold(decode, title=f"decoded latent plane{of}")
    z, title = codes(1, classes[0]), f"traversals{'' if Z is None else ', most active first'}{of}"
    yield "traversals", traversals(decode, z, active, title=title)
    yield "traversal", sweep(decode, z, active, title=title)
    t = np.linspace(0, 1, 11)[:, None]
    ends = [(label, *codes(2, label)) for label in (classes * 6)[:6]]
    yield "interpolation", interpolation([decode((1 - t) * a + t * b, label) for label, a, b in ends])


def plot(models: Mapping[str, Fitted], data: Any, out: str | Path) -> list[Path]:
    """Write every plot that applies: in `out` for one model, in `out/NAME` and a comparison for several.

    `data` is None or has .X (n, *event) and .y, which may be None.
    """
    written: list[Path] = []

    def write(drawn: Figure | Animation, folder: Path, name: str) -> None:
        ending, content = encoded(drawn)
        folder.mkdir(parents=True, exist_ok=True)
        written.append(folder / f"{name}.{ending}")
        written[-1].write_bytes(content)

    for name, model in models.items():
        folder = Path(out) / re.sub(r"[^\w=+-]+", "_", name) if len(models) > 1 else Path(out)
        for title, drawn in pictures(model, data):
            write(drawn, folder, title)
    events = {tuple(model.event_) for model in models.values()}
    if len(models) > 1 and len(events) == 1 and is_picture(events.pop()):
        sets = {name: _samples(model, 36) for name, model in models.items()}
        like = np.concatenate(list(sets.values())) if data is None else np.asarray(data.X[:256])
        sets = {name: shade(each, models[name].likelihood_.top, like) for name, each in sets.items()}
        write(comparison(sets), Path(out), "comparison")
    return written
