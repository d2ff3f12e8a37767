"""Choose the codec, from training data or from a model file. pandas is imported only for tables."""

import warnings
from typing import Any

import numpy as np
from scipy.sparse import issparse

from .array import ArrayCodec
from .base import COARSE, Codec, coarse, is_frame


def learn(X: Any, window: int | None = None) -> Codec:
    """The codec of training data; with a `window` they are a time series."""
    if window is not None:
        from .series import SeriesCodec

        return SeriesCodec.learn(X, window)
    if is_frame(X):
        from .table import TableCodec

        return TableCodec.learn(X)
    if X.ndim == 2 and X.dtype.itemsize == 8 and not issparse(X):
        for j in range(X.shape[1]):
            if coarse(X[:, j]):
                warnings.warn(f"the numbers of column {j} {COARSE}", stacklevel=2)
    return ArrayCodec(tuple(X.shape[1:]), X.dtype.name)


def from_header(header: dict[str, Any]) -> Codec:
    """The codec that a model file describes."""
    if header["kind"] == "table":
        from .stored import columns
        from .table import TableCodec

        return TableCodec(columns(header["columns"]), header.get("library", "pandas"))
    if header["kind"] == "series":
        from .series import SeriesCodec

        if not all(type(header[name]) is str for name in ("time", "value")):
            raise ValueError("the columns of a time series are not text")
        return SeriesCodec(**{name: value for name, value in header.items() if name != "kind"})
    event = tuple(header["event"])
    if header["kind"] != "arrays" or not event or any(type(n) is not int or n < 1 for n in event):
        raise ValueError(f"codec {header['kind']} of event {event}")
    if not isinstance(header["dtype"], str) or np.dtype(header["dtype"]).kind not in "biufO":
        raise ValueError(f"arrays of {header['dtype']!r}")
    return ArrayCodec(event, np.dtype(header["dtype"]).name)
