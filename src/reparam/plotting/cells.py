"""Cells of a data frame as numbers and as text.

>>> import pandas as pd
>>> numbers(pd.Series(pd.to_datetime(["1970-01-02", None]))).tolist(), texts(pd.Series([1.0, 2.5, None]))
([1.0, nan], ['1', '2.5'])
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .style import short

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]
LETTERS = 16


def is_number(values: "pd.Series[Any]") -> bool:
    """Whether a column holds numbers or dates."""
    return values.dtype.kind in "iufM"


def numbers(values: "pd.Series[Any]") -> Array:
    """A column of numbers as float (n,), NaN where missing; dates in days since 1970."""
    if values.dtype.kind != "M":
        return values.to_numpy(dtype=float, na_value=np.nan)
    plain = values.dt.tz_localize(None) if getattr(values.dtype, "tz", None) is not None else values
    days = plain.to_numpy("datetime64[us]")
    return np.where(np.isnat(days), np.nan, days.astype(np.int64) / 86_400e6)


def texts(values: "pd.Series[Any]") -> list[str]:
    """The known cells of a column as text; numbers in the shortest way."""
    known = values[values.notna()]
    return [f"{value:g}" if known.dtype.kind in "iuf" else str(value) for value in known]


def text(value: Any, decimals: int) -> str:
    """A cell in at most LETTERS letters."""
    if value is None or value != value:
        return "\N{EM DASH}"
    if hasattr(value, "isoformat"):
        return str(value.isoformat()[:10])
    if isinstance(value, float):
        return f"{value:.{decimals}f}" if abs(value) < 1e8 else f"{value:.3g}"
    return short(value, LETTERS)


def decimals(values: "pd.Series[Any]") -> int:
    """How many digits after the point show a column: as many as it has, at most 3, or 2 where its standard
    deviation is 1 or more."""
    if values.dtype.kind != "f":
        return 0
    known = values.dropna().to_numpy(dtype=float, na_value=np.nan)
    most = 3 if len(known) and known.std() < 1 else 2
    return next(d for d in range(4) if d == most or np.allclose(known.round(d), known, rtol=1e-6, atol=1e-9))
