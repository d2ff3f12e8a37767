"""What every distribution here can do beside torch's contract. A new one registers its rows.

None validates its arguments (validation waits for the device): support is checked once, at the
estimator's door.
"""

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal, kl_divergence

register_kl: Any = torch.distributions.register_kl

Noise = Callable[[torch.Size], Tensor]
"""Standard normal numbers of a shape."""


def event(base: Distribution, ndim: int) -> Distribution:
    """Independent numbers read as one datum: log_prob sums over the last `ndim` axes."""
    return Independent(base, ndim, validate_args=False)


def base_of(d: Distribution) -> Distribution:
    """The law of one cell, where cells are independent."""
    return base_of(d.base_dist) if isinstance(d, Independent) else d


def kl(q: Distribution, p: Distribution) -> Tensor | None:
    """KL(q || p) in nats where a closed form is known (`torch.distributions.register_kl`), else None."""
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
        return None


def has_density(d: Distribution) -> bool:
    """False for a Point over real numbers: then rate and log-likelihood are not defined."""
    return bool(getattr(base_of(d), "has_density", True))


@singledispatch
def mean_of(d: Distribution) -> Tensor:
    """What reconstructions, pictures and embeddings show, (*batch, *E): the mean where there is one."""
    return d.mean


@mean_of.register(Independent)
def _(d: Any) -> Tensor:
    return mean_of(d.base_dist)


@singledispatch
def sample_with(d: Distribution, samples: int, noise: Noise) -> Tensor:
    """`samples` draws of q = d, shape (S, B, L), made from the same noise (S, 1, L) in every row.

    Common noise makes what is computed for a row independent of the rows beside it. A batch shape
    (S, B) of d itself, as on the lower rungs of a ladder, gives one draw for each.
    """
    raise NotImplementedError(f"no common noise for {type(d).__name__}")


@sample_with.register(Independent)
def _(d: Any, samples: int, noise: Noise) -> Tensor:
    return sample_with(d.base_dist, samples, noise)


@sample_with.register
def _(d: Normal, samples: int, noise: Noise) -> Tensor:
    return d.loc + d.scale * noise(torch.Size((samples, 1, *d.loc.shape[-1:])))
