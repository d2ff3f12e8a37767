"""The plots of a model of images."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..data.stream import taken
from .figures import (
    image_grid,
    interpolation,
    manifold,
    reconstructions,
    samples_by_epoch,
    sweep,
    traversals,
)
from .fitted import Array, Fitted, Rows, decoded_samples, labels_of, most_active
from .mosaic import shade
from .style import Animation

EPOCH_ROWS, DIMENSIONS = 20, 10  # the most epochs, and latent dimensions, in a plot
Named = tuple[str, Figure | Animation]


class ImagePlots:
    """`pictures` yields the name and the plot of everything that applies to a model and some rows of data."""

    def __init__(self, model: Fitted, rows: Rows) -> None:
        self.model, self.y, self.Z, self.condition = model, rows.y, rows.Z, rows.given
        self.X = None if rows.X is None else np.asarray(rows.X)
        self.rng = np.random.default_rng(0)
        self.labelled, self.labels = model.classes_ is not None, labels_of(model)
        self.columns = len(self.labels) if self.labelled else 10
        self.drawn = decoded_samples(model, self.columns * (10 if self.labelled else 6))
        self.like = self.drawn if self.X is None else self.X[:256]

    def pictures(self) -> Iterator[Named]:
        yield from self.samples()
        if not self.model.latent_dim_:
            return
        if self.X is not None and self.Z is not None:
            yield "reconstructions", self.reconstructions(self.X)
        if self.labelled:
            yield "classes", self.every_class()
        if self.model.latent_dim_ == 2:
            title = f"decoded latent plane, equal steps of probability{self.of_class}"
            yield "manifold", manifold(self.decode, title=title)
        yield from self.traversals()
        t = np.linspace(0, 1, 11)[:, None]
        ends = [(label, *self.codes(2, label)) for label in (self.labels * 6)[:6]]
        images = [self.decode((1 - t) * a + t * b, label) for label, a, b in ends]
        words = "interpolation between the codes of two data, one pair per row"
        yield "interpolation", interpolation(images, words)

    @property
    def of_class(self) -> str:
        return f", class {self.labels[0]}" if self.labelled else ""

    def shaded(self, images: Any) -> Array:
        """Images as pixels, (n, *event) in [0, 1]."""
        return shade(images, self.model.likelihood_.top, self.like).reshape(-1, *self.model.event_)

    def decode(self, z: Array, label: Any = None) -> Array:
        """Codes (n, L) as pixels, of the first class unless another is named."""
        label = self.labels[0] if label is None else label
        return self.shaded(self.model.inverse_transform(z, label=label))

    def codes(self, n: int, label: Any) -> Array:
        """Codes of n rows, of that class if there are classes; draws from N(0, 1) where there are too few."""
        Z, rng = self.Z, self.rng
        pool = np.flatnonzero(self.y == label) if self.labelled else np.arange(0 if Z is None else len(Z))
        if Z is None or len(pool) < n:
            return rng.standard_normal((n, self.model.latent_dim_))
        return np.take(Z, rng.choice(pool, n, replace=False), axis=0)

    def samples(self) -> Iterator[Named]:
        words = "samples: decoded draws of the prior" + ", one class per column" * self.labelled
        names = self.labels if self.labelled else None
        yield "samples", image_grid(self.shaded(self.drawn), self.columns, words, column_labels=names)
        held = getattr(self.model, "samples_", None)  # of a run folder
        if held is not None and len(held):
            epochs = np.unique(np.linspace(0, len(held) - 1, EPOCH_ROWS).round().astype(int))
            rows = [self.shaded(images) for images in held[epochs]]
            names = names if len(rows[0]) == len(self.labels) else None
            numbers = getattr(self.model, "sampled_", None) or range(1, len(held) + 1)
            yield "samples_by_epoch", samples_by_epoch(rows, [numbers[i] for i in epochs], names)

    def reconstructions(self, X: Array) -> Figure:
        some = np.sort(self.rng.choice(len(X), min(len(X), 20), replace=False))
        given = () if self.condition is None else (taken(self.condition, some),)
        made = self.model.reconstruct(X[some], *given)
        return reconstructions(self.shaded(X[some]), self.shaded(made))

    def every_class(self) -> Figure:
        z = self.rng.standard_normal((8, self.model.latent_dim_))
        images = np.stack([self.decode(z, label) for label in self.labels], axis=1)
        words = "one code per row, decoded as each class"
        return image_grid(
            images.reshape(-1, *self.model.event_), self.columns, words, column_labels=self.labels
        )

    def traversals(self) -> Iterator[Named]:
        z = self.codes(1, self.labels[0])
        dims, words = self.dimensions()
        yield "traversals", traversals(self.decode, z, dims, title=words + self.of_class)
        yield "traversal", sweep(self.decode, z, dims, title=words + self.of_class)

    def dimensions(self) -> tuple[list[int], str]:
        """The latent dimensions worth a row, and what the caption says of them."""
        size = self.model.latent_dim_
        if self.Z is None:
            some = f"the first {DIMENSIONS} of {size}" if size > DIMENSIONS else f"all {size}"
            return list(range(min(size, DIMENSIONS))), f"traversals of {some} latent dimensions"
        order, active = most_active(self.Z)
        if not active:
            return order[:3].tolist(), f"traversals: none of {size} latent dimensions is active"
        shown, dead = min(active, DIMENSIONS), size - active
        words = (
            f"traversals of {shown} active dimensions" if shown > 1 else "traversal of the active dimension"
        )
        words = words if shown == active else f"traversals of {shown} of {active} active dimensions"
        words += ", largest variance of the mean first" if shown > 1 else ""
        return order[:shown].tolist(), words + (f"; {dead} inactive left out" if dead else "")
