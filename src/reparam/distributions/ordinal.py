"""A distribution of ordered levels."""

from math import inf
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, pad

from ..tensors import broadcast_shape
from .base import Unvalidated, blend, mean_of, weighted_mean


class OrderedLogistic(Unvalidated):
    """P(x <= k) = s(c_{k+1} - eta) over whole numbers 0 .. K - 1, s the sigmoid; c_1 < ... < c_{K-1} are
    cut points, c_0 = -inf and c_K = inf.

    They are c_1 = `first`, c_{k+1} = c_k + g_k with `gaps` g (*batch, K - 2), so that

        P(k) = s(c_{k+1} - eta) - s(c_k - eta) = s(c_{k+1} - eta) s(eta - c_k) (1 - exp(-g_k))

    is exact in float32 for any distance of two cut points. x is also the number of cut points below
    eta + e, where e is standard logistic. Source: McCullagh, "Regression models for ordinal data" (1980).
    """

    def __init__(self, eta: Tensor, first: Tensor, gaps: Tensor) -> None:
        self.eta = eta
        self.cuts = first[..., None] + pad(gaps.cumsum(-1), (1, 0))
        self.edges = pad(pad(self.cuts, (1, 0), value=-inf), (0, 1), value=inf)
        self.gaps = pad(gaps, (1, 1), value=inf)
        super().__init__(eta.shape)

    def log_prob(self, value: Tensor) -> Tensor:
        k = value.long()
        below, above = at(self.edges[..., :-1], k), at(self.edges[..., 1:], k)
        width = (-torch.expm1(-at(self.gaps, k))).log()
        return logsigmoid(above - self.eta) + logsigmoid(self.eta - below) + width

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        u = torch.rand(self._extended_shape(sample_shape), dtype=self.eta.dtype, device=self.eta.device)
        return self.level(self.eta + u.logit(1e-7))

    def level(self, t: Tensor) -> Tensor:
        """The number of cut points below t."""
        return (self.cuts < t[..., None]).sum(-1).to(t.dtype)


def at(table: Tensor, k: Tensor) -> Tensor:
    """table[..., k] for a table (*batch, n) and k (*batch) that broadcast."""
    shape = broadcast_shape(table[..., 0], k)
    return table.expand(*shape, -1).gather(-1, k.expand(shape)[..., None])[..., 0]


@mean_of.register
def _(d: OrderedLogistic) -> Tensor:
    """The median, the number of cut points below eta: ordinal levels have no mean, and the mode would never
    be a rare level, while the median takes every level as eta increases."""
    return d.level(d.eta)


@blend.register
def _(d: OrderedLogistic, weights: Tensor) -> Tensor:
    """The median: the number of k < K - 1 with sum_s w_s P_s(x <= k) < 1/2."""
    at_most = weighted_mean((d.cuts - d.eta[..., None]).sigmoid(), weights)
    return (at_most < 0.5).sum(-1).to(weights.dtype)
