"""Flows: z = f(e) with e from a base distribution, log q(z) = log base(e) - log |df/de|."""

from collections.abc import Callable

from torch import Tensor
from torch.distributions import Transform, TransformedDistribution, constraints

from .base import Noise, mean_of, sample_with

Pass = Callable[[Tensor], tuple[Tensor, Tensor]]
"""x (*, L) -> f(x) (*, L) and log |df/dx| (*)."""


class CachedTransform(Transform):
    """A map of vectors that caches its last pass, so log_prob of its own sample needs no second pass."""

    domain = constraints.real_vector
    codomain = constraints.real_vector
    bijective = True

    def __init__(self, forward: Pass, backward: Pass) -> None:
        super().__init__()
        self.forward, self.backward = forward, backward
        self.last: tuple[Tensor | None, Tensor | None, Tensor | None] = (None, None, None)

    def _call(self, x: Tensor) -> Tensor:
        y, log_slope = self.forward(x)
        self.last = x, y, log_slope
        return y

    def _inverse(self, y: Tensor) -> Tensor:
        x, remembered, _ = self.last
        if x is None or remembered is not y:
            x, log_slope = self.backward(y)
            self.last = x, y, -log_slope
        return x

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        if self.last[0] is not x or self.last[1] is not y:
            self.last = x, y, self.forward(x)[1]
        assert self.last[2] is not None
        return self.last[2]


class FlowDistribution(TransformedDistribution):
    """The distribution of f_n(... f_1(e)), e from the base."""

    def push(self, x: Tensor) -> Tensor:
        for transform in self.transforms:
            x = transform(x)
        return x


@mean_of.register
def _(d: FlowDistribution) -> Tensor:
    """The image of the base's mean."""
    return d.push(mean_of(d.base_dist))


@sample_with.register
def _(d: FlowDistribution, samples: int, noise: Noise) -> Tensor:
    return d.push(sample_with(d.base_dist, samples, noise))
