"""How the distribution of a column depends on the other columns of its row."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, pad, silu

ALIKE = 8


class Context(nn.Module):
    """What the columns before a column j add to the raw parameters of its distribution:

        V_j^T a(u + sum_{i before j} (W_i^T x_i + b_i)),    a = silu,

    with u (*batch, H) from the decoder. V starts at 0, where columns are independent given z.

    Missing cells add nothing, and come after those observed. In training the order is random, another one for
    each row, so that a column learns its distribution given any others; else it is that of the table. Of the
    columns before it each column then sees only a part, whose share is random from 0 to 1: what the others do
    not say is left to z, which a decoder that sees all of them would ignore.
    Sources: Larochelle and Murray (2011), "The neural autoregressive distribution estimator", equation 4;
    with any order Uria, Murray and Larochelle (2014), "A deep and tractable density estimator"; inputs hidden
    so that the latent is used: Bowman et al. (2016), "Generating sentences from a continuous space", 3.1.
    """

    order: Tensor

    def __init__(self, inputs: Sequence[int], outputs: Sequence[int], width: int) -> None:
        """The column of each number that is read, and of each raw parameter that is written."""
        super().__init__()
        n = max(outputs) + 1
        self.inputs, self.outputs = Ragged(inputs), Ragged(outputs)
        self.read = nn.Parameter(torch.randn(len(inputs), width))
        self.bias = nn.Parameter(torch.randn(n, width))
        self.write = nn.Parameter(torch.zeros(len(outputs), width))
        self.register_buffer("order", torch.ones(n, n, dtype=torch.bool).tril(-1), persistent=False)

    def forward(self, u: Tensor, x: Tensor, observed: Tensor) -> Tensor:
        """u (*batch, H), the numbers read (*rows, n), which cells are observed (*rows, C) -> what is added to
        the raw parameters, (*batch, m)."""
        each = self.inputs.sums(x.flatten(0, -2), self.read) + self.bias
        read = each.reshape(*observed.shape, -1)
        hidden = silu(u[..., None, :] + self.seen(observed).to(u.dtype) @ read)
        return self.outputs.products(hidden.flatten(0, -3), self.write).reshape(*hidden.shape[:-2], -1)

    def seen(self, observed: Tensor) -> Tensor:
        """Whether column j (the last axis but one) sees column i (the last), (*rows, C, C)."""
        before = self.before(observed) if self.training else self.order
        return (before | ~observed[..., :, None]) & observed[..., None, :]

    def before(self, observed: Tensor) -> Tensor:
        """A part of the columns before each one, in random orders."""
        place = torch.rand(observed.shape, device=observed.device)
        share = torch.rand(*observed.shape[:-1], 1, 1, device=observed.device)
        first = place[..., None, :] < place[..., :, None]
        return first & (torch.rand(first.shape, device=first.device) < share)


class Ragged(nn.Module):
    """Numbers i of columns c(i), to some columns more than to others.

    Columns are computed in parts that differ in size by less than ALIKE, where smaller ones are filled with
    zeros: a part is one product of matrices.
    """

    place: Tensor
    kept: Tensor

    def __init__(self, columns: Sequence[int]) -> None:
        """The column of each number; each column has one or more."""
        super().__init__()
        parts = parts_of(columns)
        order = torch.cat([mine for mine, _ in parts])
        slots = torch.cat([numbers.flatten() for _, numbers in parts])
        self.register_buffer("place", order.argsort(), persistent=False)
        self.register_buffer("kept", slots.argsort()[: len(columns)], persistent=False)
        for i, (mine, numbers) in enumerate(parts):
            self.register_buffer(f"columns{i}", mine, persistent=False)
            self.register_buffer(f"numbers{i}", numbers, persistent=False)
        self.parts = len(parts)

    def part(self, i: int) -> tuple[Tensor, Tensor]:
        return getattr(self, f"columns{i}"), getattr(self, f"numbers{i}")

    def sums(self, x: Tensor, w: Tensor) -> Tensor:
        """y_rc = sum of x_ri w_i over the numbers i of column c: x (R, n), w (n, H) -> (R, C, H)."""
        each = [
            taken(x.T, numbers).mT @ taken(w, numbers) for _, numbers in map(self.part, range(self.parts))
        ]
        return torch.cat(each)[self.place].transpose(0, 1)

    def products(self, h: Tensor, w: Tensor) -> Tensor:
        """y_ri = <h_rc, w_i>, c the column of i: h (R, C, H), w (n, H) -> (R, n)."""
        own = h.transpose(0, 1)
        each = [
            (own[columns] @ taken(w, numbers).mT).mT.flatten(0, 1)
            for columns, numbers in map(self.part, range(self.parts))
        ]
        return embedding(self.kept, torch.cat(each)).T


def parts_of(columns: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
    """Columns with about as many numbers, and the numbers of each (c, most); where it has fewer, n.

    >>> parts_of([0, 1, 0, 0])
    [(tensor([0, 1]), tensor([[0, 2, 3],
            [1, 4, 4]]))]
    """
    own: dict[int, list[int]] = {}
    for i, column in enumerate(columns):
        own.setdefault(column, []).append(i)
    left = sorted(own, key=lambda column: -len(own[column]))
    parts = []
    while left:
        most = len(own[left[0]])
        mine = [column for column in left if ALIKE * len(own[column]) > most]
        left = left[len(mine) :]
        filled = [own[column] + [len(columns)] * (most - len(own[column])) for column in mine]
        parts.append((torch.tensor(mine), torch.tensor(filled)))
    return parts


def taken(x: Tensor, numbers: Tensor) -> Tensor:
    """Those rows of x (n, B), and 0 for row n: (*numbers, B)."""
    return embedding(numbers, pad(x, (0, 0, 0, 1)))
