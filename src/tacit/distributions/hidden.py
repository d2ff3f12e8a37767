"""Distributions that only a latent takes."""

from typing import Any

from torch import Tensor
from torch.distributions import Distribution, constraints

from .base import Noise, sample_with


class Point(Distribution):
    """All mass at `loc`: an autoencoder's code. Over real numbers it has no density, so no `log_prob`."""

    arg_constraints = {"loc": constraints.real}  # noqa: RUF012
    support = constraints.real
    has_rsample = True
    has_density = False
    is_certain = True

    def __init__(self, loc: Tensor) -> None:
        self.loc = loc
        super().__init__(loc.shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.loc

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.loc.expand(self._extended_shape(sample_shape))


@sample_with.register
def _(d: Point, samples: int, noise: Noise) -> Tensor:
    return d.loc if d.loc.dim() > 2 else d.loc.expand(samples, *d.loc.shape)
