"""Options of a question, checked: one line says what is wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import DataError


def whole(options: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    """A whole number from low to high.

    >>> whole({"n": 3}, "n", 1, 1, 10), whole({}, "n", 1, 1, 10)
    (3, 1)
    """
    value = options.get(name)
    if value is None:
        return default
    if type(value) is not int or not low <= value <= high:
        raise DataError(f"{name} takes a whole number from {low} to {high}, not {shown(value)}")
    return value


def real(options: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    """A number from low to high."""
    value = options.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise DataError(f"{name} takes a number from {low:g} to {high:g}, not {shown(value)}")
    return float(value)


def one_of(options: Mapping[str, Any], name: str, known: Sequence[str]) -> str:
    """One of some words, by default the first."""
    value = options.get(name)
    if value is None:
        return known[0]
    if value not in known:
        raise DataError(f"{name} takes {' or '.join(known)}, not {shown(value)}")
    return str(value)


def flag(options: Mapping[str, Any], name: str, default: bool) -> bool:
    """True or false."""
    value = options.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise DataError(f"{name} takes true or false, not {shown(value)}")
    return value


def shown(value: Any) -> str:
    words = repr(value)
    return words if len(words) <= 40 else f"{words[:37]}..."
