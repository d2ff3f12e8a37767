"""A spec is a frozen dataclass of plain values; its `repr` is the expression that creates it.

The same text is used in Python, on the command line, in a TOML file and in the header of a model
file. So a spec holds only None, bool, int, float, str, tuples and specs; numpy scalars and lists are
converted when it is built, and every field is checked against its annotation.

A field that takes one of several specs is annotated `Annotated[Family, Gaussian, Bernoulli, ...]`:
text may name only the listed classes. Python accepts those, and your own subclasses of the type.
"""

import difflib
import types
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from ..errors import SpecError


@dataclass(frozen=True)
class AtLeast:
    """In an annotation: the smallest value allowed."""

    least: float


GREATEST = 1e300
"""The largest number in a spec: its product with a size is finite too."""
Count = Annotated[int, AtLeast(1)]
Several = Annotated[int, AtLeast(2)]


@dataclass(frozen=True, repr=False)
class Spec:
    """The base class of all specs.

    >>> @dataclass(frozen=True, repr=False)
    ... class Dot(Spec):
    ...     x: float = 0.0
    ...     shape: tuple[int, ...] = ()
    >>> Dot(1, [2, 3])
    Dot(1.0, (2, 3))
    >>> Dot("one")
    Traceback (most recent call last):
    ...
    reparam.errors.SpecError: Dot.x takes float, not 'one'
    """

    def __post_init__(self) -> None:
        hints = annotations(type(self))  # type: ignore[arg-type]
        kinds = {field.name: hints[field.name] for field in fields(self)}
        for name, kind in kinds.items():
            object.__setattr__(self, name, as_kind(kind, getattr(self, name)))
        self._hold(kinds, listed=False)
        self.check()
        self._hold(kinds, listed=True)

    def _hold(self, kinds: dict[str, Any], listed: bool) -> None:
        """Check each field against its annotation; `listed` as in `accepts`."""
        for field, kind in kinds.items():
            name, value = f"{type(self).__name__}.{field}", getattr(self, field)
            if not accepts(kind, value, listed=listed):
                raise SpecError(f"{name} takes {describe(kind)}, not {value!r}")
            if wrong := [n for n in numbers(value) if not abs(n) <= GREATEST]:
                raise SpecError(f"{name} takes finite numbers, not {wrong[0]!r}")
            for mark in (mark for part in (kind, *get_args(kind)) for mark in get_args(part)):
                if isinstance(mark, AtLeast) and value is not None and value < mark.least:
                    raise SpecError(f"{name} must be {mark.least} or more, not {value}")

    def check(self) -> None:
        """Raise SpecError, with a correction, for values that the annotations cannot exclude."""

    def __repr__(self) -> str:
        return text(self)


def text(value: Any, *, complete: bool = False) -> str:
    """The expression that creates `value`: short, or `complete` with defaults, for files."""
    if isinstance(value, tuple):
        return f"({', '.join(text(v, complete=complete) for v in value)}{',' if len(value) == 1 else ''})"
    if not isinstance(value, Spec):
        return repr(value)
    words, positional = [], True
    for field in fields(value):
        held = getattr(value, field.name)
        if not complete and held == default_of(field):
            positional = False
            continue
        word = text(held, complete=complete)
        words.append(word if positional else f"{field.name}={word}")
    return f"{type(value).__name__}({', '.join(words)})"


def default_of(field: "Field[Any]") -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


@cache
def annotations(cls: type) -> dict[str, Any]:
    """The fields' annotations, resolved; `Annotated` is kept."""
    return get_type_hints(cls, include_extras=True)


def plain(value: Any) -> Any:
    """Lists become tuples, numpy scalars Python numbers; specs and plain values pass."""
    if isinstance(value, list | tuple):
        return tuple(plain(v) for v in value)
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return plain(value.tolist())
    return value


def numbers(value: Any) -> Iterator[float]:
    """The numbers in a plain value; those of a spec in it were checked when it was built."""
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from numbers(each)


def as_kind(kind: Any, value: Any) -> Any:
    """The plain value, a whole number as a float where nothing else fits."""
    value = plain(value)
    whole = _whole(kind, value) and not accepts(kind, value) and abs(value) <= GREATEST
    return float(value) if whole else value


def accepts(kind: Any, value: Any, *, listed: bool = False) -> bool:
    """Whether `value` is of the annotated `kind`; whole numbers pass for floats only through `as_kind`.

    `listed`: a class of this library must be listed in the annotation; your own classes fit anywhere.
    """
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin is Annotated:
        return accepts(args[0], value, listed=listed) and not (listed and _misplaced(args[1:], type(value)))  # type: ignore[arg-type]
    if origin in (Union, types.UnionType):
        return any(accepts(arg, value, listed=listed) for arg in args)
    if origin is Literal:
        return any(type(value) is type(arg) and value == arg for arg in args)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        each = (args[0],) * len(value) if len(args) == 2 and args[1] is Ellipsis else args
        return len(each) == len(value) and all(
            accepts(a, v, listed=listed) or _whole(a, v) for a, v in zip(each, value, strict=True)
        )
    if kind in (bool, int, float, str):
        return type(value) is kind
    return isinstance(kind, type) and isinstance(value, kind)


@cache
def _misplaced(rows: tuple[Any, ...], part: type) -> bool:
    """Whether a class of this library is not among those listed."""
    return part.__module__.startswith(f"{__name__.partition(chr(46))[0]}.") and part not in {
        row if isinstance(row, type) else row.__annotations__["return"] for row in rows
    }


def _whole(kind: Any, value: Any) -> bool:
    return type(value) is int and accepts(kind, 0.5)


def rows(kind: Any) -> list[Any]:
    """The classes that text may name for this annotation, in order."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return [row for row in args[1:] if not isinstance(row, AtLeast)]
    if args:
        return [row for arg in args if arg is not Ellipsis for row in rows(arg)]
    return [kind] if isinstance(kind, type) and issubclass(kind, Spec) else []


def describe(kind: Any) -> str:
    """An annotation in words, for messages."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return " | ".join(row.__name__ for row in rows(kind)) or describe(args[0])
    if origin in (Union, types.UnionType):
        return " | ".join(describe(arg) for arg in args)
    if origin is Literal:
        return " | ".join(repr(arg) for arg in args)
    if origin is tuple:
        each = describe(args[0]) if args else ""
        return f"a tuple of {f'({each})' if ' | ' in each else each}" if each else "a tuple"
    return "None" if kind in (None, type(None)) else str(kind.__name__)


def no_argument(owner: str, name: str, names: Iterable[str]) -> str:
    """The message for an argument that `owner` does not have.

    >>> no_argument("MLP", "hiden", ("hidden", "init")), no_argument("MLP", "width", ("hidden", "init"))
    ('MLP has no argument hiden; did you mean hidden?', 'MLP has no argument width; it takes hidden, init')
    """
    names = list(names)
    near = difflib.get_close_matches(name, names, 1)
    cure = f"did you mean {near[0]}?" if near else f"it takes {', '.join(names) or 'none'}"
    return f"{owner} has no argument {name}; {cure}"
