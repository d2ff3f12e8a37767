"""p(x_j | z) of each column of a table: probabilities of its categories, or quantiles."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..distributions import elementwise_log_prob, marginals
from ..tensors import random_from
from .row_format import Tables
from .wire import Array

if TYPE_CHECKING:
    from .. import VAE

DRAWS = 500
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


@torch.no_grad()
def columns_given_code(vae: "VAE", z: Array, label: Any) -> list[dict[str, Any]]:
    """Of each column its `name` and, for the n codes, `probabilities` (n, categories), or `quantiles`
    (n, levels) at `levels` of DRAWS draws, in the units of the page."""
    model, codes = vae.model_, torch.as_tensor(z)
    condition = vae.preprocessor_.targets.condition(label, len(z))
    code = None if condition is None else vae.labels_.code(condition)[None]
    px = marginals(model.decode(model.state(codes), code))
    rows, shape = Tables(vae), (len(z), *model.event)
    most = max((len(column.categories) for column in rows.modelled), default=0)
    tops = torch.tensor([max(0.0, len(column.categories) - 1.0) for column in rows.modelled])
    inside = model.likelihood.filled(torch.full(shape, torch.nan))
    each = [
        elementwise_log_prob(px, torch.where(tops > 0, tops.clamp_max(k), inside)).reshape(shape).exp()
        for k in range(most)
    ]
    with random_from(vae.seed_):
        draws = px.sample(torch.Size((DRAWS,))).reshape(-1, *model.event)
    numbers = rows.numbers(vae.codec_.decode(draws)).reshape(DRAWS, *shape)
    found: list[dict[str, Any]] = []
    for j, column in enumerate(rows.modelled):
        if column.categories:
            p = torch.stack([t[:, j] for t in each[: len(column.categories)]], -1)
            found.append({"name": column.name, "probabilities": (p / p.sum(-1, keepdim=True)).tolist()})
        else:
            quantiles = np.quantile(numbers[..., j], LEVELS, axis=0).T
            found.append({"name": column.name, "quantiles": quantiles.tolist(), "levels": LEVELS})
    return found
