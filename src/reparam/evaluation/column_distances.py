"""Columns of data frames as numbers, and how far two distributions differ, from 0 to 1.

>>> import pandas as pd
>>> numbers(pd.Series(pd.to_datetime(["1970-01-02", None]))).tolist()
[1.0, nan]
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]


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


def kolmogorov_smirnov(x: Array, y: Array) -> float:
    """The largest difference of the distribution functions of numbers (n,) and (m,)."""
    from scipy.stats import ks_2samp  # slow to import

    return float(ks_2samp(x, y, method="asymp").statistic)


def total_variation(p: Array, q: Array) -> float:
    """Half the L1 distance of two arrays of probabilities."""
    return float(np.abs(p - q).sum() / 2)
