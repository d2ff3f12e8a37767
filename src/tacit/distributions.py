"""What torch.distributions lacks. None of ours validates its arguments: validation waits for the device.

Support is checked once, at the estimator's door.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent, Normal, constraints

Noise = Callable[[torch.Size], Tensor]


class Point(Distribution):
    """All mass at `loc`: an autoencoder's code. Over real numbers it has no density, so no `log_prob`."""

    arg_constraints = {"loc": constraints.real}  # noqa: RUF012
    support = constraints.real
    has_rsample = True

    def __init__(self, loc: Tensor) -> None:
        self.loc = loc
        super().__init__(loc.shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.loc

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.loc.expand(self._extended_shape(sample_shape))


def has_density(d: Distribution) -> bool:
    """False for a Point, under any wrapping: then rate and log-likelihood are not defined."""
    return has_density(d.base_dist) if isinstance(d, Independent) else not isinstance(d, Point)


def event(base: Distribution, ndim: int) -> Distribution:
    """Independent numbers read as one datum: log_prob sums over the last `ndim` axes."""
    return Independent(base, ndim, validate_args=False)


def sample_with(d: Distribution, samples: int, noise: Noise) -> Tensor:
    """`samples` draws of d, shape (S, B, *E), made from the same noise (S, 1, *E) in every row.

    Common noise makes what is computed for a row independent of the rows beside it.
    """
    match d:
        case Independent():
            return sample_with(d.base_dist, samples, noise)
        case Normal():
            shape = d.loc.shape
            return d.loc + d.scale * noise(torch.Size((samples, 1, *shape[-1:])))
        case Point():
            return d.loc if d.loc.dim() > 2 else d.loc.expand(samples, *d.loc.shape)
    raise NotImplementedError(f"no common noise for {type(d).__name__}")


def mean_of(d: Distribution) -> Tensor:
    """The mean, (*batch, *E): what reconstructions, pictures and embeddings show."""
    return d.mean


__all__ = ["Bernoulli", "Noise", "Normal", "Point", "event", "has_density", "mean_of", "sample_with"]
