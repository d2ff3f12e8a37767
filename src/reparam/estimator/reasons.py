"""Why a row is anomalous: its least likely cells, and what the others let expect in them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from ..data.codecs.base import is_frame
from ..evaluation import imputation
from ..tensors import numel
from .vae import VAE

Array = np.ndarray[Any, Any]
USUAL_ROWS, USUAL_CELLS = 2_000, 1 << 20
"""The most rows and cells from which the usual log-probability of a column is computed."""
DRAWS = 100


class Reason(NamedTuple):
    """An unlikely cell; `nats` is how far its log-probability lies below what is usual in its column."""

    column: str
    value: Any
    expected: Any
    nats: float

    def __str__(self) -> str:
        return f"{self.column}={shown(self.value)} (expected {shown(self.expected)})"

    def __repr__(self) -> str:
        return f"<{self}>"


def shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def dense(X: Any) -> Any:
    return X.toarray() if hasattr(X, "toarray") else X


def usual(vae: VAE, X: Any, y: Any = None) -> Array:
    """The median of E[log p(x_j | z) | x] of each cell over rows of X, (cells,); y where the model is
    conditional on it."""
    some = X.tocsr() if hasattr(X, "tocsr") else X if hasattr(X, "shape") else np.asarray(X)
    most = max(10, min(USUAL_ROWS, USUAL_CELLS // numel(vae.event_)))
    rows = np.unique(np.linspace(0, some.shape[0] - 1, most).astype(int))
    told = vae.preprocessor_.targets.chosen(y, some.shape[0], rows)
    cells = np.asarray(vae.score_cells(dense(some.iloc[rows] if hasattr(some, "iloc") else some[rows]), told))
    medians: Array = np.nanmedian(cells.reshape(len(cells), -1), 0)
    return medians


def reasons(vae: VAE, X: Any, y: Any, usual: Array, most: int) -> list[list[Reason]]:
    """Of each row the `most` cells whose log-probability is furthest below the usual (cells,)."""
    X = dense(X)
    cells = np.asarray(vae.score_cells(X, y))
    below = np.nan_to_num(usual - cells.reshape(len(cells), -1), nan=-np.inf, posinf=1e30)
    order = np.argsort(-below, 1, kind="stable")[:, :most]
    names, value, expected = vae.codec_.names(), cell_of(X), expected_values(vae, X, y, order)
    found = [
        [Reason(names[j], value(i, names[j], j), expected(i, names[j], j), float(below[i, j])) for j in row]
        for i, row in enumerate(order.tolist())
    ]
    return [[each for each in row if each.nats > 0 and each.value != each.expected] for row in found]


Cell = Callable[[int, str, int], Any]
"""(row, name and number of a column) -> the value of the cell."""


def cell_of(X: Any) -> Cell:
    if is_frame(X):
        frame = X.to_pandas() if hasattr(X, "to_pandas") else X
        return lambda i, name, j: frame[name].iloc[i]
    flat = np.asarray(dense(X)).reshape(X.shape[0] if hasattr(X, "shape") else len(X), -1)
    return lambda i, name, j: flat[i, j]


def expected_values(vae: VAE, X: Any, y: Any, order: Array) -> Cell:
    """What is imputed in each of the cells `order` (n, most) where it alone is hidden."""
    x, classes = vae.preprocessor_.cells(X, y)
    most = order.shape[1]
    each = x.flatten(1).repeat_interleave(most, 0)
    each[torch.arange(len(each)), torch.from_numpy(order.ravel())] = torch.nan
    told = None if classes is None else classes.repeat_interleave(most, 0)
    filled = imputation.best(vae.model_, each.reshape(-1, *x.shape[1:]), told, DRAWS, vae.seed_)
    value = cell_of(vae.codec_.decode(filled))
    ranks = [{j: rank for rank, j in enumerate(row)} for row in order.tolist()]
    return lambda i, name, j: value(i * most + ranks[i][j], name, j)
