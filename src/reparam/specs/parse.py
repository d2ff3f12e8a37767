"""Parse the text of a spec. No code is run: a whitelist walk of the syntax tree, types from annotations."""

import ast
import difflib
import re
from collections.abc import Sequence
from dataclasses import fields
from inspect import isfunction, signature
from typing import Any

from ..errors import SpecError
from .spec import Spec, accepts, annotations, as_kind, describe, no_argument, rows

LONGEST = 64 * 1024
DEEPEST = 32
BRACKETS = {"(": ")", "[": "]", "{": "}"}


def parse(text: str, kind: Any, specs: Sequence[type[Spec]] = ()) -> Any:
    """The value that `text` describes, of the annotated type `kind`; your own `specs` may be named too.

    >>> from reparam.specs.schedules import Schedule
    >>> parse("Linear(0, 1, steps=100)", Schedule)
    Linear(0.0, 1.0, 100)
    >>> parse("__import__('os').system('true')", Schedule)
    Traceback (most recent call last):
    ...
    reparam.errors.SpecError: not a spec: __import__('os').system('true')
    """
    if len(text) > LONGEST:
        raise SpecError(f"spec too long: {len(text)} characters; at most {LONGEST} are allowed")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise SpecError(bracket_fault(text) or f"not a spec: {text[:200]!r}") from None
    value = as_kind(kind, _value(tree, [kind], tuple(specs), 0))
    if not accepts(kind, value):
        raise SpecError(f"{text.strip()[:200]!r} is not {describe(kind)}")
    return value


def bracket_fault(text: str) -> str:
    """What is wrong with the brackets of `text`, outside quotes; empty where they match.

    >>> bracket_fault("MLP((256"), bracket_fault("MLP(256))"), bracket_fault("MLP((256,))")
    ("a bracket is not closed: 'MLP((256' lacks '))' at its end", "'MLP(256))' has one ')' too many", '')
    """
    due: list[str] = []
    shown = repr(text[:200])
    for mark in re.sub(r"'[^']*'|\"[^\"]*\"", "", text):
        if mark in BRACKETS:
            due.append(BRACKETS[mark])
        elif due and mark == due[-1]:
            due.pop()
        elif mark in BRACKETS.values():
            wrong = f"{mark!r} where {due[-1]!r} is due" if due else f"one {mark!r} too many"
            return f"{shown} has {wrong}"
    return f"a bracket is not closed: {shown} lacks {''.join(due[:-21:-1])!r} at its end" if due else ""


def _value(node: ast.expr, kinds: list[Any], specs: tuple[type[Spec], ...], depth: int) -> Any:
    if depth > DEEPEST:
        raise SpecError(f"spec nested too deep: at most {DEEPEST} levels are allowed")
    match node:
        case ast.Constant(value=None | bool() | int() | float() | str() as value):
            return value
        case ast.UnaryOp(
            op=ast.USub() | ast.UAdd() as sign, operand=ast.Constant(value=int() | float() as value)
        ):
            return -value if isinstance(sign, ast.USub) else value
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return tuple(_value(item, kinds, specs, depth + 1) for item in items)
        case ast.Call(func=ast.Name(id=name)):
            return _call(node, name, kinds, specs, depth)
        case ast.Name(id="inf" | "nan" as name):
            return float(name)
    raise SpecError(f"not a spec: {ast.unparse(node)[:200]}")


def _call(node: ast.Call, name: str, kinds: list[Any], specs: tuple[type[Spec], ...], depth: int) -> Spec:
    allowed = {row.__name__: row for kind in kinds for row in rows(kind)} | {s.__name__: s for s in specs}
    if name not in allowed:
        near = difflib.get_close_matches(name, allowed, 1)
        hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(sorted(allowed)) or 'none'}"
        raise SpecError(f"unknown name {name} here; {hint}")
    make = allowed[name]
    hints = {} if isfunction(make) else annotations(make)
    names = [*signature(make).parameters] if isfunction(make) else [field.name for field in fields(make)]
    if len(node.args) > len(names):
        raise SpecError(f"{name} takes {len(names)} arguments, not {len(node.args)}")
    words = list(zip(names, node.args, strict=False))
    for keyword in node.keywords:
        if keyword.arg not in names:
            raise SpecError(no_argument(name, keyword.arg or "**", names))
        words.append((keyword.arg, keyword.value))
    values = {word: _value(value, [hints.get(word, Any)], specs, depth + 1) for word, value in words}
    if len(values) < len(words):
        raise SpecError(f"{name} is given the same argument twice")
    try:
        made = make(**values)
    except TypeError as error:
        raise SpecError(f"{name}: {error}") from None
    assert isinstance(made, Spec)
    return made
