"""log p(x) without q: annealed importance sampling, and its error on simulated data."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import constraints

from ..distributions import base_of
from ..errors import SpecError
from ..model.hierarchy import LatentLayer, generating, replaying
from ..model.model import Model
from ..model.trace import Trace
from ..tensors import Rowwise, log_mean_exp, numel, random_from

LEAPS = 10
"""Leapfrog steps of a transition."""
ACCEPTED = 0.65
"""The target acceptance rate of the step sizes (Neal 2011, section 4.4; Wu et al. 2017)."""
JITTER = 0.5
"""The smallest jitter factor of the step size."""
PILOTS = 4
"""Chains per row that adapt the step size and are discarded, so that the other weights are unbiased."""
CELLS = 1 << 21
"""Decoded numbers per batch."""


@dataclass(frozen=True)
class Annealed:
    """log p(x) of `n` rows by AIS over `steps` temperatures with `chains` chains per row, nats per datum.

    `lower` and `upper` are bounds for data simulated from the model: on average the true value is between
    them, and `gap` bounds the error of AIS there (BDMC, Grosse et al. 2015 and 2016).
    """

    n: int
    steps: int
    chains: int
    log_likelihood: float
    se: float | None
    acceptance: float
    lower: float
    upper: float
    gap: float


class Steps(NamedTuple):
    """The step size (B,) and the standard deviation of the dimensions (L,), both from the pilot chains."""

    size: Tensor
    spread: Tensor


Score = Callable[[Tensor], tuple[Tensor, Tensor]]
"""z (C, B, L) -> (log p(z), log p(x|z)), (C, B) each."""


def not_annealable(model: Model) -> str | None:
    """Why AIS cannot be used for a model, and what to do instead; or None."""
    config = model.config
    if not config.latent_dim:
        return "ais with latent_dim=0: there is no latent, log p(x|y) is exact. Leave ais out"
    if config.posterior.atoms is not None:
        return f"ais with posterior={config.posterior}: codes have no gradients. Leave ais out and raise k"
    if config.labels.enumerated:
        return f"ais with labels={config.labels}: it does not sum over classes. Leave ais out and raise k"
    with torch.no_grad(), random_from(0):
        _, layers = model.latents(None, generating(1), model.pseudo_features())
    for layer in layers:
        support = getattr(base_of(layer.p), "support", constraints.real)
        if support not in (constraints.real, constraints.real_vector) and not (
            isinstance(support, constraints.independent) and support.base_constraint is constraints.real
        ):
            return f"ais with prior={config.prior}: its support is not all of R^L. Leave ais out and raise k"
    return None


def joint(model: Model, trace: Trace) -> Score:
    """The two factors of p(x, z), layers concatenated; `trace` holds the batch and its labels."""
    dims = list(model.latents.dims)

    def score(z: Tensor) -> tuple[Tensor, Tensor]:
        state, layers = model.latents(None, replaying(torch.split(z, dims, -1)), trace.pseudo)
        log_p = torch.stack([layer.p.log_prob(layer.z) for layer in layers]).sum(0)
        return log_p, replace(trace, state=state, layers=layers).log_likelihood

    return score


def move(score: Score, beta: float, z: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """One Hamiltonian transition that leaves p(z) p(x|z)^beta invariant (Neal 2011, figure 2): z (C, B, L)
    and its acceptance probability, (C, B). Steps (B, L) are jittered to avoid periodic paths."""

    def target(z: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            log_p, log_px = score(z)
            log_f = log_p + beta * log_px
            return log_f.detach(), torch.autograd.grad(log_f.sum(), z)[0]

    size = step * torch.empty_like(z[..., :1]).uniform_(JITTER, 1)
    start = torch.randn_like(z)
    (before, slope), new, momentum = target(z), z, start
    for _ in range(LEAPS):
        momentum = momentum + 0.5 * size * slope
        new = new + size * momentum
        after, slope = target(new)
        momentum = momentum + 0.5 * size * slope
    energy = after - before - 0.5 * (momentum.square() - start.square()).sum(-1)
    accepted = energy.clamp_max(0).exp().nan_to_num(0.0)
    taken = torch.rand_like(accepted) < accepted
    return torch.where(taken[..., None], new, z), accepted


@torch.no_grad()
def anneal(score: Score, z: Tensor, betas: Tensor, steps: Steps) -> tuple[Tensor, Steps, float]:
    """(log weights (C, B), last steps, mean acceptance) of chains from z (PILOTS + C, B, L).

    log w = sum_t (beta_t - beta_{t-1}) log p(x|z_{t-1}), z_t by a step at beta_t (Neal 2001, equation 3).
    Up from z ~ p(z), E w = p(x); down from z ~ p(z|x), E w = 1 / p(x).
    """
    log_w, rate = torch.zeros(z.shape[:2], dtype=torch.float64), 0.0
    for before, beta in zip(betas[:-1].tolist(), betas[1:].tolist(), strict=True):
        log_w += (beta - before) * score(z)[1].double()
        z, accepted = move(score, beta, z, steps.size[:, None] * steps.spread)
        size = steps.size * (0.1 * (accepted[:PILOTS].mean(0) - ACCEPTED)).exp()
        spread = 0.9 * steps.spread + 0.1 * z[:PILOTS].var(0).mean(0).sqrt()
        steps = Steps(size, spread)
        rate += float(accepted.mean()) / (len(betas) - 1)
    return log_w[PILOTS:], steps, rate


def temperatures(steps: int) -> Tensor:
    """0 ... 1, steps + 1 values, closer at both ends: a sigmoid from -4 to 4 (Wu et al. 2017, section 5)."""
    raw = torch.sigmoid(torch.linspace(-4, 4, steps + 1, dtype=torch.float64))
    return (raw - raw[0]) / (raw[-1] - raw[0])


def side_by_side(layers: tuple[LatentLayer, ...]) -> Tensor:
    """The layers' values concatenated, (S, B, sum of L)."""
    return torch.cat([layer.z for layer in layers], -1)


@torch.no_grad()
def simulated(model: Model, trace: Trace) -> tuple[Tensor, Trace]:
    """(z (1, B, L), the trace of x ~ p(x|z)): as many rows, with the same labels where those are given."""
    n = len(trace.x)
    state, layers = model.latents(None, generating(n), trace.pseudo)
    code = model.config.labels.simulated_code(trace.conditioning, model.log_prior_y, n)
    x = model.decode(state, code).sample().reshape(n, *model.event)
    return side_by_side(layers), replace(trace, x=x, mask=None, state=state, layers=layers)


@torch.no_grad()
def annealed(
    model: Model, x: Rowwise, y: Tensor | None, steps: int, seed: int, rows: int = 100, chains: int = 8
) -> Annealed:
    """AIS from the prior to p(x, z) for at most `rows` evenly spaced rows of x (n, *E); and, forward and
    backward, for as many simulated rows. Raises SpecError where `not_annealable` gives a reason."""
    reason = not_annealable(model)
    if reason or steps < 1:
        raise SpecError(reason or f"ais takes a number of temperatures, 1 or more; not {steps}")
    kept = torch.linspace(0, len(x) - 1, min(rows, len(x)), dtype=torch.float64).round().long()
    betas, size = temperatures(steps), sum(model.latents.dims)
    batch = max(1, CELLS // (chains * numel(model.event)))
    each, rates = [], []
    with random_from(seed):
        for part in torch.split(kept, batch):
            trace = model(model.observe(x[part], for_likelihood=True), None if y is None else y[part])
            z, made = simulated(model, trace)
            first = Steps(z.new_full((len(part),), 0.5), z.new_ones(size))
            start = side_by_side(
                model.latents(None, generating((chains + PILOTS) * len(part)), trace.pseudo)[1]
            )
            start = start.reshape(chains + PILOTS, len(part), size)
            log_w, _, rate = anneal(joint(model, trace), start, betas, first)
            lower, last, _ = anneal(joint(model, made), start, betas, first)
            down, *_ = anneal(joint(model, made), z.expand_as(start), betas.flip(0), last)
            each.append(torch.stack([log_mean_exp(log_w), log_mean_exp(lower), -log_mean_exp(down)]))
            rates.append(rate * len(part))
    score, below, above = torch.cat(each, 1)
    n = len(kept)
    return Annealed(
        n=n,
        steps=steps,
        chains=chains,
        log_likelihood=float(score.mean()),
        se=float(score.std()) / math.sqrt(n) if n > 1 else None,
        acceptance=sum(rates) / n,
        lower=float(below.mean()),
        upper=float(above.mean()),
        gap=float((above - below).mean()),
    )
