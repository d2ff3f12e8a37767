"""Checks of the cells of a table before it is fitted: an error names file, line and column."""

import datetime
import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from ...errors import DataError
from ..codecs.base import LARGEST
from .tables import FEW, Series, is_text, large, reject_cells, where

FAR = 1e6
"""A value this many interquartile ranges from the median causes a warning."""
MOST = 0.8
"""If this share of a text column are numbers, or dates, the other cells are errors."""
DATE = re.compile(r"(?:(?P<year>\d{4})|\d{1,2})(?P<mark>[-/.])\d{1,2}(?P=mark)(?:\d{4}|\d{1,2})\b")
TOGETHER = 1 << 22
"""The most cells that are sorted at once."""
Array = np.ndarray[Any, Any]


def check(frame: pd.DataFrame) -> None:
    """Raise for values that are no numbers, text, bools or dates, for numbers too large, text among numbers
    or dates, and dates of two formats."""
    empty = dict(zip(frame.columns, frame.isna().all().to_numpy(), strict=True))
    numeric = list[str]()
    for name in frame.columns:
        values = frame[name]
        _check_type(values)
        if empty[name]:
            file = frame.attrs.get("file")
            about = f"{file + ', ' if file else ''}column {name!r}"
            warnings.warn(f"{about} is empty and not modelled; drop it or fill it", stacklevel=2)
        elif is_text(values):
            _check_text(frame, name, values)
        elif types.is_numeric_dtype(values) and not types.is_bool_dtype(values):
            numeric.append(name)
    for names in _groups(numeric, max(1, TOGETHER // len(frame))):
        _check_numbers(frame, names)


def _groups(names: list[str], size: int) -> Iterator[list[str]]:
    return (names[first : first + size] for first in range(0, len(names), size))


PLAIN = (str, bool, int, float, np.bool_, np.integer, np.floating, datetime.date, np.datetime64)
"""Types of the values of a column of objects."""
CURES = {
    "complex": "give the real and the imaginary part a column each",
    "timedelta64": "write numbers: {0}.dt.total_seconds()",
    "duration": "write numbers: {0}.dt.total_seconds()",
    "period": "write dates: {0}.dt.to_timestamp()",
    "interval": "write text: {0}.astype(str)",
    "timestamp": "write dates of pandas: {0}.astype('datetime64[us]')",
    "date": "write dates of pandas: {0}.astype('datetime64[us]')",
    "decimal": "write numbers: {0}.astype(float)",
    "Decimal": "write numbers: {0}.astype(float)",
    **dict.fromkeys(("list", "tuple", "dict", "ndarray"), "give each number a column of its own"),
    "bytes": "write text: {0}.str.decode('utf-8')",
}
"""By the beginning of a type's name, what to do instead."""


def _check_type(values: Series) -> None:
    """DataError where a column's values are of a type that no column is read as, and cannot be stored."""
    held, kind = values, str(values.dtype)
    if isinstance(values.dtype, pd.CategoricalDtype):
        held, kind = pd.Series(values.cat.categories), str(values.cat.categories.dtype)
    if held.dtype == object:
        wrong = next((each for each in held.dropna() if not isinstance(each, PLAIN)), None)
        kind = "" if wrong is None else type(wrong).__name__
    elif types.is_datetime64_any_dtype(held.dtype) and "pyarrow" not in kind and held is values:
        return
    cure = next((words for begin, words in CURES.items() if kind.startswith(begin)), "")
    if cure or (held.dtype == object and kind) or types.is_datetime64_any_dtype(held.dtype):
        words = (cure or "write numbers, text or dates: {0}.astype(str)").format(f"X[{values.name!r}]")
        raise DataError(f"column {values.name!r} holds values of type {kind}; {words}")


def _check_numbers(frame: pd.DataFrame, names: list[str]) -> None:
    """Some numeric columns: numbers too large, and outliers."""
    X = np.stack([frame[name].to_numpy(dtype=float, na_value=np.nan) for name in names], 1)
    for j in np.flatnonzero((np.abs(X) > LARGEST).any(0)):
        large(frame, names[j], X[:, j])
    low, middle, high = _quartiles(X)
    far = (np.abs(X - middle) > FAR * (high - low)) & (high > low)
    for j in np.flatnonzero(far.any(0)):
        i = int(far[:, j].argmax())
        warnings.warn(
            f"{where(frame, i, names[j])} holds {X[i, j]:g}, an outlier (half of them are in {low[j]:g} to "
            f"{high[j]:g}): it inflates the column's scale; correct or drop it",
            stacklevel=3,
        )


def _quartiles(X: Array) -> Array:
    """(3, d) of the known numbers of each column of X (n, d), none of which is empty; linear between two.

    >>> _quartiles(np.array([[1.0, 5.0], [2.0, np.nan], [4.0, 7.0]])).T.tolist()
    [[1.5, 2.0, 3.0], [5.5, 6.0, 6.5]]
    """
    held, columns = np.sort(X, 0), np.arange(X.shape[1])
    at = np.outer((0.25, 0.5, 0.75), (~np.isnan(X)).sum(0) - 1)
    below = at.astype(int)
    above = np.minimum(below + 1, len(X) - 1)
    share = at - below
    first = held[below, columns]
    found: Array = first + np.where(share > 0, share * (held[above, columns] - first), 0.0)
    return found


def _check_text(frame: pd.DataFrame, name: str, values: Series) -> None:
    """A column of text, each different text once."""
    held = values.notna().to_numpy()
    which, distinct = pd.factorize(values[held].astype(str).to_numpy(dtype=object))
    times = np.bincount(which)
    numbers = pd.to_numeric(pd.Series(distinct), errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    number = ~np.isnan(numbers)
    with np.errstate(invalid="ignore"):  # infinity among them
        whole = bool((numbers[number] % 1 == 0).all())
    classes = whole and len(distinct) <= min(FEW, len(which) // 2)
    forms = [_form(word) for word in distinct]
    wrong = np.zeros(len(frame), bool)
    if MOST <= times[number].sum() / len(which) < 1 and not classes:
        wrong[held] = ~number[which]
        reject_cells(
            frame, name, wrong, " among numbers; correct it, or pass it with --na if it means missing"
        )
    elif times[[form != "" for form in forms]].sum() / len(which) >= MOST:
        often = {form: sum(t for f, t in zip(forms, times, strict=True) if f == form) for form in {*forms}}
        usual = min(form for form in often if form and often[form] == max(often[f] for f in often if f))
        wrong[held] = np.array([form != usual for form in forms])[which]
        like = distinct[forms.index(usual)]
        reject_cells(frame, name, wrong, f" among dates like {like!r}; write every date as YYYY-MM-DD")


def _form(word: str) -> str:
    """How a date is written: its separator, and Y where the year comes first; "" where it is none."""
    found = DATE.match(word)
    return found["mark"] + "Y" * (found["year"] is not None) if found else ""
