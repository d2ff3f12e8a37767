"""Missing cells given the known ones, by importance sampling over the latent.

p(x_miss | x_obs) = E_q [ w p(x_miss | z) ] / E_q [ w ] with w = p(x_obs, z) / q(z | x_obs)
(Mattei and Frellsen 2019, equations 12 and 13).
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from .distributions import blend, cells, log_prob_of
from .model import Model, Trace
from .tensors import numel

NUMBERS = 1 << 23
"""Decoded numbers in memory at once."""


def weighed(model: Model, x: Tensor, y: Tensor | None, k: int) -> Iterator[tuple[Trace, Tensor]]:
    """A batch's trace with k draws, and its normalised importance weights (S, B)."""
    rows = max(1, NUMBERS // (k * numel(model.event)))
    for i in range(0, len(x), rows):
        trace = model(model.observe(x[i : i + rows]), None if y is None else y[i : i + rows], samples=k)
        yield trace, (trace.log_w() if trace.has_rate else trace.log_likelihood).softmax(0)


@torch.no_grad()
def best(model: Model, x: Tensor, y: Tensor | None, k: int, seed: int) -> Tensor:
    """The known cells, and E[x_miss | x_obs] (the most probable class) in the others: (n, *E)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        guesses = [blend(trace.px, weights) for trace, weights in weighed(model, x, y, k)]
    return torch.where(x.isnan(), torch.cat(guesses).reshape(x.shape), x)


@torch.no_grad()
def draw(model: Model, x: Tensor, y: Tensor | None, k: int, seed: int) -> Tensor:
    """The known cells, and one draw of p(x_miss | x_obs) in the others, by resampling: (n, *E)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        drawn = []
        for trace, weights in weighed(model, x, y, k):
            chosen = torch.multinomial(weights.T, 1)[:, 0]
            each = trace.px.sample().expand(len(weights), *trace.x.shape)
            drawn.append(each[chosen, torch.arange(len(chosen))])
    return torch.where(x.isnan(), torch.cat(drawn), x)


@torch.no_grad()
def by_cell(model: Model, x: Tensor, y: Tensor | None, k: int, seed: int) -> Tensor:
    """E[log p(x_j | z) | x] of each known cell in nats, NaN where missing: (n, *E)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        found = []
        for trace, weights in weighed(model, x, y, k):
            each = cells(trace.px, trace.x).reshape(len(weights), *trace.x.shape)
            found.append((weights.reshape(*weights.shape, *[1] * (each.dim() - 2)) * each).sum(0))
    return torch.cat(found).masked_fill(x.isnan(), torch.nan)


@torch.no_grad()
def given(model: Model, x: Tensor, code: Tensor | None, pool: int, seed: int) -> tuple[Tensor, float]:
    """Draws of p(x | the known cells of x[0]), as many as x has rows, and the pool's effective size.

    `pool` draws of the prior (and label numbers `code` of so many rows) resampled by p(known cells | z).
    """
    one = x[:1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        px = model.decode(model.prior_state(pool), code)
        weights = log_prob_of(px, model.likelihood.filled(one), ~one.isnan()).reshape(-1).softmax(0)
        chosen = torch.multinomial(weights, len(x), replacement=True)
        drawn = px.sample().reshape(pool, *x.shape[1:])[chosen]
    return torch.where(x.isnan(), drawn, x), float(1 / weights.square().sum())
