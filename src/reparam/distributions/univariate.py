"""Univariate distributions that torch lacks or computes less accurately."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, Normal as TorchNormal, Poisson as TorchPoisson
from torch.nn.functional import log_softmax, logsigmoid, mse_loss, softplus

from ..tensors import broadcast_shape, log_gamma_ratio, numel
from .base import Unvalidated, blend, mean_of, sum_last, total, total_by_cell, weighted_mean

LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)


class Normal(TorchNormal):
    """log p = -y^2 / 2 - log s - log sqrt(2 pi), y = (x - loc) / s, with one logarithm for all numbers
    that share a scale s. torch's version squares the scale and takes a logarithm for each."""

    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        self.own_scale = unexpanded(scale)
        super().__init__(loc, scale, validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> "Normal":
        return Normal(self.loc.expand(batch_shape), self.scale.expand(batch_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        y = (value - self.loc) / self.own_scale
        return torch.sub(-LOG_SQRT_2PI - self.own_scale.log(), y.square(), alpha=0.5)


@total.register
def _(d: Normal, x: Tensor, ndim: int, mask: Tensor | None = None) -> Tensor:
    """-sum_i (x_i - loc_i)^2 / (2 s^2) - n (log s + log sqrt(2 pi)), where all share a scale s; n is the
    number of summands."""
    if d.own_scale.numel() > 1:
        return total_by_cell(d, x, ndim, mask)
    loc, x = torch.broadcast_tensors(d.loc, x)  # type: ignore[no-untyped-call]
    squares = mse_loss(loc, x, reduction="none")
    n: Tensor | int = numel(d.batch_shape[len(d.batch_shape) - ndim :])
    if mask is not None:
        squares, n = torch.where(mask, squares, 0.0), sum_last(mask.to(x.dtype), ndim)
    s = d.own_scale.reshape(())
    return sum_last(squares, ndim) * (-0.5 / s.square()) - n * (LOG_SQRT_2PI + s.log())


def unexpanded(x: Tensor) -> Tensor:
    """x with size 1 along each expanded axis."""
    for axis, stride in enumerate(x.stride()):
        x = x.narrow(axis, 0, 1) if stride == 0 and x.shape[axis] > 1 else x
    return x


class ContinuousBernoulli(Unvalidated):
    """p(x) = a exp(a x) / (exp(a) - 1) on [0, 1], a the logit; uniform at a = 0.

    log p = a (x - 1/2) - log(sinh(h) / h) with h = a / 2, by its series where h is small. torch's
    version clamps the probability, so density and gradient are constant beyond |a| = 16.
    Source: Loaiza-Ganem and Cunningham, "The continuous Bernoulli" (2019).
    """

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        super().__init__(logits.shape)

    def _half(self) -> tuple[Tensor, Tensor, Tensor]:
        """|h|, where it is small, and |h| kept away from 0."""
        h = self.logits.abs() / 2
        small = h < 0.1
        return h, small, torch.where(small, 0.1, h)

    def log_prob(self, value: Tensor) -> Tensor:
        h, small, far = self._half()
        series = h**2 / 6 - h**4 / 180 + h**6 / 2835
        log_sinhc = torch.where(small, series, far + (-torch.expm1(-2 * far)).log() - (2 * far).log())
        return self.logits * (value - 0.5) - log_sinhc

    @property
    def mean(self) -> Tensor:
        """1/2 + (coth(h) - 1/h) / 2"""
        h, small, far = self._half()
        tilt = torch.where(small, h / 3 - h**3 / 45 + 2 * h**5 / 945, 1 / torch.tanh(far) - 1 / far)
        return 0.5 + 0.5 * tilt * self.logits.sign()

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        """The inverse of the distribution function, for |a|; mirrored for a < 0."""
        u = torch.rand(self._extended_shape(sample_shape), dtype=self.logits.dtype, device=self.logits.device)
        a = self.logits.abs().clamp_min(1e-4)
        x = (1 + torch.log1p((1 - u) * torch.expm1(-a)) / a).clamp(0, 1)
        return torch.where(self.logits < 0, 1 - x, x)


class Nominal(Categorical):
    """P(x = k) = softmax(logits)_k, by one operation for the log-softmax and its gradient where torch's
    version takes two, and seven for the gradient; log_prob gathers without all classes of x."""

    def __init__(self, logits: Tensor) -> None:
        self.logits = self._param = log_softmax(logits, -1)
        self._num_events = logits.shape[-1]
        Distribution.__init__(self, logits.shape[:-1], validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> "Nominal":
        return type(self)(self.logits.expand(*batch_shape, -1))

    def log_prob(self, value: Tensor) -> Tensor:
        k = value.long()
        shape = broadcast_shape(k, self.logits[..., 0])
        k = k.expand(shape).unsqueeze(-1)
        chosen: Tensor = self.logits.expand(*shape, -1).gather(-1, k)
        return chosen.squeeze(-1)


class Levels(Nominal):
    """P(x = k) = softmax(logits)_k of ordered classes, whose point prediction is the median."""


@mean_of.register
def _(d: Levels) -> Tensor:
    return median(d.probs)


@blend.register
def _(d: Levels, weights: Tensor) -> Tensor:
    return median(weighted_mean(d.probs, weights))


def median(probs: Tensor) -> Tensor:
    """The first class k with P(x <= k) >= 1/2, probabilities (*batch, K) -> (*batch,)."""
    return (probs.cumsum(-1)[..., :-1] < 0.5).sum(-1).to(probs.dtype)


class Poisson(TorchPoisson):
    """P(x) = rate^x exp(-rate) / x!, in float64: for large counts the terms are large, not their sum."""

    def __init__(self, rate: Tensor) -> None:
        super().__init__(rate, validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> "Poisson":
        return Poisson(self.rate.expand(batch_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        rate, x = self.rate.double(), value.double()
        return (torch.xlogy(x, rate) - rate - torch.lgamma(x + 1)).to(self.rate.dtype)


class NegativeBinomial(Unvalidated):
    """P(x) = [Gamma(x + r) / Gamma(r) a^x / x!] m^x (1 + m a)^-(x + r), mean m, dispersion a, r = 1 / a.

    In float64: terms are large, for large counts and for small a, but their sum is not. The bracket does not
    depend on the mean, so draws of z with one dispersion share it.
    """

    rate: Tensor
    dispersion: Tensor

    def __init__(self, mean: Tensor, dispersion: Tensor) -> None:
        self.rate, self.dispersion = mean, dispersion.expand_as(mean)
        super().__init__(self.rate.shape)

    @property
    def mean(self) -> Tensor:
        return self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        x, m, a = value.double(), self.rate.double(), unexpanded(self.dispersion).double()
        log_m = m.clamp_min(1e-300).log()
        return (log_ways(x, a) + x * log_m - (x + 1 / a) * torch.log1p(m * a)).to(self.rate.dtype)

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Poisson counts with a rate from Gamma(r) with mean m."""
        a = self.dispersion.expand(self._extended_shape(sample_shape))
        return torch.poisson(torch._standard_gamma(1 / a) * a * self.rate)


def log_ways(x: Tensor, a: Tensor) -> Tensor:
    """log of Gamma(x + r) / Gamma(r) a^x / x!, r = 1 / a."""
    r = 1 / a
    return torch.lgamma(x + r) - torch.lgamma(r) + x * a.log() - torch.lgamma(x + 1)


class StudentT(Unvalidated):
    """p(x) = Gamma(d/2 + 1/2) / (Gamma(d/2) sqrt(pi d) s) (1 + y^2 / d)^-(d/2 + 1/2), y = (x - loc) / s.

    d is `df`, s is `scale`. torch's version always checks df, even with `validate_args=False`, and so waits
    for the device.
    """

    def __init__(self, df: Tensor, loc: Tensor, scale: Tensor) -> None:
        self.df, self.loc, self.scale = df, loc, scale
        super().__init__(loc.shape)

    def log_prob(self, value: Tensor) -> Tensor:
        y = (value - self.loc) / self.scale
        half = self.df / 2
        log_norm = log_gamma_ratio(half, half + 0.5) + 0.5 * (math.pi * self.df).log()
        return -(half + 0.5) * torch.log1p(y**2 / self.df) - log_norm - self.scale.log()

    @property
    def mean(self) -> Tensor:
        """The location, also where df <= 1 and the mean is undefined."""
        return self.loc

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        """e / sqrt(g / (df/2)), e standard normal and g from Gamma(df/2)."""
        half = (self.df / 2).expand(self._extended_shape(sample_shape))
        gamma = torch._standard_gamma(half).clamp_min(torch.finfo(half.dtype).tiny)
        return self.loc + self.scale * torch.randn_like(half) * (half / gamma).sqrt()


class DiscretizedLogistic(Unvalidated):
    """P(x) = F(x + 1/2) - F(x - 1/2) over whole numbers 0 .. levels - 1, F the logistic distribution
    function; the end levels include the tails.

    With p and m the standardised edges above and below, F(p) - F(m) = s(p) s(-m) (1 - exp(m - p)) with
    s the sigmoid: exact in float32 for any width of the bin. `loc` and `scale` are in units of levels.
    Source: Salimans et al., "PixelCNN++" (2017), section 2.1.
    """

    def __init__(self, loc: Tensor, scale: Tensor, levels: int) -> None:
        self.loc, self.scale, self.levels = loc, scale, levels
        super().__init__(loc.shape)

    def log_prob(self, value: Tensor) -> Tensor:
        low, high = value < 0.5, value > self.levels - 1.5
        above = logsigmoid((value + 0.5 - self.loc) / self.scale).masked_fill(high, 0.0)
        below = logsigmoid((self.loc - value + 0.5) / self.scale).masked_fill(low, 0.0)
        width = (-torch.expm1(-1 / self.scale)).log().masked_fill(low | high, 0.0)
        return above + below + width

    @property
    def mean(self) -> Tensor:
        """The mean before rounding, of a logistic clipped to [0, levels - 1]: the integral of 1 - F."""
        beyond = softplus((self.loc - (self.levels - 1)) / self.scale)
        return self.scale * (softplus(self.loc / self.scale) - beyond)

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        u = torch.rand(self._extended_shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        return (self.loc + self.scale * u.logit(1e-7)).round().clamp(0, self.levels - 1)


class ZeroInflated(Unvalidated):
    """P(0) = g + (1 - g) P_base(0), P(x) = (1 - g) P_base(x) elsewhere; g = sigmoid(gate).

    Source: Lambert, "Zero-inflated Poisson regression" (1992).
    """

    def __init__(self, gate: Tensor, base: Distribution) -> None:
        self.gate, self.base = gate, base
        super().__init__(gate.shape)

    def log_prob(self, value: Tensor) -> Tensor:
        counted = logsigmoid(-self.gate) + self.base.log_prob(value)
        return torch.where(value == 0, torch.logaddexp(logsigmoid(self.gate), counted), counted)

    @property
    def mean(self) -> Tensor:
        return (-self.gate).sigmoid() * self.base.mean

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        x = self.base.sample(sample_shape)
        return x * (torch.rand_like(x) < (-self.gate).sigmoid())
