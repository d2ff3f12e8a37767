"""Distributions on the unit sphere S^(d-1) in R^d. Densities are with respect to its area."""

import math
from typing import Any

import torch
from scipy.special import betaincinv
from torch import Tensor
from torch.distributions import Beta, constraints
from torch.nn.functional import normalize

from ..tensors import log_gamma_ratio
from .base import Noise, Unvalidated, mean_of, register_kl, sample_with

WITHIN = constraints.independent(constraints.interval(-1.0, 1.0), 1)  # type: ignore[no-untyped-call]
"""The closest torch constraint to the sphere: a support that is not all of R^d."""


def log_area(d: int) -> float:
    """log 2 pi^(d/2) / Gamma(d/2), the area of S^(d-1)."""
    return math.log(2) + d / 2 * math.log(math.pi) - math.lgamma(d / 2)


class PowerSpherical(Unvalidated):
    """p(x) = (1 + mu . x)^kappa / N, with mu on the sphere and kappa > 0.

    N = 2^(a + b) pi^b Gamma(a) / Gamma(a + b), with a = b + kappa and b = (d - 1) / 2. It is similar to
    von Mises-Fisher, but its sampler is exact, differentiable and without rejection.
    Source: De Cao and Aziz, "The power spherical distribution" (2020).
    """

    support = WITHIN
    has_rsample = True

    def __init__(self, loc: Tensor, concentration: Tensor) -> None:
        self.loc, self.concentration = loc, concentration
        self.b = (loc.shape[-1] - 1) / 2
        self.a = self.b + concentration
        super().__init__(concentration.shape, loc.shape[-1:])

    @property
    def mean(self) -> Tensor:
        return self.loc * (self.concentration / (self.a + self.b))[..., None]

    def log_prob(self, value: Tensor) -> Tensor:
        """kappa log((1 + mu . z) / 2) minus the log normaliser without its kappa log 2."""
        apart = (self.loc - value).square().sum(-1) / 4
        tiny = torch.finfo(apart.dtype).eps
        a, b = self.a, self.b
        rest = b * math.log(4 * math.pi) + log_gamma_ratio(a, a + b)
        return self.concentration * torch.log1p(-apart.clamp_max(1 - tiny)) - rest

    def entropy(self) -> Tensor:
        """log N - kappa (log 2 + psi(a) - psi(a + b)), in float64: terms grow with kappa, not the sum."""
        kappa, b = self.concentration.double(), self.b
        a = kappa + b
        log_n = (a + b) * math.log(2) + b * math.log(math.pi) + torch.lgamma(a) - torch.lgamma(a + b)
        mean_log = math.log(2) + torch.digamma(a) - torch.digamma(a + b)
        return (log_n - kappa * mean_log).to(self.loc.dtype)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        share = Beta(self.a, torch.full_like(self.a, self.b), validate_args=False).rsample(sample_shape)
        across = torch.randn(*shape[:-1], shape[-1] - 1, dtype=share.dtype, device=share.device)
        return self.placed(share, across)

    def placed(self, share: Tensor, across: Tensor) -> Tensor:
        """The point with mu . x = t = 2 share - 1, in the direction `across` (*, d - 1) orthogonal to mu.

        (t, sqrt(1 - t^2) v) with v = across / |across| lies around e_1; the reflection I - 2 u u',
        u ~ e_1 - mu, brings e_1 to mu (algorithm 1).
        """
        t = (2 * share - 1)[..., None]
        beside = (1 - t.square()).clamp_min(torch.finfo(t.dtype).eps).sqrt()
        y = torch.cat((t, beside * normalize(across, dim=-1)), -1)
        pole = torch.zeros_like(self.loc)
        pole[..., 0] = 1
        u = normalize(pole - self.loc, dim=-1)
        return y - 2 * (u * y).sum(-1, keepdim=True) * u


class UniformSphere(Unvalidated):
    """The uniform distribution on the sphere; `centre` (*batch, d) is 0 and sets dtype and device."""

    support = WITHIN

    def __init__(self, centre: Tensor) -> None:
        self.centre = centre
        super().__init__(centre.shape[:-1], centre.shape[-1:])

    def log_prob(self, value: Tensor) -> Tensor:
        return (self.centre + value).new_full(value.shape[:-1], -log_area(value.shape[-1]))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return normalize(torch.randn_like(self.centre.expand(self._extended_shape(sample_shape))), dim=-1)


@register_kl(PowerSpherical, UniformSphere)  # type: ignore[untyped-decorator]
def _(q: PowerSpherical, p: UniformSphere) -> Tensor:
    """log area - H(q)."""
    return log_area(q.event_shape[0]) - q.entropy()


@mean_of.register
def _(d: PowerSpherical) -> Tensor:
    """The mean direction, a point of the sphere, unlike the mean."""
    return d.loc


@sample_with.register
def _(d: PowerSpherical, samples: int, noise: Noise) -> Tensor:
    """The share is Beta(a, b): its quantile at Phi(first number); the other numbers give the direction."""
    eps = noise(torch.Size((samples, 1, *d.event_shape)))
    level = torch.special.ndtr(eps[..., 0].double()).cpu().numpy()
    share = torch.as_tensor(betaincinv(d.a.detach().double().cpu().numpy(), d.b, level)).to(d.loc)
    return d.placed(share, eps[..., 1:].expand(*share.shape, -1))
