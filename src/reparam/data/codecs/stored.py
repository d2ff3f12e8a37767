"""The columns of a table as a model file holds them: checked, because a file may hold anything."""

import math
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from ...errors import FormatError
from .column import Column

REFUSED = (ArithmeticError, NotImplementedError, SyntaxError, TypeError, ValueError)
"""What pandas raises for a type, or for a value that a type cannot hold."""
GREATEST = 1e300
"""Numbers of a column are smaller: as bounds of a cell they can be converted to any type."""


def columns(held: list[dict[str, Any]]) -> list[Column]:
    """The columns of a header; FormatError where one cannot be what `Column` says."""
    found = [Column(**column) for column in held]
    for column in found:
        for name, is_sound in RULES.items():
            if not is_sound(column):
                raise FormatError(f"column {column.name[:80]!r} has {name} that no table has")
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < GREATEST and math.isfinite(value)


def _has_range(column: Column) -> bool:
    """`low` and `high` are numbers in order, and a column of integers can hold them."""
    low, high = column.low, column.high
    if not (_is_number(low) and _is_number(high) and low <= high):
        return False
    if not column.modelled or column.categories or not column.whole_type:
        return True
    limits = np.iinfo(column.whole_type)
    return bool(limits.min <= low and high <= limits.max)


def _has_categories(column: Column) -> bool:
    held = column.categories
    if not all(isinstance(each, str) or _is_number(each) for each in held) or len(set(held)) < len(held):
        return False
    if not held:
        return column.kind not in ("categorical", "ordinal")
    return column.dtype.startswith("category") or _holds(column.dtype, tuple(map(type, held)), tuple(held))


def _has_type(column: Column) -> bool:
    if not column.modelled or column.dtype.startswith("category"):
        return True
    return _is_type(column.dtype) and (
        bool(column.categories) or column.kind == "date" or _holds(column.dtype, (float,), (0.0,))
    )


@cache
def _is_type(dtype: str) -> bool:
    """Whether it is one that pandas knows, of numbers, bools, text, dates or objects."""
    try:
        return len(dtype) < 100 and pd.api.types.pandas_dtype(dtype).kind in "biufOUM"
    except REFUSED:
        return False


@cache
def _holds(dtype: str, kinds: tuple[type, ...], values: tuple[Any, ...]) -> bool:
    """Whether values of those `kinds` (1, 1.0 and True are equal) can stand in a column of that type."""
    try:
        return len(pd.Series(values, dtype=object).astype(dtype)) == len(values)  # type: ignore[call-overload]
    except REFUSED:
        return False


def _has_value(column: Column) -> bool:
    if not (column.value is None or isinstance(column.value, str) or _is_number(column.value)):
        return False
    try:
        if column.kind == "date":
            column.decode(np.array([column.low, column.high], dtype=float))
        elif column.kind == "constant" and column.constant is not None:
            return _holds(column.dtype, (type(column.value),), (column.value,))
    except REFUSED:
        return False
    return True


def _has_rows(column: Column) -> bool:
    return type(column.rows) is int and 0 <= column.rows < 1 << 53


def _has_writing(column: Column) -> bool:
    """How numbers are written: decimals, increasing values, and the most frequent one with its share."""
    decimals, values, spike = column.decimals, column.values, column.spike
    increasing = all(map(_is_number, values)) and all(a < b for a, b in pairwise(values))
    return (
        (decimals is None or (type(decimals) is int and 0 <= decimals <= 300))
        and increasing
        and len(spike) in (0, 2)
        and all(map(_is_number, [*spike, column.missing]))
    )


RULES: dict[str, Callable[[Column], bool]] = {
    "a type": _has_type,
    "categories": _has_categories,
    "a range": _has_range,
    "a value": _has_value,
    "a number of rows": _has_rows,
    "a way of writing": _has_writing,
}
"""What is wrong with a column where a rule is broken, in the order in which they depend on one another."""
