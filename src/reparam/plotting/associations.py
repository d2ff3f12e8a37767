"""How two columns of a table depend on one another, as a number for every pair of types.

Numbers (dates among them) with numbers: Pearson's correlation, in [-1, 1]. Categories with categories:
Cramer's V; numbers with categories: the correlation ratio; both in [0, 1], and corrected for the value that
independent columns have at small n, so that tables of different lengths compare.

>>> import pandas as pd
>>> a = pd.Series([1.0, 2.0, 3.0, 4.0] * 5)
>>> round(association(a, -a), 3), round(association(a, a.astype(str)), 3)
(-1.0, 1.0)
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..evaluation.column_distances import is_number, numbers
from .cells import texts

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]


def association(a: "pd.Series[Any]", b: "pd.Series[Any]") -> float:
    """That of two columns over the rows where both are known; NaN where one of them does not vary."""
    return _of_pair(_Values(a), _Values(b))


def associations(frame: "pd.DataFrame") -> Array:
    """Of every pair of columns, (C, C); 1 on the diagonal."""
    columns = [_Values(frame[name]) for name in frame.columns]
    found = np.eye(len(columns))
    for i, a in enumerate(columns):
        for j, b in enumerate(columns[:i]):
            found[i, j] = found[j, i] = _of_pair(a, b)
    return found


class _Values:
    """A column as numbers (n,), or as numbers of classes; NaN where missing."""

    def __init__(self, values: "pd.Series[Any]") -> None:
        self.is_number = is_number(values)
        self.each = numbers(values) if self.is_number else np.full(len(values), np.nan)
        if not self.is_number:
            classes = np.unique(np.array(texts(values)), return_inverse=True)[1]
            self.each[values.notna().to_numpy()] = classes


def _of_pair(a: _Values, b: _Values) -> float:
    known = ~np.isnan(a.each) & ~np.isnan(b.each)
    x, y = a.each[known], b.each[known]
    if min(len(np.unique(x)), len(np.unique(y))) < 2:
        return float("nan")
    if a.is_number and b.is_number:
        return float(np.corrcoef(x, y)[0, 1])
    if a.is_number or b.is_number:
        return correlation_ratio(x, _codes(y)) if a.is_number else correlation_ratio(y, _codes(x))
    return cramers_v(_codes(x), _codes(y))


def _codes(values: Array) -> Array:
    """Class numbers without gaps."""
    return np.unique(values, return_inverse=True)[1]


def cramers_v(a: Array, b: Array) -> float:
    """Of two columns of class numbers (n,), with Bergsma's (2013) correction of bias, in [0, 1]."""
    n, (r, c) = len(a), (a.max() + 1, b.max() + 1)
    joint = np.zeros((r, c))
    np.add.at(joint, (a, b), 1 / n)
    expected = np.outer(joint.sum(1), joint.sum(0))
    phi = float(((joint - expected) ** 2 / expected).sum()) - (r - 1) * (c - 1) / (n - 1)
    least = min(k - (k - 1) ** 2 / (n - 1) for k in (r, c)) - 1
    return float(np.sqrt(min(max(phi, 0.0) / least, 1.0))) if least > 0 else float("nan")


def correlation_ratio(numbers: Array, groups: Array) -> float:
    """The root of the share of a number's variance between groups (n,), with Kelley's (1935) correction of
    bias, in [0, 1]."""
    n, counts = len(numbers), np.bincount(groups)
    if n <= len(counts):
        return float("nan")
    means = np.bincount(groups, numbers) / counts
    within = float(np.square(numbers - means[groups]).sum() / np.square(numbers - numbers.mean()).sum())
    return float(np.sqrt(max(1 - within * (n - 1) / (n - len(counts)), 0.0)))
