"""Missing cells given the observed cells, by importance sampling over the latent.

p(x_miss | x_obs) = E_q [ w p(x_miss | z) ] / E_q [ w ] with w = p(x_obs, z) / q(z | x_obs)
(Mattei and Frellsen 2019, equations 12 and 13).
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..distributions import blend, elementwise_log_prob, log_prob_of
from ..memory import freed_memory_kept
from ..model.hierarchy import averaging, inferring
from ..model.model import Model
from ..model.trace import Trace
from ..tensors import random_from, weighted_sum
from .metrics import px_at, weighed
from .passes import CELLS, cells_of
from .redraws import Redraws

POOL = 10_000
"""Draws of the prior per resampling."""


LESS = 3
"""How many times the work pays for compilation that pays where weights alone are computed."""
Made = Callable[[Trace], Tensor]
"""A function of a trace with k draws -> (B, *E)."""


@torch.no_grad()
def over_draws(
    make: Made, model: Model, x: Tensor, y: Tensor | None, k: int, seeds: Sequence[int]
) -> Iterator[Tensor]:
    """`make` of k draws of z for every row, (n, *E), once for each seed."""
    rows = max(1, CELLS // (k * model.config.labels.decodings * cells_of(model)))
    redraws = Redraws(model, inferring(k), make, len(x) * k * len(seeds) // LESS)

    def made(some: slice) -> Tensor:
        seen, told = model.observe(x[some]), None if y is None else y[some]
        return redraws(model(seen, told, samples=k, draw=averaging))

    for seed in seeds:
        with random_from(seed), freed_memory_kept():
            each = [made(slice(i, i + rows)) for i in range(0, len(x), rows)]
        yield torch.cat(each).reshape(x.shape)


def filled(
    make: Made, model: Model, x: Tensor, y: Tensor | None, k: int, seeds: Sequence[int]
) -> Iterator[Tensor]:
    """For each seed x (n, *E), and what `make` gives in its missing cells: rows without any are left."""
    some = x.flatten(1).isnan().any(1)
    if not some.any():
        yield from [x] * len(seeds)
        return
    rows, told = x[some], None if y is None else y[some]
    for made in over_draws(make, model, rows, told, k, seeds):
        found = x.clone()
        found[some] = torch.where(rows.isnan(), made, rows)
        yield found


def best(model: Model, x: Tensor, y: Tensor | None, k: int, seed: int) -> Tensor:
    """The observed cells, and E[x_miss | x_obs] (the most probable class) in the others: (n, *E)."""

    def expected(trace: Trace) -> Tensor:
        px, log_w = weighed(trace)
        return blend(px, log_w.softmax(0))

    return next(filled(expected, model, x, y, k, [seed]))


def draws(model: Model, x: Tensor, y: Tensor | None, k: int, seeds: Sequence[int]) -> Iterator[Tensor]:
    """For each seed the observed cells, and one draw of p(x_miss | x_obs) in the others, by resampling:
    (n, *E) each."""

    def drawn(trace: Trace) -> Tensor:
        _, log_w = weighed(trace)
        return px_at(trace, torch.multinomial(log_w.softmax(0).T, 1)[:, 0]).sample()[0]

    return filled(drawn, model, x, y, k, seeds)


def log_prob_by_cell(model: Model, x: Tensor, y: Tensor | None, k: int, seed: int) -> Tensor:
    """E[log p(x_j | z) | x] of each observed cell in nats, NaN where missing: (n, *E)."""

    def scored(trace: Trace) -> Tensor:
        px, log_w = weighed(trace)
        each = elementwise_log_prob(px, trace.x).reshape(len(log_w), *trace.x.shape)
        return weighted_sum(log_w.softmax(0), each)

    (found,) = over_draws(scored, model, x, y, k, [seed])
    return found.masked_fill(x.isnan(), torch.nan)


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
