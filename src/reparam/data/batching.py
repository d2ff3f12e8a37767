"""What is asked of rows however they are held: a tensor, a sparse matrix, or a stream from disk."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..families import Family
from ..tensors import Rowwise
from .sparse import Sparse
from .stream import LocalBatch, Stream

PLACED = 1000
"""Rows looked at together where a value that was refused is to be placed."""


def pieces(x: Rowwise) -> Iterator[Tensor]:
    """All numbers, a part at a time; the zeros of a sparse matrix left out."""
    match x:
        case Sparse():
            yield torch.from_numpy(x.matrix.data)
        case Stream():
            yield from x
        case _:
            yield x[:]


def part(x: Rowwise, rows: Tensor) -> Rowwise:
    """Some rows, sparse where x is."""
    return Sparse(x.rows(rows), x.device) if isinstance(x, Sparse) else x[rows]


def refusal(family: Family, x: Rowwise) -> str | None:
    """What `family` says against the values of x, those that a sparse matrix does not store among them."""
    if not isinstance(x, Sparse):
        return family.refusal(x[:].numpy())
    values = (x.matrix.data[:, None], np.zeros((1, 1), np.float32))
    if all(family.refusal(each) is None for each in values):
        return None
    for first in range(0, len(x), PLACED):
        if found := family.refusal(x[first : first + PLACED].numpy()):
            return f"{found} (rows counted from {first})" if first else found
    return None


def whole(x: Rowwise) -> bool:
    """Whether a sparse x holds counts."""
    return isinstance(x, Sparse) and all(((v >= 0) & (v == v.floor())).all() for v in pieces(x))


def shuffled(x: Rowwise, size: int, rank: int, ranks: int, device: torch.device) -> Iterator[LocalBatch]:
    """Batches of `size` rows in a new random order, of each the share of one of several processes."""
    if isinstance(x, Stream):
        yield from x.shuffled(size, rank, ranks)
        return
    for rows in torch.split(torch.randperm(len(x)).to(device), size):
        shares = rows.tensor_split(ranks) if ranks > 1 else (rows,)
        start, count = sum(map(len, shares[:rank])), len(shares[rank])
        mine = shares[rank] if count else rows[:1]
        yield LocalBatch(mine, x[mine], start, count, len(rows))
