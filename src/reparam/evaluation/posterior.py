"""Posterior mean, spread and rate by latent dimension, and draws and density of the prior, in codes."""

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..data.batching import Rows
from ..distributions import mean_of
from ..errors import SpecError
from ..model.hierarchy import averaging, replaying
from ..model.model import Model
from .passes import each_row, rows_at_once


def posterior(model: Model, rows: Rows) -> dict[str, Tensor]:
    """Of each row `mean`, `sd` (NaN where q has none) and, where q and p factorise, `kl` in nats: (n, L)
    each, layers joined. Layers below the top are those at the means above."""
    config = model.config
    factorises = config.has_density and config.posterior.factorises and config.prior.factorises

    def of_batch(x: Tensor, y: Tensor | None) -> dict[str, Tensor]:
        _, layers = model.latents(model.conditioning(x, y).features, averaging, model.pseudo_features())
        if not layers:
            return {name: x.new_zeros(len(x), 0) for name in ("mean", "sd", "kl")}
        found = {"mean": [each.z[0] for each in layers], "sd": [spread(each.q, each.z[0]) for each in layers]}
        if factorises:
            found["kl"] = [each.rates()[0] for each in layers]
        return {name: torch.cat(parts, -1) for name, parts in found.items()}

    return each_row(of_batch, *rows, rows_at_once(model))


def spread_of(d: Distribution | None) -> Tensor | None:
    """The standard deviation; None where the distribution has none."""
    try:
        return None if d is None else d.stddev
    except (NotImplementedError, AttributeError):
        return None


def spread(q: Distribution | None, z: Tensor) -> Tensor:
    """The standard deviation of q, shaped like z (B, L); NaN where it has none."""
    sd = spread_of(q)
    return torch.full_like(z, torch.nan) if sd is None else sd.reshape(z.shape)


@torch.no_grad()
def log_prior(model: Model, z: Tensor) -> Tensor:
    """log p(z) of codes (m, L) over all layers, (m,) nats."""
    zs = [part[None] for part in torch.split(z, list(model.latents.dims), -1)]
    _, layers = model.latents(None, replaying(zs), model.pseudo_features())
    return torch.stack([layer.p.log_prob(layer.z)[0] for layer in layers]).sum(0)


@torch.no_grad()
def prior_codes(model: Model, n: int, temperature: float = 1.0) -> Tensor:
    """Codes (n, L) of z ~ p(z); their distance from the mean of p, layer by layer, is multiplied by
    the temperature."""
    if temperature != 1 and model.config.posterior.support != "real":
        raise SpecError("temperature is for latents of real numbers: use temperature=1")

    def draw(i: int, q: Distribution | None, p: Distribution) -> Tensor:
        z = p.sample(torch.Size((1, n)) if i == 0 else torch.Size())
        if temperature == 1:
            return z
        centre = mean_of(p)
        return centre + temperature * (z - centre)

    _, layers = model.latents(None, draw, model.pseudo_features())
    return torch.cat([layer.z[0] for layer in layers], -1) if layers else torch.zeros(n, 0)
