"""A codec converts rows of the user's data to a float32 tensor for the model, and back."""

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from ...errors import DataError
from ...families import Family
from ...tensors import Rowwise

Array = np.ndarray[Any, Any]
LARGEST = 1e18
"""The largest value whose square fits in float32."""
COARSE = "differ by less than float32 can resolve (seven digits): subtract a constant from the column"


class Codec(Protocol):
    """`event` is the shape of a user's row, `shape` that of a model's row."""

    event: tuple[int, ...]

    takes_frames: bool
    """Whether data frames are read by column, not as arrays of numbers."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def training_rows(self, X: Any, y: Any) -> Any:
        """The rows of X that a model is trained on."""
        ...

    def encode(self, X: Any) -> Rowwise:
        """Rows (n, *event) -> (n, *shape), NaN where a cell is missing."""
        ...

    def surprise(self, X: Any) -> tuple[Array, Array] | None:
        """-log of the probability of the values that never occurred in training, in total (n,) and of each of
        the model's cells (n, *shape), 0 for other values; None where columns have no list of values."""
        ...

    def decode(self, x: Tensor, given: Mapping[str, Any] | None = None) -> Any:
        """(n, *shape) -> rows of the user's type; the cells of `given` (see `known`) keep those values."""
        ...

    def filled(self, X: Any, x: Tensor) -> Any:
        """X with its missing cells filled from x."""
        ...

    def known(self, cells: dict[str, Any]) -> Any:
        """One row with these cells, the others missing; DataError at a value that its column cannot hold."""
        ...

    def row(self, x: Any) -> Any:
        """One row (*event) as data of one row."""
        ...

    def names(self) -> list[str]:
        """The names of the model's columns."""
        ...

    def column_names(self) -> list[str]:
        """The same where the user's data have names; else empty."""
        ...

    def families(self, chosen: Mapping[str, Family]) -> tuple[Family, ...]:
        """The family of each column, by default that of its type; empty where the values decide."""
        ...

    def missing_columns(self) -> tuple[int, ...]:
        """The model's columns in which training data lack cells; none where columns have no families."""
        ...

    def header(self) -> dict[str, Any]:
        """What the model file stores; `from_header` reads it."""
        ...


def coarse(numbers: Array) -> bool:
    """Whether float32 rounds the numbers by more than a hundredth of their spread."""
    known = numbers[~np.isnan(numbers)]
    return bool(len(known)) and bool(0 < known.std() < 6e-6 * np.abs(known).max())


def number(name: str, value: Any) -> float:
    """A finite number given for a column."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not abs(found) <= LARGEST:
        raise DataError(
            f"column {name!r} holds numbers up to {LARGEST:g}, not {value!r}; correct it, or leave it out"
        )
    return found


def is_frame(X: Any) -> bool:
    """pandas or polars."""
    return hasattr(X, "columns") and (hasattr(X, "iloc") or hasattr(X, "to_pandas"))
