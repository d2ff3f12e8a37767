"""Rows in passes that memory holds, each filled up to one size."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..model.model import Model
from ..tensors import Rowwise, numel

ROWS = 128
"""Rows of a pass. Every pass is filled up to its size, so a row's numbers do not depend on how many rows came
with it."""
CELLS = 1 << 20
"""Numbers that a pass decodes, or else reads: few enough for a processor's cache, whatever k is."""


def batches(x: Rowwise, y: Tensor | None, rows: int) -> Iterator[tuple[Tensor, Tensor | None, int]]:
    """(x, y, how many count): every batch has `rows` rows, the last filled up with its own first row."""
    for i in range(0, len(x), rows):
        part = [t[i : i + rows] for t in (x, y) if t is not None]
        count = len(part[0])
        if count < rows:
            part = [torch.cat((t, t[:1].expand(rows - count, *t.shape[1:]))) for t in part]
        yield part[0], None if y is None else part[1], count


def rows_at_once(model: Model) -> int:
    """How many rows a pass takes where nothing is drawn."""
    return max(1, min(8 * ROWS, CELLS // numel(model.event)))


def samples_at_once(model: Model, k: int) -> int:
    """How many of k samples a pass takes."""
    return max(1, min(k, 100, CELLS // (ROWS * numel(model.event))))


@torch.no_grad()
def each_row(
    f: Callable[[Tensor, Tensor | None], dict[str, Tensor]],
    x: Rowwise,
    y: Tensor | None = None,
    rows: int = ROWS,
) -> dict[str, Tensor]:
    """What f finds in batches, joined: (n, ...) each. Written in place, since small pieces would keep freed
    memory from being given back."""
    found: dict[str, Tensor] = {}
    done = 0
    for a, b, count in batches(x, y, rows):
        for name, each in f(a, b).items():
            if not done:
                found[name] = each.new_empty(len(x), *each.shape[1:])
            found[name][done : done + count] = each[:count]
        done += count
    return found


def over_rows(
    f: Callable[[Tensor, Tensor | None], Tensor], x: Rowwise, y: Tensor | None = None, rows: int = ROWS
) -> Tensor:
    """f over batches, joined: (n, ...)."""
    return each_row(lambda a, b: {"": f(a, b)}, x, y, rows).get("", torch.empty(0))
