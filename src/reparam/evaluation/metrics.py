"""Metrics of a batch besides the bound: KL by layer and dimension, residuals, aggregate posterior."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..distributions import elementwise_log_prob
from ..model.model import Model
from ..model.trace import Trace
from ..objectives import decomposition
from ..tensors import Rowwise, nan_to_neginf, weighted_sum
from .sample_quality import two_sample

ROWS = 1000
"""The most rows whose codes are compared pairwise."""
PAIRS = 1 << 24
"""The most numbers in memory for such a comparison."""


def kl_by_layer(trace: Trace) -> tuple[list[Tensor], list[Tensor] | None]:
    """KL(q || p) of each layer, (B,), and of its dimensions, (B, L), where q and p factorise; else None."""
    config = trace.config
    layers = [trace.average(rate) for rate in trace.rates]
    if not (config.posterior.factorises and config.prior.factorises):
        return layers, None
    return layers, [trace.average(layer.rates()) for layer in trace.layers]


def weighed(trace: Trace) -> tuple[Distribution, Tensor]:
    """p(x|z) of each draw and its log-weight log p(x_obs, z) - log q(z|x_obs), an autoencoder's
    log p(x_obs|z), (S, B); with classes as in `every_class`."""
    px, log_px = every_class(trace)
    if not trace.config.has_density:
        return px, nan_to_neginf(log_px)
    ratio = trace.log_ratio()
    return px, nan_to_neginf(log_px + ratio.repeat(len(log_px) // len(ratio), 1))


def every_class(trace: Trace) -> tuple[Distribution, Tensor]:
    """p(x|z) of each draw and log p(x_obs|z); where that is a sum over classes, p(x|z, y) for every class and
    draw, S = k K, and each part log p(y) p(x_obs|z, y) of the sum."""
    model, k, labels = trace.model, len(trace.z), trace.config.labels
    if not labels.marginalised:
        return trace.px, trace.log_likelihood
    codes, state = labels.every_code(trace.x.device).repeat_interleave(k, 0), trace.state
    again = None if state is None else state.repeat(labels.n_classes, 1, 1)
    px = model.decode(again, codes[:, None], trace.seen)
    return px, trace.log_px(px) + model.log_prior_y.repeat_interleave(k)[:, None]


def px_at(trace: Trace, chosen: Tensor) -> Distribution:
    """p(x|z) of one draw of each row, batch shape (1, B), `chosen` (B,) among those of `every_class`."""
    model, labels, rows = trace.model, trace.config.labels, torch.arange(len(chosen))
    k, state, code = len(trace.z), trace.state, trace.code
    if state is not None:
        state = state.expand(k, -1, -1)[chosen % k, rows][None]
    if labels.marginalised:
        code = labels.every_code(chosen.device)[chosen // k][None]
    elif code is not None:
        code = code.expand(k, len(rows), -1)[chosen, rows][None]
    return model.decode(state, code, trace.seen)


def distortion_by_cell(trace: Trace) -> Tensor:
    """-E_q log p(x_j|z) of each number, (B, *E); with an Auxiliary head -E_q E_p(y|x,z) log p(x_j|z, y)."""
    if not trace.config.labels.marginalised:
        return -trace.average(elementwise_log_prob(trace.px, trace.x))
    (px, share), k = every_class(trace), len(trace.z)
    weights = share.reshape(-1, k, len(trace.x)).softmax(0).flatten(0, 1) / k
    return -weighted_sum(weights, elementwise_log_prob(px, trace.x))


def residuals(trace: Trace) -> Tensor | None:
    """The mean square of (x - mean) / scale over observed cells, (B,): 1 where the scale is right.

    None where the scale is learned.
    """
    family = trace.model.likelihood.family
    if not family.has_fixed_scale:
        return None
    square = (trace.x - trace.px.mean).square() / trace.px.variance
    square = square if trace.mask is None else square.masked_fill(~trace.mask, math.nan)
    return trace.average(square.flatten(2).nanmean(-1))


def aggregate(model: Model, x: Rowwise, y: Tensor | None, rated: bool) -> dict[str, float]:
    """Mutual information, KL(q(z) || p(z)) and `prior_auc` of the top layer, over at most 1,000 rows."""
    config, n = model.config, len(x)
    if not config.latent_dim or config.posterior.atoms is not None or config.labels.enumerated:
        return {}
    few = min(n, ROWS, math.isqrt(PAIRS // model.latents.dims[0]))
    kept = torch.linspace(0, n - 1, few, dtype=torch.float64).round().long()
    trace = model(model.observe(x[kept]), None if y is None else y[kept])
    found, z = {}, trace.layers[0].z[0]
    if not z.isfinite().all():
        return {}
    if rated and config.posterior.factorises and n > 1:
        information, *rest = (float(part.mean()) for part in decomposition(trace, n))
        found = {"mutual_information": information, "aggregate_kl": sum(rest)}
    if n >= 200:
        drawn = trace.layers[0].p.sample(torch.Size((len(z),)))
        found["prior_auc"] = two_sample(z.numpy(), drawn.numpy()).auc
    return found


def calibration_error(logits: Tensor, truth: Tensor, bins: int = 15) -> float:
    """sum_b n_b / n |accuracy_b - confidence_b| over bins of confidence (Guo et al. 2017, equation 3)."""
    confidence, guess = logits.double().softmax(-1).max(-1)
    off = (guess == truth).double() - confidence
    place = (confidence * bins).ceil().long().clamp(1, bins) - 1
    return float(torch.zeros(bins).double().index_add(0, place, off).abs().sum() / len(truth))
