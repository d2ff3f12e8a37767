"""Point masses, for latents only."""

from typing import Any

import torch
from torch import Tensor
from torch.distributions import constraints

from .base import Noise, Unvalidated, sample_with


class Deterministic(Unvalidated):
    """A point mass at the mean."""

    has_rsample = True

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.mean.expand(self._extended_shape(sample_shape))


class Point(Deterministic):
    """An autoencoder's code, `loc`. Over real numbers it has no density, so no `log_prob`."""

    support = constraints.real

    def __init__(self, loc: Tensor) -> None:
        self.loc = loc
        super().__init__(loc.shape)

    @property
    def mean(self) -> Tensor:
        return self.loc


@sample_with.register
def _(d: Deterministic, samples: int, noise: Noise) -> Tensor:
    return d.mean if d.mean.dim() > 2 else d.rsample(torch.Size((samples,)))
