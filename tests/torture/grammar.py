"""Headers and specs by a grammar, with hypothesis."""

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings, strategies as st

from reparam.serialization.header import UNSIGNED

from . import models
from .headers import JUNK, LITERALS, assembled, changed, leaves, split, value_at
from .specs import specs

T = TypeVar("T")
__all__ = ["drawn", "headers", "specs"]

VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=12),
        st.sampled_from(JUNK),
        st.sampled_from([f"@@{i}" for i in range(len(LITERALS))]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=5,
)
"""What JSON can say, and with @@i the literals that it cannot."""


def drawn(strategy: st.SearchStrategy[T], n: int, rng: random.Random) -> Iterator[T]:
    """n examples of a strategy."""
    left = n
    while left > 0:
        some = batch(strategy, rng.getrandbits(32))[:left]
        yield from some
        left -= len(some)


def batch(strategy: st.SearchStrategy[T], number: int) -> list[T]:
    """Some hundred examples, by the number of their seed."""
    held: list[T] = []

    @seed(number)
    @settings(
        max_examples=500,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def keep(example: T) -> None:
        held.append(example)

    keep()
    return held


def headers(folder: Path, rng: random.Random, n: int) -> Iterator[tuple[str, tuple[str, bytes]]]:
    """A kind of model, and a file of it: in its header one to three values are replaced or removed, or the
    text of one argument is another by the grammar of the specs."""
    held = {}
    for kind in models.KINDS:
        outer, header, weights = split(folder / f"{kind}.safetensors")
        header["sha256"] = UNSIGNED
        held[kind] = outer, header, weights, list(leaves(header))

    def changes(kind: str) -> st.SearchStrategy[tuple[str, list[Any]]]:
        _, header, _, places = held[kind]
        values = st.one_of(VALUES, st.sampled_from(places).map(lambda at: value_at(header, at)))
        change = st.tuples(st.sampled_from(places), values, st.integers(0, 9).map(lambda i: i == 0))
        spec = specs().map(lambda pair: (("spec", pair[0]), pair[1], False))
        return st.tuples(st.just(kind), st.one_of(st.lists(change, min_size=1, max_size=3), st.tuples(spec)))

    for kind, made in drawn(st.sampled_from(models.KINDS).flatmap(changes), n, rng):
        outer, header, weights, _ = held[kind]
        for at, value, remove in made:
            with suppress(KeyError, IndexError, TypeError):  # an earlier change has removed the place
                header = changed(header, at, value, remove)
        text = json.dumps(header, sort_keys=True)
        for i, word in enumerate(LITERALS):
            text = text.replace(f'"@@{i}"', word)
        yield kind, (str([(at, value) for at, value, _ in made])[:120], assembled(outer, text, weights))
