"""Tables: the kind of each column, and the conversion to numbers and back.

A column's kind comes from its type and its values, and sets its default family. Missing cells are NaN in
both directions. Keys (names, tickets, row numbers) and constants are kept but not modelled.
"""

import warnings
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from pandas.api.types import is_datetime64_any_dtype
from torch import Tensor

from ...errors import DataError, extra
from ...families import Family
from ..readers import checks
from .column import Column, typed, written_as
from .kinds import column_of

Array = np.ndarray[Any, Any]
WIDE = 1_000
"""With more numeric columns each has the parametric family of its kind, which takes fewer parameters."""


class TableCodec:
    """The codec of a table: pandas or polars frames to (n, modelled columns), and back to the `library` of
    the training data."""

    takes_frames = True

    def __init__(self, columns: list[Column], library: str = "pandas") -> None:
        self.columns, self.library = columns, library
        self.modelled = [column for column in columns if column.modelled]
        if not self.modelled:
            raise DataError("no column of the table varies: add a column with two or more values")
        self.event: tuple[int, ...] = (len(columns),)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.modelled),)

    @classmethod
    def learn(cls, frame: Any) -> "TableCodec":
        """From the columns of a training frame."""
        library = "polars" if is_polars(frame) else "pandas"
        frame = to_pandas(frame)
        if frame.shape[1] == 0 or len(frame) == 0:
            raise DataError(
                f"the table has shape {frame.shape}: 0 feature(s) or rows, a minimum of 1 is required"
            )
        checks.check(frame)
        columns = [column_of(str(name), frame[name]) for name in frame.columns]
        rows = (int(frame[column.name].notna().sum()) for column in columns)
        counted = [replace(c, rows=n, missing=1 - n / len(frame)) for c, n in zip(columns, rows, strict=True)]
        if sum(column.quantile for column in counted) > WIDE:
            counted = [replace(column, quantile=False) for column in counted]
        return cls(counted, library)

    def training_rows(self, X: Any, y: Any) -> Any:
        return X

    def encode(self, X: Any) -> Tensor:
        frame = to_pandas(X, [c.name for c in self.columns])
        absent = [c.name for c in self.modelled if c.name not in frame.columns]
        if absent:
            raise DataError(f"the table lacks the column {absent[0]!r} of the training data")
        if len(frame) == 0:
            raise DataError("the table has no rows; at least one row is needed")
        numbers = [column.encode(frame) for column in self.modelled]
        return torch.as_tensor(np.stack(numbers, 1), dtype=torch.float32)

    def surprise(self, X: Any) -> tuple[Array, Array]:
        frame = to_pandas(X, [c.name for c in self.columns])
        each = np.stack([column.surprise(frame) for column in self.columns], 1)
        return each.sum(1), each[:, [column.modelled for column in self.columns]]

    def aligned(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The columns of the training data in their order; others are left out with a warning."""
        names, file = [c.name for c in self.columns], frame.attrs.get("file", "the table")
        absent = [c.name for c in self.modelled if c.name not in frame]
        if absent:
            cure = "add it, with empty cells where unknown"
            raise DataError(f"{file} lacks the training data's {_listed(absent)}; {cure}")
        if others := [str(name) for name in frame if name not in names]:
            warnings.warn(f"{file}: {_listed(others)} was not in training and is ignored", stacklevel=2)
        return frame.reindex(columns=names)

    def decode(self, x: Tensor, given: Mapping[str, Any] | None = None) -> Any:
        frame = self.guesses(x)
        for column in self.modelled:
            if given and column.name in given:
                values = pd.Series([column.read(given[column.name])] * len(frame))
                frame[column.name] = typed(values, column.dtype, column.categories)
        return to_polars(frame) if self.library == "polars" else frame

    def guesses(self, x: Tensor) -> pd.DataFrame:
        """Decoded numbers (n, modelled columns) as a table."""
        numbers = dict(zip((c.name for c in self.modelled), x.double().numpy().T, strict=True))
        held: dict[str, Any] = {}
        for column in self.columns:
            if column.kind == "key":
                continue
            held[column.name] = column.decode(numbers[column.name]) if column.modelled else column.constant
        return pd.DataFrame(held, index=range(len(x)))

    def filled(self, X: Any, x: Tensor) -> Any:
        frame = to_pandas(X, [c.name for c in self.columns]).copy()
        guesses = self.guesses(x).set_index(frame.index)
        for column in self.columns:
            if column.name in guesses and column.name in frame and frame[column.name].isna().any():
                held, guess = frame[column.name], guesses[column.name]
                if column.kind == "date" and not is_datetime64_any_dtype(held.dtype) and held.notna().any():
                    guess = written_as(guess, str(held.dropna().iloc[0]))
                if isinstance(held.dtype, pd.CategoricalDtype):
                    new = [c for c in guess[held.isna()].unique() if c not in held.cat.categories]
                    held = held.cat.add_categories(new)
                try:
                    guess = guess.astype(held.dtype)
                except (TypeError, ValueError):  # a constant of another type
                    held = held.astype(object)
                frame[column.name] = held.where(held.notna(), guess)
        if is_polars(X):
            return to_polars(frame)
        return frame.set_axis(X.columns, axis=1) if isinstance(X, pd.DataFrame) else frame

    def known(self, cells: dict[str, Any]) -> pd.DataFrame:
        names = {column.name: column for column in self.modelled}
        absent = [name for name in cells if name not in names]
        if absent:
            raise DataError(f"no modelled column is called {absent[0]!r}; the columns are {', '.join(names)}")
        held = {name: [column.read(cells[name]) if name in cells else None] for name, column in names.items()}
        return pd.DataFrame(held, dtype=object)

    def row(self, x: Any) -> pd.DataFrame:
        names = [c.name for c in self.columns]
        if isinstance(x, pd.Series | Mapping):
            return pd.DataFrame([dict(x)])
        return to_pandas(x if hasattr(x, "columns") else np.asarray(x, dtype=object).reshape(1, -1), names)

    def names(self) -> list[str]:
        return [column.name for column in self.modelled]

    def column_names(self) -> list[str]:
        return self.names()

    def families(self, chosen: Mapping[str, Family]) -> tuple[Family, ...]:
        absent = [name for name in chosen if name not in self.names()]
        if absent:
            raise DataError(
                f"no modelled column is called {absent[0]!r}; the columns are {', '.join(self.names())}"
            )
        for column in self.modelled:
            column.check_family(chosen.get(column.name))
        return tuple(chosen.get(column.name) or column.family() for column in self.modelled)

    def missing_columns(self) -> tuple[int, ...]:
        return tuple(i for i, column in enumerate(self.modelled) if column.missing)

    def header(self) -> dict[str, Any]:
        columns = [asdict(column) for column in self.columns]
        return {"kind": "table", "columns": columns, "library": self.library}


def to_pandas(X: Any, names: list[str] | None = None) -> pd.DataFrame:
    """pandas unchanged, polars converted, an array with the names of the training columns."""
    if isinstance(X, pd.DataFrame):
        frame = X.set_axis([str(name) for name in X.columns], axis=1)
        if frame.columns.duplicated().any():
            twice = frame.columns[frame.columns.duplicated()][0]
            raise DataError(f"two columns are called {twice!r}; rename one")
        return frame
    if hasattr(X, "to_pandas"):
        return pd.DataFrame(X.to_pandas())
    return pd.DataFrame(np.asarray(X), columns=names)


def is_polars(X: Any) -> bool:
    return type(X).__module__.partition(".")[0] == "polars"


def to_polars(frame: pd.DataFrame) -> Any:
    with extra("polars", "a model that was fitted on polars frames"):
        import polars
    return polars.from_pandas(frame)


def _listed(names: list[str]) -> str:
    return f"column{'s' * (len(names) > 1)} {', '.join(map(repr, names[:8]))}{' ...' * (len(names) > 8)}"
