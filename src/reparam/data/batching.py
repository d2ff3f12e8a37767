"""Operations on rows of any storage: a tensor, a sparse matrix, or a stream from disk."""

import hashlib
import math
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError
from ..families import Family, Violation
from ..tensors import Rowwise
from .sparse import Sparse
from .stream import LocalBatch, Stream

Rows = tuple[Rowwise, Tensor | None]
"""x (n, *E), and class numbers y (n,) where the model uses labels."""
LARGEST_PART = 0.2
"""The largest block of a stream of which blocks are held out, as a share of all rows."""
LABELLED = 0.1
"""The share of labelled rows to which they are repeated in training."""
DIGESTED = 1000
"""Rows of the first digest, which is all that older checkpoints hold."""
PLACED = 1000
"""Rows per block in the search for a value outside the support."""


def pieces(x: Rowwise) -> Iterator[Tensor]:
    """All numbers, one block at a time, without the zeros of a sparse matrix."""
    match x:
        case Sparse():
            yield torch.from_numpy(x.matrix.data)
        case Stream():
            yield from x
        case _:
            yield x[:]


class Weighted:
    """Rows with a weight each (n,): an epoch is n draws of rows in proportion to their weights.

    The draws are systematic (Douc and Cappe 2005, section 2.3): with w of sum 1, row i comes floor(n w_i) or
    ceil(n w_i) times, n w_i on average; rows of equal weights come once each.
    """

    def __init__(self, rows: Rowwise, weights: Tensor) -> None:
        self.rows, self.weights = rows, weights

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Any) -> Tensor:
        return self.rows[rows]

    def to(self, device: torch.device) -> "Weighted":
        return Weighted(self.rows.to(device), self.weights)

    def drawn(self) -> Tensor:
        """Row numbers (n,) of one epoch, in no particular order."""
        ends = self.weights.double().cumsum(0)
        places = (torch.arange(len(ends)) + torch.rand(1, dtype=torch.float64)) / len(ends)
        return torch.searchsorted(ends / ends[-1], places, right=True).clamp(max=len(ends) - 1)


def weighted(rows: Rows, weights: Tensor) -> Rows:
    """The rows with their weights (n,)."""
    x, y = rows
    if isinstance(x, Stream):
        raise DataError("sample_weight is for rows in memory, and these are read from disk block by block")
    return Weighted(x, weights), y


def drawn_once(rows: Rows) -> Rows:
    """Rows without weights: as many, drawn by their weights if they have any."""
    x, y = rows
    if not isinstance(x, Weighted):
        return rows
    numbers = x.drawn()
    return part(x.rows, numbers), None if y is None else y[numbers]


def part(x: Rowwise, rows: Tensor) -> Rowwise:
    """Some rows, sparse or weighted where x is."""
    if isinstance(x, Weighted):
        return Weighted(part(x.rows, rows), x.weights[rows])
    return Sparse(x.rows(rows), x.device) if isinstance(x, Sparse) else x[rows]


def support_error(family: Family, x: Rowwise) -> Violation | None:
    """The first value of x outside the support of `family`, including the zeros that a sparse matrix does
    not store."""
    if not isinstance(x, Sparse):
        return family.support_error(x[:].numpy())
    values = (x.matrix.data[:, None], np.zeros((1, 1), np.float32))
    if all(family.support_error(each) is None for each in values):
        return None
    for first in range(0, len(x), PLACED):
        if found := family.support_error(x[first : first + PLACED].numpy()):
            return found._replace(row=found.row + first)
    return None


class Values(NamedTuple):
    """Properties of all numbers of a data set, found in one pass."""

    binary: bool  # all are 0 or 1
    counts: bool  # all are 0, 1, 2, ...
    missing: bool  # some are NaN


def survey(x: Rowwise) -> Values:
    """One pass over all numbers, including the zeros that a sparse matrix does not store."""
    binary = counts = True
    missing = False
    for piece in pieces(x):
        binary = binary and bool(((piece == 0) | (piece == 1)).all())
        counts = counts and bool(((piece >= 0) & (piece == piece.floor())).all())
        missing = missing or bool(piece.isnan().any())
    return Values(binary, counts, missing)


def digest_of(rows: Rows) -> str:
    """Number and digests of the first rows and of all; of a stream that of its blocks' sizes before that of
    all, because older checkpoints end there."""
    x, y = rows
    digest, streamed = hashlib.sha256(), ""
    if isinstance(x, Weighted):
        digest.update(x.weights.numpy().data)
        x = x.rows
    if isinstance(x, Stream):
        digest.update(repr(x.sizes).encode())
        streamed = f", {digest_of_blocks(x)}"
    elif isinstance(x, Sparse):
        for part in (x.matrix.data, x.matrix.indices, x.matrix.indptr):
            digest.update(np.ascontiguousarray(part).data)
    else:
        digest.update(np.ascontiguousarray(x[:].cpu().numpy()).data)
    if y is not None:
        digest.update(np.ascontiguousarray(y.cpu().numpy()).data)
    first = zlib.crc32(x[:DIGESTED].cpu().numpy().tobytes())
    return f"{len(x)} rows, {first:08x}, {digest.hexdigest()[:16]}{streamed}"


def digest_of_blocks(x: Stream) -> str:
    """A digest of all rows of a stream, in one pass."""
    digest = hashlib.sha256()
    for block in x:
        digest.update(np.ascontiguousarray(block.cpu().numpy()).data)
    return digest.hexdigest()[:16]


def is_sparse(x: Rowwise) -> bool:
    return isinstance(x, Sparse)


def is_divisible(x: Rowwise) -> bool:
    """Whether a small part of the rows can be held out; of a stream whole blocks are."""
    return not isinstance(x, Stream) or max(x.sizes) <= LARGEST_PART * len(x)


def split(
    rows: Rows, share: float, *, in_order: bool = False, unlabelled: bool = False
) -> tuple[Rows, Rows | None, Tensor]:
    """Training rows, held-out rows, and the row numbers of the latter: a random `share`, the last rows where
    they are `in_order`, or whole blocks of a stream. `unlabelled`: labelled rows are held out last."""
    (x, y), n = rows, len(rows[0])
    if not share:
        return rows, None, torch.arange(0)
    sides: Sequence[Rowwise]
    if isinstance(x, Stream):
        blocks = x.split(share)
        held, kept = (torch.from_numpy(x.numbers(some)) for some in blocks)
        sides = [x.part(some) for some in blocks]
    else:
        order = torch.arange(n).flip(0) if in_order else torch.randperm(n)
        if unlabelled and y is not None:
            order = torch.cat([order[y[order] < 0], order[y[order] >= 0]])
        held, kept = order[: int(n * share)], order[int(n * share) :]
        sides = [part(x, held), part(x, kept)]
    if not len(held) or not len(kept):
        raise DataError(f"validation={share} of {n} rows leaves one part empty; change it or add rows")
    late, early = sides
    if y is None:
        return (early, None), (late, None), held
    return (early, y[kept]), (late, y[held]), held


def with_labels_repeated(rows: Rows, share: float = LABELLED) -> Rows:
    """The rows, and the labelled ones again until they are at least that share of all, so that each batch
    holds some. A stream is left as it is."""
    x, y = rows
    if y is None or isinstance(x, Stream):
        return rows
    labelled = torch.nonzero(y >= 0).flatten()
    wanted = math.ceil(share * (len(y) - len(labelled)) / (1 - share))
    if len(labelled) >= wanted:
        return rows
    again = labelled.repeat(-(-wanted // len(labelled)) - 1)
    order = torch.cat([torch.arange(len(y)), again])
    return part(x, order), y[order]


def shuffled(x: Rowwise, size: int, rank: int, ranks: int, device: torch.device) -> Iterator[LocalBatch]:
    """Batches of `size` rows in a new random order; of each batch the part of one of several processes."""
    if isinstance(x, Stream):
        yield from x.shuffled(size, rank, ranks)
        return
    order = torch.randperm(len(x))
    order = x.drawn()[order] if isinstance(x, Weighted) else order
    for rows in torch.split(order.to(device), size):
        shares = rows.tensor_split(ranks) if ranks > 1 else (rows,)
        start, count = sum(map(len, shares[:rank])), len(shares[rank])
        mine = shares[rank] if count else rows[:1]
        yield LocalBatch(mine, gathered(x, mine), start, count, len(rows))


def gathered(x: Rowwise, rows: Tensor) -> Tensor:
    """x[rows]; of a tensor whole rows are copied, which takes half as long as by its index."""
    return x.index_select(0, rows) if isinstance(x, Tensor) else x[rows]
