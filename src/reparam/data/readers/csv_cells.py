"""What the cells of a text file mean: numbers and dates as people write them, and text after an apostrophe.

A spreadsheet takes a cell that begins with =, +, -, @, tab or carriage return for a formula (CWE-1236), and
shows one that begins with an apostrophe as text. So such text is written after an apostrophe, and read
without it; numbers such as -0.5 are left as they are.
"""

import re
from typing import Any, NamedTuple

import pandas as pd

Series = Any  # a pd.Series
UNIT = re.compile("[$€£¥%]")
EXACT = 2.0**53
"""From here on floats are not all whole numbers."""
DAY_FIRST = re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}")
FORMULA = re.compile(r"'*(?:[=@\t\r]|[+-](?!(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$))")


def inert(cell: str) -> str:
    """The cell as it is written; `original` reads it back, whatever it is.

    >>> [inert(cell) for cell in ("=1+1", "-0.5e3", "-x", "'@a", "it's")]
    ["'=1+1", '-0.5e3', "'-x", "''@a", "it's"]
    """
    return f"'{cell}" if FORMULA.match(cell) else cell


def original(cell: str) -> str:
    """The cell that was written.

    >>> [original(cell) for cell in ("'=1+1", "'-0.5e3", "'quoted'")]
    ['=1+1', "'-0.5e3", "'quoted'"]
    """
    return cell[1:] if cell[:1] == "'" and FORMULA.match(cell, 1) else cell


class Decimals(NamedTuple):
    """How numbers are written: the marks before their decimals and between thousands."""

    point: str
    thousands: str

    def numbers(self, texts: Series) -> Series | None:
        """Numbers from texts that have marks between thousands, a decimal comma, or one unit; None where a
        text is no number, or pandas reads them all.

        >>> Decimals(".", ",").numbers(pd.Series(["$1,234.50", "-$7", None])).tolist()
        [1234.5, -7.0, nan]
        >>> Decimals(",", ".").numbers(pd.Series(["1.234,5 %", "12 %"])).tolist()
        [1234.5, 12.0]
        >>> Decimals(".", ",").numbers(pd.Series(["$5", "€5"])), Decimals(".", ",").numbers(pd.Series(["5"]))
        (None, None)
        """
        point, mark = re.escape(self.point), re.escape(self.thousands)
        unit = rf"(?:{UNIT.pattern} ?)?"
        number = re.compile(rf"[+-]?{unit}(\d{{1,3}}({mark}\d{{3}})+|\d+)({point}\d+)? ?{unit}")
        known = texts.dropna()
        if not len(known) or not all(number.fullmatch(text) for text in known):
            return None
        units = {unit for text in known for unit in UNIT.findall(text)}
        marks = self.thousands + "," * (self.point == ",")
        if len(units) > 1 or not (units or any(mark in text for text in known for mark in marks)):
            return None
        plain = known.str.replace(f"{UNIT.pattern}| |{mark}", "", regex=True).str.replace(self.point, ".")
        found = plain.astype(float)
        whole = not plain.str.contains(".", regex=False).any() and found.abs().max() < EXACT
        return (found.astype("int64") if whole else found).reindex(texts.index)


POINT, COMMA = Decimals(".", ","), Decimals(",", ".")


def meant(texts: Series, decimals: Decimals) -> Series:
    """What a column of texts holds: numbers, dates such as 14.05.2022, the day first, or the texts."""
    stripped = texts.map(lambda text: text.strip(), na_action="ignore")
    numbers = decimals.numbers(stripped)
    if numbers is not None:
        return numbers
    known = stripped.dropna()
    if len(known) and all(DAY_FIRST.fullmatch(text) for text in known):
        dates = pd.to_datetime(stripped, format="%d.%m.%Y", errors="coerce")
        if not (dates.isna() & stripped.notna()).any():
            return dates
    return stripped.map(original, na_action="ignore")
