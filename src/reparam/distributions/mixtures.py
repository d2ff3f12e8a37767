"""Mixtures with one component for the whole vector."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, MixtureSameFamily, Normal, constraints

from .base import Unvalidated, base_of


class GaussianMixture(Unvalidated):
    """p(z) = sum_k w_k prod_l N(z_l; m_kl, s_kl^2), z (*, L), from logits (K,), loc and scale (K, L).

    log N_k(z) = -1/2 (z^2 . s_k^-2 - 2 z . m_k s_k^-2 + m_k^2 . s_k^-2) - sum_l log s_kl - L/2 log 2 pi: two
    matrix products instead of (*, K, L) numbers, in float64 because the parts cancel.
    """

    support = constraints.real_vector

    def __init__(self, logits: Tensor, loc: Tensor, scale: Tensor) -> None:
        self.weights = Categorical(logits=logits, validate_args=False)
        self.loc, self.scale = loc, scale
        super().__init__(logits.shape[:-1], loc.shape[-1:])

    @property
    def mean(self) -> Tensor:
        return self.weights.probs @ self.loc

    def log_prob(self, value: Tensor) -> Tensor:
        z, m = value.double(), self.loc.double()
        precision = self.scale.double().pow(-2)
        square = z.square() @ precision.mT - 2 * z @ (m * precision).mT + (m.square() * precision).sum(-1)
        log_n = -0.5 * (square + m.shape[-1] * math.log(2 * math.pi)) - self.scale.double().log().sum(-1)
        return torch.logsumexp(log_n + self.weights.logits, -1).to(value.dtype)

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        k = self.weights.sample(sample_shape)  # type: ignore[no-untyped-call]
        return torch.normal(self.loc[k], self.scale[k])


def mixture(logits: Tensor, parts: Distribution) -> Distribution:
    """sum_k softmax(logits)_k parts_k; `parts` has the batch shape (*, K)."""
    cell = base_of(parts)
    if isinstance(cell, Normal) and len(parts.event_shape) == 1 and logits.dim() == 1:
        return GaussianMixture(logits, cell.loc, cell.scale)
    weights = Categorical(logits=logits, validate_args=False)
    return MixtureSameFamily(weights, parts, validate_args=False)
