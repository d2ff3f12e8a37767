"""What the plots ask of a fitted estimator, and the rows that they show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..data.stream import taken

Array = NDArray[Any]
MAP_ROWS = 10_000  # the most points in a plot
CLASSES = 20  # the most classes that have a column of samples
ACTIVE = 0.01
"""A latent dimension is active if the variance of its posterior mean over the data is larger (Burda et al.
2016, section 5.2)."""


class Fitted(Protocol):
    """The parts of a fitted estimator that every plot uses."""

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
    def transform(self, X: Any, y: Any = None) -> Any: ...
    def inverse_transform(self, Z: Any, label: Any = None) -> Any: ...
    def sample(self, n: int, label: Any = None, mean: bool = False) -> Any: ...
    def reconstruct(self, X: Any, y: Any = None) -> Any: ...


@dataclass(frozen=True)
class Rows:
    """Rows of data X with labels y and posterior means Z (n, L), each None where there are none; `given`
    are the labels that the model is conditional on."""

    X: Any = None
    y: Array | None = None
    Z: Array | None = None
    given: Any = None

    @property
    def condition(self) -> tuple[Any, ...]:
        """What is passed to the model after the rows."""
        return () if self.given is None else (self.given,)


def rows_of(model: Fitted, data: Any) -> Rows:
    """At most MAP_ROWS rows of `data`, evenly spaced, and their codes."""
    if data is None:
        return Rows()
    step = -(-len(data.X) // MAP_ROWS)
    X, labels = data.X[::step], None if data.y is None else data.y[::step]
    framed = hasattr(labels, "columns")  # covariates: the first colours the plots
    y = None if labels is None else np.asarray(labels[labels.columns[0]] if framed else labels)
    conditional = getattr(getattr(model, "labels_", None), "observed", False)
    rows = Rows(X, y, given=labels if conditional else None)
    if not model.latent_dim_ or (conditional and y is None):
        return rows
    return Rows(X, y, np.asarray(model.transform(X, *rows.condition), dtype=float), rows.given)


def samples_of(model: Fitted, n: int, rows: Rows) -> Any:
    """n samples; of a model with covariates with those of `rows` in turn."""
    if rows.given is None or model.classes_ is not None:
        return model.sample(n)
    return model.sample(n, label=taken(rows.given, np.arange(n) % len(rows.given)))


def most_active(Z: Array) -> tuple[Array, int]:
    """The latent dimensions, largest variance of the posterior mean first, and how many are active."""
    variance = Z.var(axis=0)
    return np.argsort(-variance, kind="stable"), int((variance > ACTIVE).sum())


def labels_of(model: Fitted) -> list[Any]:
    """The classes to decode, or one usual value of the covariates; [None] for a model without labels."""
    if model.classes_ is not None:
        return list(model.classes_[:CLASSES])
    return [getattr(getattr(model, "labels_", None), "typical", None) or None]


def decoded_samples(model: Fitted, n: int) -> Array:
    """E[x|z] for n draws z ~ p(z); with a label head the classes alternate. Without a latent, one a class."""
    labels = labels_of(model)
    n = n if model.latent_dim_ else len(labels)
    draws = [np.asarray(model.sample(-(-n // len(labels)), label=label, mean=True)) for label in labels]
    return np.stack(draws, axis=1).reshape(-1, *model.event_)[:n]
