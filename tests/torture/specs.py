"""Texts of specs by the grammar of the annotations: mostly right, with a wrong value, name or bracket here
and there."""

import json
from dataclasses import fields
from inspect import isfunction, signature
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st

from reparam.estimator.validation import KINDS
from reparam.serialization.header import UNSIGNED
from reparam.specs.spec import annotations, rows

from .headers import assembled, split

WRONG = (
    "nan",
    "inf",
    "-inf",
    "1e999",
    "1e308",
    "-1",
    "0",
    "10**9",
    "1" * 30,
    "1" * 400,
    "1" * 5000,
    "None",
    "True",
    "'x'",
    "()",
    "(1,)",
    "((2,),)",
    "MLP",
    "MLP()",
    "Nothing()",
    "__import__('os').system('true')",
    "(lambda: 0)()",
    "[0 for _ in 'ab']",
    "f'{1}'",
    "1j",
    "b''",
    "...",
    "x := 1",
    "{}",
    "(" * 200,
    "'\x00'",
)
NUMBERS = st.one_of(st.integers(-3, 12), st.floats(-4, 4), st.sampled_from([0.5, 1e-8, 100, 1 << 40]))
DEEPEST = 3


def texts(kind: Any, depth: int = 0) -> st.SearchStrategy[str]:
    """Texts for an annotation; one in thirty is wrong."""
    right = _right(kind, depth)
    return st.integers(0, 29).flatmap(lambda i: right if i else st.sampled_from(WRONG))


def _right(kind: Any, depth: int) -> st.SearchStrategy[str]:
    origin, args = get_origin(kind), get_args(kind)
    if kind in (None, type(None)):
        return st.just("None")
    if kind is bool:
        return st.sampled_from(["True", "False"])
    if kind is int:
        return st.integers(-1, 9).map(str)
    if kind is float:
        return NUMBERS.map(repr)
    if kind is str:
        return st.sampled_from(["'tanh'", "'elu'", "'auto'", "'cpu'", "'a'"])
    if origin is Literal:
        return st.sampled_from(args).map(repr)
    if origin is Annotated and not rows(kind):
        return _right(args[0], depth)
    if origin is tuple:
        each = texts(args[0] if args else int, depth + 1)
        return st.lists(each, max_size=3).map(lambda held: f"({''.join(f'{word}, ' for word in held)})")
    if origin in (Union, UnionType):
        return st.one_of(*(_right(arg, depth) for arg in args))
    named = rows(kind)
    return st.sampled_from(named).flatmap(lambda row: _call(row, depth)) if named else st.just("None")


def _call(make: Any, depth: int) -> st.SearchStrategy[str]:
    """A spec with some of its arguments."""
    if depth >= DEEPEST:
        return st.just(f"{make.__name__}()")
    if isfunction(make):
        hints: dict[str, Any] = dict.fromkeys(signature(make).parameters, int)
    else:
        hints = {field.name: annotations(make)[field.name] for field in fields(make)}
    arguments = st.fixed_dictionaries({}, optional={name: texts(hints[name], depth + 1) for name in hints})
    return arguments.map(
        lambda held: f"{make.__name__}({', '.join(f'{name}={word}' for name, word in held.items())})"
    )


def specs() -> st.SearchStrategy[tuple[str, str]]:
    """The name of an argument of VAE and a text for it."""
    return st.sampled_from(sorted(KINDS)).flatmap(lambda name: st.tuples(st.just(name), texts(KINDS[name])))


def with_spec(path: Path, name: str, text: str) -> bytes:
    """A model file whose header says so of one argument."""
    outer, header, weights = split(path)
    header |= {"sha256": UNSIGNED, "spec": header["spec"] | {name: text}}
    return assembled(outer, json.dumps(header, sort_keys=True), weights)
