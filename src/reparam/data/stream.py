"""Rows that stay on disk: read block by block, and shuffled in a buffer of fixed size."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError

Array = np.ndarray[Any, Any]
BUFFER = 64 << 20
"""Default for the bytes of rows that are shuffled together."""
LARGE = 2 << 30
"""Data of more bytes are always streamed."""


class LocalBatch(NamedTuple):
    """The part of a batch that one of several processes has: rows `start` to `start + n` of `total`."""

    rows: Tensor  # (b,) row numbers
    x: Tensor  # (b, *E)
    start: int
    n: int  # b, or 0 where the one row is only padding
    total: int


class Stream:
    """n rows in blocks on disk; `read(i)` gives block i, rows of one type: array, frame or tensor.

    `buffer` bytes of rows are shuffled together in training; memory holds about twice that, and a block.
    """

    def __init__(self, sizes: Sequence[int], read: Callable[[int], Any], buffer: int = BUFFER) -> None:
        self.sizes, self.buffer, self._read = tuple(sizes), buffer, read
        self.starts: Array = np.concatenate([[0], np.cumsum(self.sizes, dtype=int)])
        self._last: tuple[int, Any] = (-1, None)

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def shape(self) -> tuple[int]:
        """(n,), as arrays and matrices have it."""
        return (len(self),)

    def read(self, i: int) -> Any:
        """The rows of block i."""
        if self._last[0] != i:
            self._last = (-1, None)
            self._last = (i, self._read(i))
        return self._last[1]

    def __iter__(self) -> Iterator[Any]:
        return map(self.read, range(len(self.sizes)))

    def __getitem__(self, rows: Any) -> Any:
        """The given rows, in the given order."""
        if isinstance(rows, slice):
            rows = range(*rows.indices(len(self)))
        numbers = np.asarray(rows.cpu() if isinstance(rows, Tensor) else rows, dtype=int)
        if not len(numbers):
            return taken(self.read(0), numbers)
        block = np.searchsorted(self.starts, numbers, side="right") - 1
        held = np.unique(block).tolist()
        places = [np.flatnonzero(block == i) for i in held]
        each = zip(held, places, strict=True)
        parts = [taken(self.read(i), numbers[at] - self.starts[i]) for i, at in each]
        return taken(joined(parts), np.argsort(np.concatenate(places)))

    def map(self, f: Callable[[Any], Any]) -> "Stream":
        """f of each block, when it is read; an error names the block's first row."""

        def read(i: int) -> Any:
            rows = self._read(i)
            try:
                return f(rows)
            except DataError as error:
                if not self.starts[i] or hasattr(rows, "iloc"):
                    raise
                raise DataError(f"{error} (rows counted from {self.starts[i]})") from None

        return Stream(self.sizes, read, self.buffer)

    def to(self, device: torch.device) -> "Stream":
        """The tensors of each block on the device, when it is read."""
        return self.map(lambda x: x.to(device))

    def part(self, blocks: Sequence[int]) -> "Stream":
        """Some blocks."""
        return Stream([self.sizes[i] for i in blocks], lambda i: self._read(blocks[i]), self.buffer)

    def numbers(self, blocks: Sequence[int]) -> Array:
        """The row numbers of some blocks."""
        each = [np.arange(self.starts[i], self.starts[i + 1]) for i in blocks]
        return np.concatenate([np.arange(0), *each])

    def some(self, most: int) -> Any:
        """About `most` rows, as a sample, from up to 16 evenly spaced blocks."""
        blocks = np.unique(np.linspace(0, len(self.sizes) - 1, 16).astype(int))
        each = -(-most // len(blocks))
        rows = [start + np.arange(min(each, self.sizes[i])) for i in blocks for start in [self.starts[i]]]
        return self[np.concatenate(rows)]

    def split(self, share: float) -> tuple[list[int], list[int]]:
        """Random blocks with about that share of the rows, and the other blocks."""
        order = torch.randperm(len(self.sizes)).tolist()
        held = np.cumsum([self.sizes[i] for i in order])
        cut = max(1, int(np.searchsorted(held, share * len(self), side="right")))
        return sorted(order[:cut]), sorted(order[cut:])

    def shuffled(self, size: int, rank: int, ranks: int) -> Iterator[LocalBatch]:
        """Batches of `size` over all ranks: blocks in random order are divided among the ranks, and each rank
        takes random rows from as many of its blocks as fill the buffer."""
        random = np.random.default_rng(int(torch.randint(2**62, ())))
        order = random.permutation(len(self.sizes))
        lanes = [order[r::ranks] for r in range(ranks)]
        if not len(lanes[-1]):
            raise DataError(f"{len(self.sizes)} blocks for {ranks} processes: write the data as more shards")
        each = -(-size // ranks)
        left = np.array([sum(self.sizes[i] for i in lane) for lane in lanes])
        mine = self._mixed(lanes[rank], each, random)
        while left.any():
            counts = np.minimum(left, each)
            numbers, x = next(mine) if counts[rank] else (np.zeros(1, int), self[:1])
            start = int(counts[:rank].sum())
            yield LocalBatch(torch.from_numpy(numbers), x, start, int(counts[rank]), int(counts.sum()))
            left -= counts

    def _mixed(self, lane: Array, size: int, random: np.random.Generator) -> Iterator[tuple[Array, Tensor]]:
        """Row numbers and rows, `size` at a time, from blocks shuffled in the buffer."""
        numbers, parts = np.empty(0, int), list[Any]()
        for i in lane:
            parts.append(self.read(int(i)))
            numbers = np.concatenate([numbers, np.arange(self.starts[i], self.starts[i + 1])])
            last = i == lane[-1]
            if last or sum(part.nbytes for part in parts) >= self.buffer:
                x, order = joined(parts), random.permutation(len(numbers))
                parts.clear()
                cut = len(order) if last else len(order) // size * size
                for first in range(0, cut, size):
                    chosen = order[first : min(first + size, cut)]
                    yield numbers[chosen], taken(x, chosen)
                numbers, parts = numbers[order[cut:]], [taken(x, order[cut:])]


def joined(parts: list[Any]) -> Any:
    """Rows concatenated, of one type."""
    if isinstance(parts[0], Tensor):
        return torch.cat(parts)
    if not hasattr(parts[0], "iloc"):
        return np.concatenate(parts)
    import pandas as pd

    return pd.concat(parts)


def taken(rows: Any, numbers: Array) -> Any:
    """Some rows by their numbers."""
    if isinstance(rows, Tensor):
        return rows[torch.from_numpy(numbers)]
    return rows.iloc[numbers] if hasattr(rows, "iloc") else rows[numbers]


def map_blocks(X: Any, f: Callable[[Any], Any]) -> Any:
    """f of X; for a stream f of each block, when it is read."""
    return X.map(lambda block: f(block)[:]) if isinstance(X, Stream) else f(X)


def blocks_of(X: Any) -> Iterable[Any]:
    """The blocks of a stream; else X alone."""
    return X if isinstance(X, Stream) else [X]


def typical_rows(X: Any, most: int) -> Any:
    """X; for a stream about `most` rows of it, spread over all blocks."""
    return X.some(most) if isinstance(X, Stream) else X


def dtype_of(X: Any) -> Any:
    """The dtype of X; None for a stream, whose blocks are not read yet."""
    if isinstance(X, Stream) or hasattr(X, "dtype"):
        return getattr(X, "dtype", None)
    return np.asarray(X).dtype
