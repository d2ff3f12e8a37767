"""Model files with a damaged header and a right checksum: what was forged, not what a disk has spoilt."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reparam.serialization.header import UNSIGNED, signed

JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1,
    3,
    2**31,
    10**30,
    10**400,
    -(10**400),
    0.5,
    1e308,
    -1e308,
    1e-320,
    "",
    "x",
    "nan",
    "__class__",
    "2024-13-45",
    "int64",
    "\x1b[31m\r",
    "a" * 5000,
    [],
    [5],
    [[]],
    ["a", "a"],
    [None, 1],
    {},
    {"a": 1},
    [{"name": "x", "kind": "real"}],
)
"""Values in the place of a header's own."""
LITERALS = ("NaN", "Infinity", "-Infinity", "1e999", "1" * 5000)
"""Numbers that JSON does not know, or that are too long, in the place of a header's own."""

WORD = re.compile(r"(?<![\w.'])(-?\d[\w.+-]*|None|True|False|'[^']*')")
"""A literal in the text of a spec."""
WORDS = (
    "nan",
    "-inf",
    "1e999",
    "-1",
    "0",
    "0.0",
    "1e-300",
    "1e299",
    "3",
    "1" * 30,
    "None",
    "True",
    "'x'",
    "()",
)
"""Literals in the place of a spec's own."""


def reworded(path: Path, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Every literal of every spec in turn, with each of WORDS in its place; in a random order."""
    outer, header, weights = split(path)
    header["sha256"] = UNSIGNED
    held = header["spec"]
    cases = [(name, m.span(), w) for name, text in held.items() for m in WORD.finditer(text) for w in WORDS]
    rng.shuffle(cases)
    for name, (start, stop), word in cases:
        text = held[name][:start] + word + held[name][stop:]
        changed_header = header | {"spec": held | {name: text}}
        yield f"{name} is {text}", assembled(outer, json.dumps(changed_header, sort_keys=True), weights)


def split(path: Path) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """The outer header, the header of reparam in it, and the bytes behind both."""
    data = path.read_bytes()
    size = 8 + int.from_bytes(data[:8], "little")
    outer = json.loads(data[8:size])
    return outer, json.loads(outer["__metadata__"]["reparam"]), data[size:]


def assembled(outer: dict[str, Any], text: str, weights: bytes) -> bytes:
    """A file with `text` for its header, under a right checksum where `text` has a place for one."""
    words = json.dumps(outer | {"__metadata__": {"reparam": text}}, separators=(",", ":")).encode()
    words += b" " * (-len(words) % 8)
    return signed(len(words).to_bytes(8, "little") + words + weights)


def leaves(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all values in nested lists and dicts, containers too."""
    if at:
        yield at
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield from leaves(each, (*at, key))


def value_at(header: Any, at: tuple[Any, ...]) -> Any:
    for key in at:
        header = header[key]
    return header


def changed(header: dict[str, Any], at: tuple[Any, ...], value: Any, remove: bool = False) -> dict[str, Any]:
    """A copy of a header with another value at a place, or without it."""
    copy: Any = json.loads(json.dumps(header))
    inner = copy
    for key in at[:-1]:
        inner = inner[key]
    if remove:
        del inner[at[-1]]
    else:
        inner[at[-1]] = value
    return copy


def damaged(path: Path, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Every value of the header in turn, with each of JUNK in its place and removed; in a random order."""
    outer, header, weights = split(path)
    header["sha256"] = UNSIGNED
    cases = [(at, i) for at in leaves(header) for i in range(len(JUNK) + len(LITERALS) + 1)]
    rng.shuffle(cases)
    for at, i in cases:
        if i < len(JUNK):
            text = json.dumps(changed(header, at, JUNK[i]), sort_keys=True)
            name = f"{at} is {str(JUNK[i])[:30]!r}"
        elif i < len(JUNK) + len(LITERALS):
            word = LITERALS[i - len(JUNK)]
            text = json.dumps(changed(header, at, "@@"), sort_keys=True).replace('"@@"', word)
            name = f"{at} is {word[:30]}"
        else:
            text, name = json.dumps(changed(header, at, None, remove=True), sort_keys=True), f"{at} is absent"
        yield name, assembled(outer, text, weights)
