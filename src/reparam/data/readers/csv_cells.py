"""Text in csv that a spreadsheet would run as a formula: written after an apostrophe, read without it.

A spreadsheet takes a cell that begins with =, +, -, @, tab or carriage return for a formula (CWE-1236), and
shows one that begins with an apostrophe as text. Numbers such as -0.5 are left as they are.
"""

import re

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
