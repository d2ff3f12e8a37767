"""Which cells of a table's row are missing, given the row and each other."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from ..distributions import MissingCells


class MissingGiven(nn.Module):
    """Logits a_j that a cell is missing, of the columns in which one may be, in their order:

        a_j = r_j + V_j^T a(u + sum_{i always observed} W_i^T x_i + sum_{k before j} t_k m_k),    a = silu,

    with r (*batch, M) and u (*batch, H) from the decoder, and m_k = 1 where cell k is missing. Values of
    columns that may lack cells are not read, so p(x, m) needs no integral over what is missing. V starts
    at 0. Source: as `Context`, for indicators.
    """

    order: Tensor
    numbers: Tensor

    def __init__(self, columns: Sequence[int], missing: Sequence[int], width: int) -> None:
        """The column of each number that is read, and the columns of which a cell may be missing."""
        super().__init__()
        read = [i for i, column in enumerate(columns) if column not in missing]
        self.read = nn.Parameter(torch.randn(len(read), width))
        self.known = nn.Parameter(torch.randn(len(missing), width))
        self.write = nn.Parameter(torch.zeros(len(missing), width))
        self.register_buffer("numbers", torch.tensor(read, dtype=torch.long), persistent=False)
        order = torch.ones(len(missing), len(missing)).tril(-1)
        self.register_buffer("order", order, persistent=False)

    def forward(self, raw: Tensor, u: Tensor, x: Tensor) -> MissingCells:
        """The distribution of the M indicators, for the numbers read x (*rows, n)."""
        hidden = u + x[..., self.numbers] @ self.read
        raw = raw.expand(*hidden.shape[:-1], -1)
        return MissingCells(partial(self.logits, raw, hidden), raw)

    def logits(self, raw: Tensor, hidden: Tensor, m: Tensor) -> Tensor:
        """m (*rows, M), of which each logit sees those before it."""
        before = (self.order * m.to(raw.dtype)[..., None, :]) @ self.known
        return raw + (silu(hidden[..., None, :] + before) * self.write).sum(-1)
