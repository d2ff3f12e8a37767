"""Covariates as numbers of the page, and back: a category is its index."""

from dataclasses import asdict
from typing import Any

import numpy as np

from ..errors import DataError
from ..estimator.covariates import columns_of
from ..model.label_head import LabelHead
from .wire import Array, Info


def described(head: LabelHead) -> list[Info]:
    """Of each covariate its name, a usual value, and its categories, or mean and standard deviation."""
    found: list[Info] = []
    for column in head.known if head.measured else ():
        categories = getattr(column, "categories", None)
        if categories is None:
            found.append(asdict(column) | {"usual": column.typical})
        else:
            found.append({"name": column.name, "usual": 0, "categories": list(map(str, categories))})
    return found


def numbers_of(head: LabelHead, y: Any, n: int) -> Array:
    """Covariates y of n rows as numbers (n, m)."""
    held = columns_of(head, "y", y, n)
    each = []
    for column in head.known:
        categories = getattr(column, "categories", None)
        values = held[column.name].tolist()
        each.append(values if categories is None else list(map(categories.index, values)))
    return np.array(each, np.float64).T


def values_of(head: LabelHead, x: Array | None, n: int) -> dict[str, Array]:
    """Numbers x (n, m), or (1, m) for all rows, as covariates by name; usual ones where x is None."""
    if x is None:
        return {column.name: np.full(n, column.typical) for column in head.known}
    if x.ndim != 2 or x.shape[1] != len(head.known) or len(x) not in (1, n) or not np.isfinite(x).all():
        names = ", ".join(column.name for column in head.known)
        raise DataError(f"covariates takes finite numbers for {names}: one row, or one for each of {n}")
    found = {}
    for column, values in zip(head.known, np.broadcast_to(x, (n, x.shape[1])).T, strict=True):
        categories = getattr(column, "categories", None)
        if categories is None:
            found[column.name] = values
            continue
        last = len(categories) - 1
        if not np.isin(values, np.arange(last + 1)).all():
            raise DataError(f"covariate {column.name!r} takes the index of a category, 0 to {last}")
        found[column.name] = np.array(categories, dtype=object)[values.astype(int)]
    return found
