"""The distribution of a missing cell given the observed cells of its row, as probabilities of values.

Each category has a probability. For a number, values v_k are drawn from its marginal m(v) = E_p(z) p(v | z):

    P(v_k | x_obs) ~ p(v_k | x_obs) / m(v_k),    p(v | x_obs) = E_q[w p(v | z, x_obs)] / E_q[w],

with w = p(x_obs, z) / q(z | x_obs). The ratio needs no unit, so it holds for densities, for probabilities
and for distributions that have both.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from ..distributions import elementwise_log_prob, marginals
from ..model.model import Model
from ..tensors import random_from
from .likelihood import common_noise
from .metrics import weighed

VALUES = 64
"""The most values of a number."""
APART = 32
"""Draws of the marginals for each of them: every 32nd in order is taken."""
CELLS = 1 << 22
"""Log-probabilities in memory at once."""


class Values(NamedTuple):
    """G values of each of C columns, (G, C), and the logarithm of 1 / m(v), or of 1 for a category; -inf
    where a column has fewer."""

    each: Tensor
    log_base: Tensor


@torch.no_grad()
def values_of(model: Model, categories: Sequence[int], seed: int) -> Values:
    """`categories`: how many each column has, 0 for a number."""
    with random_from(seed):
        n, labels = APART * VALUES, model.config.labels
        code = labels.code(labels.examples(n))[None] if labels.to_decoder else None
        px = marginals(model.decode(model.prior_state(n), code))
        drawn = px.sample().reshape(-1, len(categories)).float()
    size = max(VALUES, *categories)
    each, log_base = torch.zeros(size, len(categories)), torch.full((size, len(categories)), -torch.inf)
    for j, many in enumerate(categories):
        held = torch.arange(many) if many else drawn[:, j].sort().values[APART // 2 :: APART]
        own, counts = map(torch.as_tensor, np.unique(held.float(), return_counts=True))
        each[:, j] = own[-1]
        each[: len(own), j] = own
        log_base[: len(own), j] = counts.log()
    density = elementwise_log_prob(px, each[:, None, None]).reshape(size, -1, len(categories)).logsumexp(1)
    numbers = torch.tensor([not many for many in categories])
    return Values(each, torch.where(numbers, log_base - density, log_base))


def probabilities(px: Distribution, log_w: Tensor, values: Values) -> Tensor:
    """P(v_k | x_obs), (B, G, C), from p(x | z) at S draws of z and their log-weights (S, B)."""
    each = elementwise_log_prob(px, values.each[:, None, None])
    mean = (log_w.log_softmax(0)[..., None] + each).logsumexp(1)
    return (mean + values.log_base[:, None]).softmax(0).movedim(0, 1)


@torch.no_grad()
def given_others(model: Model, x: Tensor, y: Tensor | None, values: Values, k: int, seed: int) -> Tensor:
    """P(v_k | the other observed cells) of each cell of x (n, C), observed or missing: (n, G, C).

    k draws of z, whose noise is that of `seed` in all rows."""
    columns = x.shape[1]
    found = x.new_empty(len(x), *values.each.shape)
    rows = max(1, CELLS // (k * values.each.numel()))
    for i in range(len(x)):
        hidden = x[i].repeat(columns, 1)
        hidden.fill_diagonal_(torch.nan)
        told = None if y is None else y[i : i + 1].expand(columns, *y.shape[1:])
        for j in range(0, columns, rows):
            some = slice(j, min(j + rows, columns))
            p = missing_given_observed(
                model, hidden[some], None if told is None else told[some], values, k, seed
            )
            found[i, :, some] = p.diagonal(j, 0, 2)
    return found


def missing_given_observed(
    model: Model, x: Tensor, y: Tensor | None, values: Values, k: int, seed: int
) -> Tensor:
    """As `given_others`, of the missing cells alone: what stands in observed ones means nothing."""
    with random_from(seed):
        seen = model.observe(x, for_likelihood=True, alike=True)
    with random_from(seed):
        trace = model(seen, y, samples=k, draw=common_noise(k, seen.dtype))
    return probabilities(*weighed(trace), values)
