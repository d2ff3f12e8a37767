"""numpy arrays, images and sparse matrices, to tensors and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from torch import Tensor

from ...errors import DataError
from ...families import Family
from ...tensors import Rowwise
from ..sparse import Sparse
from .base import Array, number


class ArrayCodec:
    """numpy arrays, images with channels first or last; sparse matrices stay sparse."""

    takes_frames = False

    def __init__(self, event: tuple[int, ...], dtype: str) -> None:
        self.event, self.dtype = event, dtype

    @property
    def channels_last(self) -> bool:
        e = self.event
        return len(e) == 3 and e[2] in (1, 2, 3, 4) and e[0] > 4

    @property
    def shape(self) -> tuple[int, ...]:
        e = self.event
        return (e[2], e[0], e[1]) if self.channels_last else e

    def training_rows(self, X: Any, y: Any) -> Any:
        return X

    def encode(self, X: Any) -> Rowwise:
        if tuple(X.shape[1:]) != self.event:
            raise DataError(f"each row has shape {tuple(X.shape[1:])}; this model was fitted on {self.event}")
        if issparse(X):
            return Sparse(X)
        x = torch.as_tensor(np.ascontiguousarray(X, dtype=np.float32))
        return x.permute(0, 3, 1, 2).contiguous() if self.channels_last else x

    def surprise(self, X: Any) -> None:
        return None

    def decode(self, x: Tensor, given: Mapping[str, Any] | None = None) -> Array:
        x = x.permute(0, 2, 3, 1) if self.channels_last else x
        rows = x.numpy().astype(np.float64 if self.dtype == "float64" else np.float32)
        for name, value in (given or {}).items():
            rows[:, int(name)] = number(name, value)
        return rows

    def filled(self, X: Any, x: Tensor) -> Any:
        guesses = self.decode(x)
        if hasattr(X, "iloc"):
            return X.where(X.notna(), type(X)(guesses, X.index, X.columns))
        held = np.asarray(X)
        holes = np.isnan(held.astype(float))
        return np.where(holes, guesses, held).astype(float if held.dtype.kind == "O" else held.dtype)

    def known(self, cells: dict[str, Any]) -> Array:
        row = np.full((1, *self.event), np.nan)
        for name, value in cells.items():
            if row.ndim != 2:
                raise DataError(
                    f"sample(given=...) is for tables and vectors; these rows have shape {self.event}"
                )
            if not str(name).isdigit() or int(name) >= row.shape[1]:
                raise DataError(f"no column is called {name!r}: arrays have columns 0 to {row.shape[1] - 1}")
            row[0, int(name)] = number(name, value)
        return row

    def row(self, x: Any) -> Any:
        if issparse(x) or (hasattr(x, "shape") and tuple(x.shape) == (1, *self.event)):
            return x
        return np.asarray(x)[None]

    def names(self) -> list[str]:
        return [f"x{i + 1}" for i in range(int(np.prod(self.event)))]

    def column_names(self) -> list[str]:
        return []

    def families(self, chosen: Mapping[str, Family]) -> tuple[Family, ...]:
        if chosen:
            raise DataError("likelihood={column: family} is for tables: fit a data frame, or use one family")
        return ()

    def missing_columns(self) -> tuple[int, ...]:
        return ()

    def header(self) -> dict[str, Any]:
        return {"kind": "arrays", "event": list(self.event), "dtype": self.dtype}
