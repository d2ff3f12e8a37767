"""What comes with a question to a model: rows, codes and labels, checked."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from .covariates import values_of
from .row_format import RowFormat
from .wire import Array, Arrays

if TYPE_CHECKING:
    from .. import VAE

MOST_ROWS = 10_000
"""The most rows of one question."""


class Given:
    """The arrays of questions to one model, whose rows have the form `rows`."""

    def __init__(self, vae: "VAE", rows: RowFormat) -> None:
        self.vae, self.rows = vae, rows

    def x(self, arrays: Arrays) -> Any:
        """The rows x as the model takes them."""
        x = self.array(arrays, "x")
        if not 1 <= len(x) <= MOST_ROWS:
            raise DataError(f"x has {len(x)} rows: send 1 to {MOST_ROWS} at once")
        if np.isinf(x).any():
            raise DataError("x holds infinity: send numbers, or NaN for a missing cell")
        return self.rows.rows(x)

    def z(self, arrays: Arrays) -> Array:
        z = self.array(arrays, "z")
        if z.ndim != 2 or z.shape[1] != self.vae.latent_dim_ or not 1 <= len(z) <= MOST_ROWS:
            raise DataError(
                f"z has shape {z.shape}: send 1 to {MOST_ROWS} codes of {self.vae.latent_dim_} numbers"
            )
        if not np.isfinite(z).all():
            raise DataError("z holds numbers that are not finite")
        return z.astype(np.float32)

    def array(self, arrays: Arrays, name: str) -> Array:
        if name not in arrays:
            raise DataError(f"the array {name} is missing; this question takes it")
        found = arrays[name]
        if found.ndim < 2 or found.dtype.kind not in "fiub":
            raise DataError(f"{name} has shape {found.shape} of {found.dtype}: send rows of numbers")
        return found

    def labels(self, arrays: Arrays, n: int) -> Any:
        """The labels y (n,) or covariates that decoding takes; None where none are given or the model has
        none. Covariates that are not given are usual ones."""
        if self.vae.labels_.measured:
            return values_of(self.vae.labels_, arrays.get("covariates"), n)
        if "y" not in arrays or self.vae.classes_ is None:
            return None
        y = arrays["y"].reshape(-1)
        if y.dtype.kind not in "iu" or len(y) not in (1, n):
            raise DataError(f"y takes {n} whole numbers: the index of a class each")
        if not 0 <= int(y.min()) <= int(y.max()) < len(self.vae.classes_):
            raise DataError(f"y takes the index of a class: 0 to {len(self.vae.classes_) - 1}")
        return np.broadcast_to(self.vae.classes_[y], (n,))

    def condition(self, arrays: Arrays, n: int) -> Any:
        """The labels that the encoder takes: of a model that is conditional on them alone."""
        return self.labels(arrays, n) if self.vae.labels_.observed else None
