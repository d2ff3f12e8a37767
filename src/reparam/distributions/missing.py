"""Which cells are missing."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from .base import Unvalidated


class MissingCells(Unvalidated):
    """p(m) = prod_j sigmoid(a_j)^m_j sigmoid(-a_j)^(1 - m_j), m_j = 1 where cell j is missing.

    a = `logits`(m), of which a_j depends on the m_k before m_j alone; `like` (*batch, M) has their shape.
    """

    def __init__(self, logits: Callable[[Tensor], Tensor], like: Tensor) -> None:
        self.logits, self.like = logits, like
        super().__init__(like.shape[:-1], like.shape[-1:])

    def log_prob(self, value: Tensor) -> Tensor:
        return -softplus((1 - 2 * value) * self.logits(value)).sum(-1)

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        m = torch.zeros_like(self.like).expand(*sample_shape, *self.like.shape).clone()
        for j in range(m.shape[-1]):
            m[..., j] = torch.bernoulli(self.logits(m)[..., j].sigmoid())
        return m
