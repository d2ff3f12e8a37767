"""Between what a user holds and what a model reads: rows in, a float32 tensor out, and back again."""

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
"""A float32 cannot square more."""
COARSE = "differ too little for their size: a model reads seven digits; take a constant from the column"


class Codec(Protocol):
    """`event` is the shape of a user's row, `shape` of the model's."""

    event: tuple[int, ...]

    takes_frames: bool
    """Whether data frames are read as such, and not as arrays of numbers."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def training_rows(self, X: Any, y: Any) -> Any:
        """The rows of X that a model is trained on."""
        ...

    def encode(self, X: Any) -> Rowwise:
        """Rows (n, *event) -> (n, *shape), NaN where a cell is missing."""
        ...

    def decode(self, x: Tensor, said: Mapping[str, Any] | None = None) -> Any:
        """(n, *shape) -> rows of the user's type; the cells of `said` (see `known`) as they are said."""
        ...

    def filled(self, X: Any, x: Tensor) -> Any:
        """X with its missing cells taken from x."""
        ...

    def known(self, cells: dict[str, Any]) -> Any:
        """One row, missing but for these cells; DataError at a value that its column cannot hold."""
        ...

    def row(self, x: Any) -> Any:
        """One row (*event) as a set of rows."""
        ...

    def names(self) -> list[str]:
        """What the model's cells are called."""
        ...

    def column_names(self) -> list[str]:
        """The same, where users called them so; else nothing."""
        ...

    def families(self, said: Mapping[str, Family]) -> tuple[Family, ...]:
        """What each column asks for where nothing is said; nothing where the values alone decide."""
        ...

    def header(self) -> dict[str, Any]:
        """What a model file keeps: `from_header` undoes it."""
        ...


def coarse(numbers: Array) -> bool:
    """Whether float32, of seven digits, blurs the numbers by more than a hundredth of how they differ."""
    known = numbers[~np.isnan(numbers)]
    return bool(len(known)) and bool(0 < known.std() < 6e-6 * np.abs(known).max())


def number(name: str, value: Any) -> float:
    """A finite number said for a column."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not abs(found) <= LARGEST:
        raise DataError(
            f"column {name!r} holds numbers up to {LARGEST:g}, not {value!r}; say one, or leave it out"
        )
    return found


def is_frame(X: Any) -> bool:
    """pandas or polars."""
    return hasattr(X, "columns") and (hasattr(X, "iloc") or hasattr(X, "to_pandas"))
