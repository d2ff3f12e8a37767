"""Functions that all distributions here support beyond torch's interface; new ones register theirs."""

import functools
import math
from collections.abc import Callable
from functools import singledispatch
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, Independent, Normal, kl_divergence
from torch.nn.functional import softplus

register_kl: Any = torch.distributions.register_kl
Noise = Callable[[torch.Size], Tensor]
"""Standard normal numbers of a shape."""
TOGETHER = 100
"""Numbers of 1/2 to 1 whose product is far above the smallest float32, 2^-126."""
T = TypeVar("T")
if TYPE_CHECKING:
    OfNumbers = Independent[Any]
else:
    OfNumbers = Independent  # which takes no parameter in torch 2.6


class Unvalidated(Distribution):
    """A distribution without argument checks, which would wait for the device: the support is checked once,
    in input validation."""

    arg_constraints = {}  # noqa: RUF012
    _validate_args = False


def dispatch_on_base(f: Callable[..., T]) -> "functools._SingleDispatchCallable[T]":
    """Single dispatch on the type of the distribution, or of the base of an Independent."""
    verb = singledispatch(f)
    verb.register(Independent, lambda d, *rest: verb(d.base_dist, *rest))
    return verb


class Event(OfNumbers):
    """Independent numbers as one datum: log_prob is their `total`."""

    def log_prob(self, value: Tensor) -> Tensor:
        return total(self.base_dist, value, self.reinterpreted_batch_ndims)


def event(base: Distribution, ndim: int) -> Distribution:
    """Independent numbers as one datum: log_prob sums over the last `ndim` axes."""
    return Event(base, ndim, validate_args=False)


def sum_last(x: Tensor, ndim: int) -> Tensor:
    """The sum over the last `ndim` axes."""
    return x.flatten(x.dim() - ndim).sum(-1) if ndim else x


@singledispatch
def total(d: Distribution, x: Tensor, ndim: int, mask: Tensor | None = None) -> Tensor:
    """log p of an event: the sum of log_prob(x) over the last `ndim` axes, with fewer operations where a
    distribution has its own method.

    `mask` (B, *E): only where it is true; x is in the support everywhere.
    """
    return total_by_cell(d, x, ndim, mask)


def total_by_cell(d: Distribution, x: Tensor, ndim: int, mask: Tensor | None) -> Tensor:
    """`total` of any distribution, from the log-probability of each cell."""
    if mask is None:
        return sum_last(d.log_prob(x), ndim)
    return sum_last(torch.where(mask, elementwise_log_prob(d, x), 0.0), ndim)


@total.register
def _(d: Bernoulli, x: Tensor, ndim: int, mask: Tensor | None = None) -> Tensor:
    """sum_i x_i a_i - log(1 + exp(a_i)), a the logits; masked, a_i = 0 and each such i gives -log 2 too much.

    Where no gradient is wanted, sum_i (x_i - 1/2) a_i - |a_i| / 2 + log prod_i sigmoid(|a_i|), the same: each
    factor is 1/2 or more, so up to TOGETHER of them need one logarithm, and a logarithm takes about as
    long as all else.
    """
    if mask is not None:
        known = Bernoulli(logits=torch.where(mask, d.logits, 0.0), validate_args=False)
        return total(known, x, ndim) + math.log(2) * sum_last((~mask).to(x.dtype), ndim)
    a = d.logits
    if a.requires_grad or not ndim:
        return -sum_last(torch.addcmul(softplus(a), x, a, value=-1), ndim)
    size = a.abs()
    rest = sum_last(torch.addcmul(size, x - 0.5, a, value=-2), ndim)
    factors = torch.sigmoid(size).flatten(a.dim() - ndim)
    *batch, cells = factors.shape
    together = largest_divisor(cells, TOGETHER)
    grouped = factors.reshape(*batch, cells // together, together)
    return grouped.prod(-1).log().sum(-1) - rest / 2


@functools.cache
def largest_divisor(n: int, most: int) -> int:
    """The largest divisor of n that is `most` or less; 1 of 0."""
    return next((i for i in range(min(n, most), 0, -1) if n % i == 0), 1)


def base_of(d: Distribution) -> Distribution:
    """The distribution of one cell, where cells are independent."""
    return base_of(d.base_dist) if isinstance(d, Independent) else d


def kl(q: Distribution, p: Distribution) -> Tensor | None:
    """KL(q || p) in nats where a closed form is known (`torch.distributions.register_kl`), else None."""
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
        return None


@dispatch_on_base
def mean_of(d: Distribution) -> Tensor:
    """The point estimate for reconstructions and embeddings, (*batch, *E): the mean where defined."""
    return d.mean


@mean_of.register(Categorical)
def _(d: Any) -> Tensor:
    """The most probable class: class numbers have no mean."""
    best: Tensor = d.logits.argmax(-1)
    return best.to(d.logits.dtype)


@dispatch_on_base
def elementwise_log_prob(d: Distribution, x: Tensor) -> Tensor:
    """log p of each cell, (*batch, *E): their sum is log_prob(x)."""
    if d.event_shape:
        raise NotImplementedError(f"the cells of {type(d).__name__} are not independent")
    log_p: Tensor = d.log_prob(x)
    return log_p


def log_prob_of(d: Distribution, x: Tensor, mask: Tensor) -> Tensor:
    """log p of the observed cells (mask true) of x (B, *E), (*batch,); x is in the support everywhere."""
    base = d.base_dist if isinstance(d, Event) else d
    return total(base, x, x.dim() - 1, mask)


@dispatch_on_base
def blend(d: Distribution, weights: Tensor) -> Tensor:
    """The point prediction of the mixture sum_s w_s d_s, weights (S, B): its mean, (B, *E)."""
    return weighted_mean(mean_of(d), weights)


@blend.register(Categorical)
def _(d: Any, weights: Tensor) -> Tensor:
    """The most probable class."""
    return weighted_mean(d.probs, weights).argmax(-1).to(weights.dtype)


def weighted_mean(x: Tensor, weights: Tensor) -> Tensor:
    """sum_s w_s x_s, (S, B, *E) or what broadcasts to it -> (B, *E)."""
    x = x if x.shape[:2] == weights.shape else x.expand(*weights.shape, *x.shape[max(x.dim() - 1, 2) :])
    return torch.einsum("sb,sb...->b...", weights, x)


@dispatch_on_base
def sample_with(d: Distribution, samples: int, noise: Noise) -> Tensor:
    """`samples` draws of q = d, shape (S, B, L), made from the same noise (S, 1, L) in every row.

    With common noise the result for a row does not depend on the other rows. If d itself has batch shape
    (S, B), as in the lower layers of a hierarchy, there is one draw for each.
    """
    raise NotImplementedError(f"no common noise for {type(d).__name__}")


@sample_with.register
def _(d: Normal, samples: int, noise: Noise) -> Tensor:
    return d.loc + d.scale * noise(torch.Size((samples, 1, *d.loc.shape[-1:])))
