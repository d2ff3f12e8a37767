"""Missing cells given the observed cells, by importance sampling over the latent.

p(x_miss | x_obs) = E_q [ w p(x_miss | z) ] / E_q [ w ] with w = p(x_obs, z) / q(z | x_obs)
(Mattei and Frellsen 2019, equations 12 and 13).
"""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..distributions import blend, elementwise_log_prob, log_prob_of
from ..model.model import Model
from ..model.trace import Trace
from ..tensors import random_from, weighted_sum
from .metrics import every_class, px_at
from .passes import CELLS, cells_of

POOL = 10_000
"""Draws of the prior per resampling."""


def weighed(
    model: Model, x: Tensor, y: Tensor | None, k: int
) -> Iterator[tuple[Trace, Distribution, Tensor]]:
    """Traces of batches with k draws, p(x|z) at the draws, and normalised importance weights (S, B)."""
    rows = max(1, CELLS // (k * cells_of(model)))
    for i in range(0, len(x), rows):
        trace = model(model.observe(x[i : i + rows]), None if y is None else y[i : i + rows], samples=k)
        log_w = trace.log_w() if trace.config.has_density else trace.log_likelihood
        px, log_w = every_class(trace, log_w)
        yield trace, px, log_w.softmax(0)


Made = Callable[[Trace, Distribution, Tensor], Tensor]
"""A function of a trace, p(x|z) at its draws, and their weights -> (b, *E)."""


@torch.no_grad()
def over_weighed(make: Made, model: Model, x: Tensor, y: Tensor | None, k: int, seed: int) -> Tensor:
    """`make` over all batches, (n, *E)."""
    with random_from(seed):
        return torch.cat([make(*each) for each in weighed(model, x, y, k)]).reshape(x.shape)


def filled(make: Made, model: Model, x: Tensor, y: Tensor | None, k: int, seed: int) -> Tensor:
    """x (n, *E), and what `make` gives in its missing cells: rows without any are left as they are."""
    some = x.flatten(1).isnan().any(1)
    if not some.any():
        return x
    rows = x[some]
    made = over_weighed(make, model, rows, None if y is None else y[some], k, seed)
    found = x.clone()
    found[some] = torch.where(rows.isnan(), made, rows)
    return found


def best(model: Model, x: Tensor, y: Tensor | None, k: int, seed: int) -> Tensor:
    """The observed cells, and E[x_miss | x_obs] (the most probable class) in the others: (n, *E)."""
    return filled(lambda _, px, weights: blend(px, weights), model, x, y, k, seed)


def draw(model: Model, x: Tensor, y: Tensor | None, k: int, seed: int) -> Tensor:
    """The observed cells, and one draw of p(x_miss | x_obs) in the others, by resampling: (n, *E)."""

    def drawn(trace: Trace, _: Distribution, weights: Tensor) -> Tensor:
        chosen = torch.multinomial(weights.T, 1)[:, 0]
        return px_at(trace, chosen).sample()[0]

    return filled(drawn, model, x, y, k, seed)


def log_prob_by_cell(model: Model, x: Tensor, y: Tensor | None, k: int, seed: int) -> Tensor:
    """E[log p(x_j | z) | x] of each observed cell in nats, NaN where missing: (n, *E)."""

    def scored(trace: Trace, px: Distribution, weights: Tensor) -> Tensor:
        each = elementwise_log_prob(px, trace.x).reshape(len(weights), *trace.x.shape)
        return weighted_sum(weights, each)

    return over_weighed(scored, model, x, y, k, seed).masked_fill(x.isnan(), torch.nan)


@torch.no_grad()
def given(model: Model, x: Tensor, seed: int, take: Callable[[Distribution], Tensor]) -> tuple[Tensor, float]:
    """`take` of p(x|z), z ~ p(z | the observed cells of x[0]), for as many z as x has rows, and the
    effective sample size; x and 0 where those cells have probability 0.

    POOL draws of the prior are resampled by p(observed cells | z), new ones for every POOL / 10 rows.
    """
    with random_from(seed):
        each = [resampled(model, some, take) for some in torch.split(x, POOL // 10)]
    sizes = [size for _, size in each]
    return torch.cat([drawn for drawn, _ in each]), sum(sizes) if all(sizes) else 0.0


def resampled(model: Model, x: Tensor, take: Callable[[Distribution], Tensor]) -> tuple[Tensor, float]:
    """As `given`, for one pool."""
    one, state = x[:1], model.prior_state(POOL)
    px = model.decode(state, None, one)
    log_w = log_prob_of(px, model.likelihood.filled(one), ~one.isnan()).reshape(-1)
    log_w = log_w.nan_to_num(nan=-math.inf, neginf=-math.inf)
    if log_w.max() == -math.inf:
        return x, 0.0
    weights = log_w.softmax(0)
    chosen = torch.multinomial(weights, len(x), replacement=True)
    drawn = take(model.decode(None if state is None else state[:, chosen], None, x)).reshape(x.shape)
    return torch.where(x.isnan(), drawn, x), float(1 / weights.square().sum())
