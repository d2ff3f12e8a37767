"""Covariates of the user, a frame, a mapping or an array, to the columns that a model is conditional on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.codecs.base import is_frame
from ..errors import DataError
from ..model.covariates import Category, Covariate, Number
from ..model.label_head import LabelHead

Array = np.ndarray[Any, Any]
Held = dict[str, Array]
"""The values (n,) of each covariate by its name."""


def learned(head: LabelHead, y: Any, n: int) -> LabelHead:
    """The head with the columns, units and categories of training covariates y of n rows."""
    if y is None:
        raise DataError(f"labels={head} needs y, a frame of covariates: fit(X, y)")
    stated: Sequence[Covariate] | None = head.columns
    held = named(y, None if stated is None else [column.name for column in stated])
    if not held:
        raise DataError("y has no columns: give one covariate or more")
    if stated is None:
        stated = [kind_of(name, values)(name) for name, values in held.items()]
    values = checked("y", held, [column.name for column in stated], n)
    columns = tuple(column.learned(values[column.name]) for column in stated)
    found: Any = replace(head, **{"columns": columns})
    return found  # type: ignore[no-any-return]


def columns_of(head: LabelHead, what: str, y: Any, n: int) -> Held:
    """The covariates among `y`, each (n,)."""
    names = [column.name for column in head.known]
    if y is None:
        raise DataError(f"this model is conditional on {', '.join(names)}: {what} is needed")
    return checked(what, named(y, names), names, n)


def array_of(head: LabelHead, held: Held) -> Tensor:
    """The numbers (n, width) that the model reads; DataError where a covariate is lacking."""
    columns = head.known
    if absent := [column.name for column in columns if column.name not in held]:
        raise DataError(f"the covariate {absent[0]!r} is needed, and {', '.join(held) or 'nothing'} is given")
    codes = np.concatenate([column.code(held[column.name]) for column in columns], 1)
    return torch.as_tensor(codes, dtype=torch.get_default_dtype())


def named(y: Any, names: Sequence[str] | None) -> dict[str, Any]:
    """The columns of a frame, mapping, series or array by name; those of an array are called `names`."""
    if is_frame(y):
        columns = list(map(str, y.columns))
        if len(set(columns)) < len(columns):
            raise DataError("two covariates of y have the same name; rename one")
        return {str(name): y[name] for name in y.columns}
    if isinstance(y, Mapping):
        return {str(name): value for name, value in y.items()}
    if hasattr(y, "index") and hasattr(y, "iloc"):
        if names and set(map(str, y.index)) & set(names):
            return {str(name): value for name, value in y.items()}  # a row of a frame
        return {names[0] if names and len(names) == 1 else str(y.name or "y"): y}
    held = np.asarray(y)
    if held.ndim < 2:
        if names and len(names) > 1:
            raise DataError(
                f"covariates are {', '.join(names)}: give a frame or a mapping with these, not one column"
            )
        return {names[0] if names else "y": held}
    if held.ndim > 2 or (names and held.shape[1] != len(names)):
        wanted = f"{len(names)} columns, {', '.join(names)}" if names else "rows and columns"
        raise DataError(f"covariates have shape {held.shape}; {wanted} are needed")
    return {names[i] if names else f"y{i}": held[:, i] for i in range(held.shape[1])}


def kind_of(name: str, values: Any) -> type[Number] | type[Category]:
    """Numbers are numbers; text, booleans and pandas categoricals are categories."""
    kind = getattr(getattr(values, "dtype", None), "kind", "O")
    if kind == "M" or kind == "m":
        raise DataError(f"covariate {name!r} is a time: turn it into a number, for example of days")
    if kind in "iuf":
        return Number
    if kind == "O" and not hasattr(values, "cat"):
        known = [value for value in np.asarray(values, dtype=object).ravel().tolist() if value == value]
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
        return Number if known and numbers else Category
    return Category


def checked(what: str, held: Mapping[str, Any], names: Sequence[str], n: int) -> Held:
    """Values for n rows each; DataError for an unknown name or another number of rows."""
    if unknown := [name for name in held if name not in names]:
        raise DataError(f"{what} has {unknown[0]!r}, which is no covariate of this model: {', '.join(names)}")
    found: Held = {}
    for name, values in held.items():
        each = (
            np.asarray(values) if not isinstance(values, list | tuple) else np.asarray(values, dtype=object)
        )
        if each.shape not in ((), (1,), (n,)):
            raise DataError(
                f"{what} has shape {each.shape} for {name!r}: give one value, or one for each of {n} rows"
            )
        found[name] = np.broadcast_to(each, (n,))
    return found
