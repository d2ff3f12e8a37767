"""Cells of a data frame as text.

>>> import pandas as pd
>>> texts(pd.Series([1.0, 2.5, None]))
['1', '2.5']
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from .style import short

if TYPE_CHECKING:
    import pandas as pd

LETTERS = 16


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
