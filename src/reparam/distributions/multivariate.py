"""Gaussians with dependent dimensions: common noise, and KL to and from independent ones."""

from typing import Any

import torch
from torch.distributions import Independent, LowRankMultivariateNormal, MultivariateNormal, Normal

from .base import Noise, base_of, register_kl, sample_with


def independent_normal(d: Any) -> Any:
    """The Normal of each dimension; NotImplementedError (KL by sampling) for other distributions."""
    cell = base_of(d)
    if not isinstance(cell, Normal) or len(d.event_shape) != 1:
        raise NotImplementedError
    return cell


def to_independent(q: Any, p: Any) -> Any:
    """-H(q) - E_q log p, with E_q log N(z; m, s^2) = log N(E_q z; m, s^2) - Var_q z / 2 s^2."""
    normal = independent_normal(p)
    cross = normal.log_prob(q.mean) - q.variance / (2 * normal.variance)
    return -q.entropy() - cross.sum(-1)


def from_independent(q: Any, p: Any) -> Any:
    """-H(q) - E_q log p, with E_q log p = log p(E_q z) - sum_i P_ii Var_q z_i / 2, P the precision of p."""
    variance = independent_normal(q).variance
    precision = p.precision_matrix.diagonal(dim1=-2, dim2=-1)
    return -q.entropy() - p.log_prob(q.mean) + (precision * variance).sum(-1) / 2


for correlated in (MultivariateNormal, LowRankMultivariateNormal):
    register_kl(correlated, Independent)(to_independent)
    register_kl(Independent, correlated)(from_independent)


@sample_with.register(MultivariateNormal)
def _(d: Any, samples: int, noise: Noise) -> Any:
    eps = noise(torch.Size((samples, 1, *d.event_shape)))
    return d.loc + (d.scale_tril @ eps[..., None])[..., 0]


@sample_with.register(LowRankMultivariateNormal)
def _(d: Any, samples: int, noise: Noise) -> Any:
    (L,), rank = d.event_shape, d.cov_factor.shape[-1]
    eps = noise(torch.Size((samples, 1, L + rank)))
    own, common = eps[..., :L], eps[..., L:]
    return d.loc + d.cov_diag.sqrt() * own + (d.cov_factor @ common[..., None])[..., 0]
