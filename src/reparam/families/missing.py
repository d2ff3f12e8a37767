"""Which cells of a table's row are missing, given the row and each other."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from ..distributions import MissingCells

GAIN = 4.0
"""How much faster these weights learn than others: what determines a gap needs large ones. A hidden layer
instead of them learned the gaps of 140 rows by heart, where cells were missing at random."""


class MissingGiven(nn.Module):
    """Logits a_j that a cell is missing, of the columns in which one may be, in their order:

        a_j = r_j + GAIN (sum_{i always observed} W_ji x_i + sum_{k before j} T_jk m_k),

    with r (*batch, M) from the decoder and m_k = 1 where cell k is missing. Values of columns that may lack
    cells are not read, so p(x, m) needs no integral over what is missing. W and T start at 0.
    Source: Frey et al. (1996), "Does the wake-sleep algorithm produce good density estimators?", whose
    fully visible sigmoid belief network this is.
    """

    order: Tensor
    numbers: Tensor

    def __init__(self, columns: Sequence[int], missing: Sequence[int]) -> None:
        """The column of each number that is read, and the columns of which a cell may be missing."""
        super().__init__()
        read = [i for i, column in enumerate(columns) if column not in missing]
        self.read = nn.Parameter(torch.zeros(len(missing), len(read)))
        self.known = nn.Parameter(torch.zeros(len(missing), len(missing)))
        self.register_buffer("numbers", torch.tensor(read, dtype=torch.long), persistent=False)
        order = torch.ones(len(missing), len(missing)).tril(-1)
        self.register_buffer("order", order, persistent=False)

    def forward(self, raw: Tensor, x: Tensor) -> MissingCells:
        """The distribution of the M indicators, for the numbers read x (*rows, n)."""
        raw = raw + GAIN * (x[..., self.numbers] @ self.read.T)
        return MissingCells(partial(self.logits, raw), raw)

    def logits(self, raw: Tensor, m: Tensor) -> Tensor:
        """m (*rows, M), of which each logit sees those before it."""
        return raw + GAIN * (m.to(raw.dtype) @ (self.order * self.known).T)
