"""How the distribution of a column depends on the other columns of its row."""

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, pad, silu

ALIKE = 8
"""Columns whose counts of numbers differ by less than this factor are one product of matrices, in which those
with fewer are filled with zeros."""


class Context(nn.Module):
    """What the columns before a column j add to the raw parameters of its distribution:

        V_j^T a(u + sum_{i before j} (W_i^T x_i + b_i)),    a = silu,

    with u (*batch, H) from the decoder. V starts at 0, where columns are independent given z.

    Missing cells add nothing, and come after those observed. In training the order is random, another one for
    each row, so that a column learns its distribution given any others; else it is that of the table. In half
    of the rows a column then sees all columns before it, as in a draw; in the others only a part, whose share
    is random from 0 to 1: what they do not say is left to z, which a decoder that sees all would ignore.
    Sources: Larochelle and Murray (2011), "The neural autoregressive distribution estimator", equation 4;
    with any order Uria, Murray and Larochelle (2014), "A deep and tractable density estimator"; inputs hidden
    so that the latent is used: Bowman et al. (2016), "Generating sentences from a continuous space", 3.1.
    """

    place: Tensor
    order: Tensor
    kept: Tensor

    def __init__(self, inputs: Sequence[int], outputs: Sequence[int], width: int) -> None:
        """The column of each number that is read, and of each raw parameter that is written."""
        super().__init__()
        n = max(outputs) + 1
        self.read = nn.Parameter(torch.randn(len(inputs), width))
        self.bias = nn.Parameter(torch.randn(n, width))
        self.write = nn.Parameter(torch.zeros(len(outputs), width))
        read, written = numbers_of(inputs), numbers_of(outputs)
        self.sizes, place, kept = list[int](), list[int](), list[int]()
        for i, columns in enumerate(parts_of(list(map(len, read)), list(map(len, written)))):
            sources = filled([read[column] for column in columns], len(inputs))
            targets = filled([written[column] for column in columns], len(outputs))
            self.register_buffer(f"read{i}", torch.tensor(sources), persistent=False)
            self.register_buffer(f"written{i}", torch.tensor(targets), persistent=False)
            self.sizes.append(len(columns))
            place += columns
            kept += chain.from_iterable(targets)
        self.register_buffer("place", torch.tensor(place), persistent=False)
        self.register_buffer("order", self.place[:, None] > self.place, persistent=False)
        self.register_buffer("kept", torch.tensor(kept).argsort()[: len(outputs)], persistent=False)

    def forward(self, u: Tensor, x: Tensor, observed: Tensor) -> Tensor:
        """u (*batch, H), the numbers read (*rows, n), which cells are observed (*rows, C) -> what is added to
        the raw parameters, (*batch, m)."""
        seen = self.seen(observed[..., self.place]).to(u.dtype)
        hidden = silu(u[..., None, :] + seen @ self.sums(x.flatten(0, -2)).reshape(*observed.shape, -1))
        return self.products(hidden.flatten(0, -3)).reshape(*hidden.shape[:-2], -1)

    def seen(self, observed: Tensor) -> Tensor:
        """Whether column j (the last axis but one) sees column i (the last), (*rows, C, C)."""
        before = self.before(observed) if self.training else self.order
        return (before | ~observed[..., :, None]) & observed[..., None, :]

    def before(self, observed: Tensor) -> Tensor:
        """The columns before each one in random orders, in half of the rows a part of them."""
        place = torch.rand(observed.shape, device=observed.device)
        share = 2 * torch.rand(*observed.shape[:-1], 1, 1, device=observed.device)
        first = place[..., None, :] < place[..., :, None]
        return first & (torch.rand(first.shape, device=first.device) < share)

    def numbers(self, name: str) -> list[Tensor]:
        """The numbers of each part's columns."""
        return [getattr(self, f"{name}{i}") for i in range(len(self.sizes))]

    def sums(self, x: Tensor) -> Tensor:
        """W_i^T x_i + b_i of each column: x (R, n) -> (R, C, H)."""
        biases = torch.split(embedding(self.place, self.bias)[:, None], self.sizes)
        own = zip(biases, self.numbers("read"), strict=True)
        each = [torch.baddbmm(b, taken(x.T, i).mT, taken(self.read, i)) for b, i in own]
        return torch.cat(each).transpose(0, 1)

    def products(self, h: Tensor) -> Tensor:
        """V_j^T h_j of each column: h (R, C, H) -> (R, m)."""
        own = zip(torch.split(h.transpose(0, 1), self.sizes), self.numbers("written"), strict=True)
        each = [(mine @ taken(self.write, i).mT).mT.flatten(0, 1) for mine, i in own]
        return embedding(self.kept, torch.cat(each)).T


def numbers_of(columns: Sequence[int]) -> list[list[int]]:
    """The numbers i of each column c(i).

    >>> numbers_of([0, 1, 0, 0])
    [[0, 2, 3], [1]]
    """
    own: list[list[int]] = [[] for _ in range(max(columns) + 1)]
    for i, column in enumerate(columns):
        own[column].append(i)
    return own


def parts_of(read: Sequence[int], written: Sequence[int]) -> list[list[int]]:
    """Columns in parts, in which the counts of numbers differ by less than ALIKE.

    >>> parts_of([1, 20, 3], [1, 20, 2])
    [[1], [2, 0]]
    """
    left = sorted(range(len(read)), key=lambda column: (-written[column], -read[column]))
    parts = []
    while left:
        most = left[0]
        mine = [c for c in left if alike(read[c], read[most]) and alike(written[c], written[most])]
        left = [column for column in left if column not in mine]
        parts.append(mine)
    return parts


def alike(a: int, b: int) -> bool:
    return max(a, b) < ALIKE * min(a, b)


def filled(rows: Sequence[Sequence[int]], none: int) -> list[list[int]]:
    """Rows of one length, `none` after the ends of shorter ones."""
    most = max(map(len, rows))
    return [[*row, *[none] * (most - len(row))] for row in rows]


def taken(x: Tensor, numbers: Tensor) -> Tensor:
    """Those rows of x (n, B), and 0 for row n: (*numbers, B)."""
    return embedding(numbers, pad(x, (0, 0, 0, 1)))
