"""The kind of a column, from its type first and then its values."""

import re
from typing import Any

import numpy as np
import pandas as pd
import torch
from pandas.api import types

from ...errors import DataError
from ...families.quantile import learn
from ..readers.tables import FEW
from .base import coarse
from .column import Column, Kind, moments, plain

MOST_CATEGORIES = 100
SKEWED = 3.0
"""A positive column is log-normal if its logarithm is this many times less skewed."""
REPEATED = 3
"""Numbers that each occur this often on average are written as one of those observed."""
MOST_VALUES = 512
"""The most numbers of a column that are kept for that."""
DECIMALS = 10
"""The most decimals of a column that are rounded."""
NUMBERED = 20
"""Fewer rows do not tell an identifier from a number."""
SPARSE = 3
"""Identifiers are whole numbers, all different, from a range at most this many times their number."""
IDENTIFIER = re.compile(r"(?:^|[\W_])(?:id|uuid|key)$|[a-z]I[dD]$", re.ASCII)
CLOCK_TIMES = 60
"""Fewer different numbers are not read as times of day."""
SPIKE = 0.05
"""The share of the rows from which a number is called frequent."""


def column_of(name: str, values: "pd.Series[Any]") -> Column:
    """The column of training data (n,); DataError where its cells are lists or other objects."""
    dtype = str(values.dtype)
    present = values.dropna()
    try:
        distinct = present.nunique()
    except TypeError:
        raise DataError(
            f"column {name!r} holds lists or other objects; give each number its own column"
        ) from None
    if distinct <= 1:
        return Column(name, "constant", dtype, value=plain(present.iloc[0]) if distinct else None)
    if isinstance(values.dtype, pd.CategoricalDtype):
        ordered = bool(values.dtype.ordered)
        categories = [plain(v) for v in values.cat.categories]
        dtype = "category ordered" if ordered else "category"
        kind: Kind = "ordinal" if ordered else "categorical"
        return Column(name, kind, dtype, categories=categories)
    if types.is_datetime64_any_dtype(values):
        return date_column(name, present, dtype)
    if types.is_bool_dtype(values) or set(map(type, present)) == {bool}:
        return Column(name, "boolean", dtype, categories=[False, True])
    if not types.is_numeric_dtype(values):
        return text_column(name, present, dtype)
    return number_column(name, present.astype(float), dtype)


def text_column(name: str, present: "pd.Series[Any]", dtype: str) -> Column:
    dates = moments(present.astype(str))
    if dates.notna().all():
        zone = dates.dt.tz
        return date_column(name, dates, "datetime64[us]" if zone is None else f"datetime64[us, {zone}]")
    if present.nunique() > min(MOST_CATEGORIES, max(2, len(present) // 2)):
        return Column(name, "key", dtype)
    return Column(name, "categorical", dtype, categories=sorted(map(plain, present.unique()), key=str))


def date_column(name: str, present: "pd.Series[Any]", dtype: str) -> Column:
    first, day = present.min(), pd.Timedelta(days=1)
    days = ((present - first) / day).to_numpy(dtype=float)
    whole = bool((days % 1 == 0).all())
    words: Any = {"value": str(first), "quantile": True, "values": repeated(days)}
    return Column(name, "date", dtype, 0.0, float(days.max()), whole, **words)


def number_column(name: str, present: "pd.Series[Any]", dtype: str) -> Column:
    numbers = present.to_numpy()
    low, high, n = float(numbers.min()), float(numbers.max()), len(numbers)
    whole = bool((numbers == numbers.round()).all())
    distinct = int(present.nunique())
    if whole and (low, high) == (0, 1):
        return Column(name, "boolean", dtype, low, high, whole)
    if whole and is_identifier(name, distinct, n, high - low):
        return Column(name, "key", dtype)
    few = distinct <= FEW and distinct * REPEATED <= n
    counts = whole and low == 0
    inflated = counts and is_inflated(numbers)
    if counts and likelier_as_counts(numbers, inflated=inflated):
        return Column(name, "count", dtype, low, high, whole, inflated=inflated)
    if few:
        levels = [int(v) if "int" in dtype.lower() else float(v) for v in np.unique(numbers)]
        return Column(name, "ordinal", dtype, low, high, whole, levels)
    words: Any = {
        "quantile": True,
        "decimals": decimals_of(numbers),
        "values": repeated(numbers),
        "hhmm": whole and is_clock(numbers),
        "spike": spike_of(numbers),
    }
    if counts:
        return Column(name, "count", dtype, low, high, whole, inflated=inflated, **words)
    if low > 0 and abs(skew(numbers)) > SKEWED * abs(skew(np.log(numbers))):
        return Column(name, "positive", dtype, low, high, whole, **words)
    origin = float(round(numbers.mean())) if coarse(numbers) else None
    return Column(name, "real", dtype, low, high, whole, value=origin, **words)


def is_identifier(name: str, distinct: int, n: int, extent: float) -> bool:
    """Whether whole numbers are those of the rows: all different in a range that would make equal ones likely
    if they were drawn at random, or most of them different under the name of an identifier."""
    if n <= NUMBERED:
        return False
    numbered = distinct == n and extent < (1 if n <= 2 * NUMBERED else SPARSE) * n
    return numbered or (distinct > n / 2 and bool(IDENTIFIER.search(name)))


def is_clock(numbers: np.ndarray[Any, Any]) -> bool:
    """Whether whole numbers are times of day as hhmm: up to 2400, none with minutes of 60 or more."""
    known = len(np.unique(numbers)) > CLOCK_TIMES and numbers.max() >= 1000
    return bool(known and numbers.min() >= 0 and numbers.max() <= 2400 and (numbers % 100 < 60).all())


def spike_of(numbers: np.ndarray[Any, Any]) -> list[float]:
    """The most frequent number and its share of the rows, if that is SPIKE or more."""
    found, counts = np.unique(numbers, return_counts=True)
    share = float(counts.max() / len(numbers))
    return [float(found[counts.argmax()]), share] if share >= SPIKE else []


def decimals_of(numbers: np.ndarray[Any, Any]) -> int | None:
    """The decimals with which the numbers are written; None for more than DECIMALS."""
    written = (d for d in range(DECIMALS + 1) if np.array_equal(np.round(numbers, d), numbers))
    return next(written, None)


def repeated(numbers: np.ndarray[Any, Any]) -> list[float]:
    """The different numbers, if there are few of them for so many rows; else none."""
    found = np.unique(numbers)
    kept = len(found) <= MOST_VALUES and len(found) * REPEATED <= len(numbers)
    return [float(v) for v in found] if kept else []


def skew(numbers: np.ndarray[Any, Any]) -> float:
    return float((((numbers - numbers.mean()) / numbers.std()) ** 3).mean())


def moments_of(counts: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Mean m and r = m^2 / (v - m) of the negative binomial with the counts' mean and variance v."""
    m, v = float(counts.mean()), float(counts.var(ddof=1))
    return m, m**2 / (v - m) if v > m else 1e6


def is_inflated(counts: np.ndarray[Any, Any]) -> bool:
    """Whether zeros are more frequent, by 0.05, than under a negative binomial of the same mean and variance:
    (r / (r + m))^r."""
    m, r = moments_of(counts)
    return bool((counts == 0).mean() > (r / (r + m)) ** r + 0.05)


def likelier_as_counts(numbers: np.ndarray[Any, Any], *, inflated: bool) -> bool:
    """Whether half of the rows are likelier under a negative binomial with the moments of the other half,
    zeros apart where they are `inflated`, than under the margin of that half."""
    from scipy.stats import nbinom  # slow to import

    half = np.random.default_rng(0).permutation(len(numbers)) % 2 == 0
    seen, held = numbers[half], numbers[~half]
    counted = seen[seen > 0] if inflated else seen
    if len(np.unique(counted)) < 2:
        return False
    m, r = moments_of(counted)
    log_p = nbinom(r, r / (r + m)).logpmf(held)
    if inflated:
        zeros = np.clip((seen == 0).mean(), 1e-6, 1 - 1e-6)
        log_p = np.where(held == 0, np.log(zeros), np.log1p(-zeros) + log_p)
    own = learn(seen).log_density(torch.as_tensor(held)[:, None]).numpy()
    return bool(log_p.mean() >= own.mean())
