"""How the distribution of a column depends on the other columns of its row."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from ..distributions import Runs, join_columns, split_columns


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

    def __init__(self, runs: Runs, shapes: Sequence[tuple[int, int, int]], width: int) -> None:
        """`shapes`: of each group of columns, the numbers read of a column, the raw parameters of its
        distribution, and how many columns."""
        super().__init__()
        self.runs = runs
        n = sum(columns for *_, columns in shapes)
        self.read = nn.ParameterList(torch.randn(k, width, columns) for k, _, columns in shapes)
        self.bias = nn.Parameter(torch.randn(width, n))
        self.write = nn.ParameterList(torch.zeros(k, width, columns) for _, k, columns in shapes)
        self.register_buffer("order", torch.ones(n, n, dtype=torch.bool).tril(-1), persistent=False)

    def forward(self, u: Tensor, x: Sequence[Tensor], observed: Tensor) -> list[Tensor]:
        """u (*batch, H), the inputs of each group (*rows, k n), which cells are observed (*rows, C) -> raw
        parameters of each group, (*batch, k n)."""
        each = [
            torch.einsum("...kc,khc->...hc", part.reshape(*part.shape[:-1], len(weight), -1), weight)
            for part, weight in zip(x, self.read, strict=True)
        ]
        read = join_columns(each, self.runs) + self.bias
        hidden = silu(u[..., None] + read @ self.seen(observed).mT.to(u.dtype))
        own = zip(split_columns(hidden, self.runs), self.write, strict=True)
        return [torch.einsum("...hc,khc->...kc", part, weight).flatten(-2) for part, weight in own]

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
