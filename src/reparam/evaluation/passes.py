"""Rows in batches that fit in memory, each padded to one size."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from ..memory import freed_memory_kept
from ..model.model import Model
from ..tensors import Rowwise, numel

ROWS = 128
"""Rows per batch. Every batch is padded to this size, so a row's numbers do not depend on the number of
rows passed with it."""
CELLS = 1 << 20
"""Numbers per batch that are decoded, or else read: they fit in a processor's cache for any k."""

DRAWS = 8
"""Draws of z at once, or more, where a row is not wider than CELLS by itself."""


_tell: ContextVar[Callable[[int, int], None]] = ContextVar("tell", default=lambda done, n: None)


@contextmanager
def watched(tell: Callable[[int, int], None]) -> Iterator[None]:
    """Inside, `tell` is called after each batch of a pass with the rows done and all rows."""
    token = _tell.set(tell)
    try:
        yield
    finally:
        _tell.reset(token)


def cells_of(model: Model) -> int:
    """Numbers in memory for a decoded row, by which rows at once are bounded."""
    return numel(model.event) * model.likelihood.memory


def batches(x: Rowwise, y: Tensor | None, rows: int) -> Iterator[tuple[Tensor, Tensor | None, int]]:
    """(x, y, number without padding): every batch has `rows` rows, the last padded with its first row."""
    for i in range(0, len(x), rows):
        part = [t[i : i + rows] for t in (x, y) if t is not None]
        count = len(part[0])
        if count < rows:
            part = [torch.cat((t, t[:1].expand(rows - count, *t.shape[1:]))) for t in part]
        yield part[0], None if y is None else part[1], count


def rows_at_once(model: Model) -> int:
    """Rows per batch where nothing is sampled."""
    return max(1, min(8 * ROWS, CELLS // cells_of(model)))


def rows_when_sampled(model: Model) -> int:
    """Rows per batch where z is drawn many times: of wide rows fewer than ROWS, so that what depends on x
    alone is computed once for several draws."""
    return max(1, min(ROWS, CELLS // (DRAWS * cells_of(model))))


def samples_at_once(model: Model, k: int) -> int:
    """How many of k samples are drawn at once, for `rows_when_sampled` rows."""
    return max(1, min(k, 100, CELLS // (rows_when_sampled(model) * cells_of(model))))


@torch.no_grad()
def each_row(
    f: Callable[[Tensor, Tensor | None], dict[str, Tensor]],
    x: Rowwise,
    y: Tensor | None = None,
    rows: int = ROWS,
) -> dict[str, Tensor]:
    """The results of f over batches, concatenated: (n, ...) each. Written in place, because small pieces
    would fragment memory."""
    found: dict[str, Tensor] = {}
    done = 0
    with freed_memory_kept():
        for a, b, count in batches(x, y, rows):
            for name, each in f(a, b).items():
                if not done:
                    found[name] = each.new_empty(len(x), *each.shape[1:])
                found[name][done : done + count] = each[:count]
            done += count
            _tell.get()(done, len(x))
    return found


def over_rows(
    f: Callable[[Tensor, Tensor | None], Tensor], x: Rowwise, y: Tensor | None = None, rows: int = ROWS
) -> Tensor:
    """f over batches, concatenated: (n, ...)."""
    return each_row(lambda a, b: {"": f(a, b)}, x, y, rows).get("", torch.empty(0))
