"""What a model computes for one batch, which objectives and evaluation read."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.func import functional_call

from ..distributions import log_missing, log_prob_of
from ..nn.layers import joined
from ..tensors import weighted_sum
from .config import ModelConfig
from .hierarchy import Draw, LatentLayer, LayerLogProbs
from .label_head import Conditioning

if TYPE_CHECKING:
    from .model import Model


@dataclass(eq=False, repr=False, kw_only=True)
class Trace:
    """The model's quantities for one batch, computed when first used. Shapes (S, B), nats."""

    model: "Model"
    x: Tensor
    mask: Tensor | None
    y: Tensor | None
    conditioning: Conditioning
    pseudo: Tensor | None
    state: Tensor | None
    layers: tuple[LatentLayer, ...]
    critics: Mapping[object, nn.Module] = field(default_factory=dict)
    missing: Tensor | None = None
    """See `with_missing`."""

    def with_missing(self, x: Tensor) -> "Trace":
        """This trace, whose log p(x|z) includes the log-probability of which cells are missing;
        x (B, *E): the rows before cells were hidden."""
        self.missing = x.isnan() if self.config.has_missing else None
        return self

    def redrawn(self, draw: Draw) -> "Trace":
        """The same rows with new draws of z, as many as before where classes are enumerated; encoder outputs
        are reused."""
        state, layers = self.model.latents(self.conditioning.features, draw, self.pseudo)
        return replace(self, state=state, layers=layers)

    @property
    def config(self) -> ModelConfig:
        return self.model.config

    @property
    def logits(self) -> Tensor | None:
        """The classifier's, (B, K)."""
        return self.conditioning.logits

    @property
    def code(self) -> Tensor | None:
        return self.conditioning.code

    @cached_property
    def z(self) -> Tensor:
        """The code, the layers' draws joined from the top, (S, B, L)."""
        return joined([layer.z for layer in self.layers] or [self.x.new_zeros(1, self.x.shape[0], 0)])

    @property
    def n_data(self) -> int:
        """The number of rows of the training set."""
        return self.model.n_data

    @cached_property
    def weights(self) -> Tensor | None:
        """Sample weights (S, B) where classes are enumerated, q(y|x) / draws; else None, equal weights."""
        log_qy = self.conditioning.log_qy
        return None if log_qy is None else log_qy.exp() * len(self.model.log_prior_y) / len(log_qy)

    def average(self, t: Tensor) -> Tensor:
        """The mean over samples (S, B, ...) -> (B, ...)."""
        if self.weights is not None:
            return weighted_sum(self.weights, t)
        return t.mean(0) if len(t) > 1 else t[0]

    @cached_property
    def px(self) -> Distribution:
        """p(x|z), batch shape (S, B)."""
        return self.model.decode(self.state, self.code, self.seen)

    @cached_property
    def seen(self) -> Tensor:
        """x with NaN in missing cells."""
        return self.x if self.mask is None else self.x.masked_fill(~self.mask, math.nan)

    @cached_property
    def distortion(self) -> Tensor:
        """-log p(x|z), (S, B), given the label code of the decoder."""
        return -self.log_px(self.px)

    @cached_property
    def mean_distortion(self) -> Tensor:
        """The batch mean, ()."""
        return self.average(self.distortion).mean()

    def log_px(self, px: Distribution) -> Tensor:
        """log-probability of the observed cells, and of which cells are `missing`."""
        own = px.log_prob(self.x) if self.mask is None else log_prob_of(px, self.x, self.mask)
        return own if self.missing is None else own + log_missing(px, self.missing)

    def log_px_given(self, code: Tensor | None) -> Tensor:
        """log p(x|z, code), (S, B)."""
        if code is self.code:
            return -self.distortion
        return self.log_px(self.model.decode(self.state, code, self.seen))

    @cached_property
    def rates(self) -> tuple[Tensor, ...]:
        """KL(q || p) of each layer, (S, B) each."""
        return tuple(layer.rate() for layer in self.layers)

    @cached_property
    def label_rate(self) -> Tensor:
        """KL(q(y|x) || p(y)), (B,), where classes are enumerated, -log p(y) for a labelled row; else 0."""
        if self.conditioning.log_qy is None:
            return self.x.new_zeros(len(self.x))
        log_q = self.conditioning.log_qy[: len(self.model.log_prior_y)].clamp_min(-1e30)
        return (log_q.exp() * (log_q - self.model.log_prior_y[:, None])).sum(0)

    @cached_property
    def rate(self) -> Tensor:
        """KL(q(y, z|x) || p(y, z)), (B,): all layers, and the label where it is inferred."""
        each = [self.average(rate) for rate in self.rates]
        each += [self.label_rate] if self.conditioning.log_qy is not None or not each else []
        return reduce(torch.add, each)

    @cached_property
    def mean_rate(self) -> Tensor:
        """The batch mean, ()."""
        return self.rate.mean()

    @cached_property
    def log_likelihood(self) -> Tensor:
        """log p(x|z), (S, B), summed over the classes where the label head requires it."""
        return self.config.labels.log_px(self.log_px_given, self.conditioning, self.model.log_prior_y)

    @cached_property
    def bound(self) -> Tensor:
        """The ELBO at beta = 1, (B,): E_q log p(x|z) - KL(q || p)."""
        return self.average(self.log_likelihood) - self.rate

    @cached_property
    def frozen(self) -> list[tuple[Tensor, Tensor]]:
        """log q(z) and log p(z) of each layer, (S, B), with constant parameters: gradients flow only
        through z. The densities are computed inside, because flows read their parameters only then."""
        assert self.conditioning.features is not None
        densities = LayerLogProbs(self.model.latents)
        held = {name: p.detach() for name, p in densities.named_parameters()}
        pseudo = None if self.pseudo is None else self.pseudo.detach()
        zs = [layer.z for layer in self.layers]
        return functional_call(densities, held, (self.conditioning.features.detach(), zs, pseudo))  # type: ignore[no-any-return]

    def log_w(self, *, frozen_q: bool = False) -> Tensor:
        """log p(x, z) - log q(z|x), (S, B): its log-mean-exp over S is the importance-weighted bound.

        Enumerated classes add log p(y) K, so that the mean over S = k K sums over y; a labelled row
        has weight only on its own class.
        """
        return self.log_likelihood + self.log_ratio(frozen_q=frozen_q)

    def log_ratio(self, *, frozen_q: bool = False) -> Tensor:
        """`log_w` without log p(x|z): log p(z) - log q(z|x), (S, B), which decodes nothing."""
        each = []
        for i, layer in enumerate(self.layers):
            assert layer.q is not None
            log_q = self.frozen[i][0] if frozen_q else layer.q.log_prob(layer.z)
            each.append(layer.p.log_prob(layer.z) - log_q)
        total = reduce(torch.add, each) if each else self.x.new_zeros(1, self.x.shape[0])
        log_qy = self.conditioning.log_qy
        if log_qy is None:
            return total
        classes = len(self.model.log_prior_y)
        prior = (self.model.log_prior_y + math.log(classes)).repeat(len(total) // classes)[:, None]
        return (total + prior).masked_fill(torch.isneginf(log_qy), -math.inf)
