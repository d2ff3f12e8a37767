"""The model, p(x, z) with its q(z|x), and the trace: all that an objective may look at."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.func import functional_call

from ..distributions import has_density, log_prob_of
from ..errors import SpecError
from ..families import Conditional, Family
from ..nn.layers import joined, shapes_of
from ..nn.networks import Network
from ..tensors import Rowwise, Shape, as_shape, numel, weighted_sum
from .hierarchy import (
    Draw,
    Hierarchy,
    LatentLayer,
    LayerLogProbs,
    averaging,
    generating,
    inferring,
    replaying,
)
from .labels import Auxiliary, Enumerated, Given, LabelHead
from .priors import VampPrior, check_compatible

SEEN = 1 << 22
"""Cells of a sparse matrix that units are taken from."""


@dataclass(frozen=True)
class ModelConfig:
    """What a model is made of, every choice resolved."""

    latent_dim: tuple[int | Shape, ...]
    encoder: Network
    decoder: Network
    posterior: Family
    prior: Family | VampPrior
    likelihood: Family
    labels: LabelHead | None = None
    holes: bool = False
    """Whether the encoder is told which cells are missing."""

    @property
    def rungs(self) -> tuple[Shape, ...]:
        """The latents' shapes from the top."""
        return tuple(map(as_shape, self.latent_dim))


class Model(nn.Module):
    """q(z|x) and p(x|z) p(z) over data of shape `event`. `forward` traces one batch."""

    log_prior_y: Tensor

    def __init__(self, event: Shape, parts: ModelConfig) -> None:
        super().__init__()
        self.event, self.config, labels = event, parts, parts.labels
        check_compatible(parts.posterior, parts.prior, parts.rungs, labels)
        self.n_data = 0
        zeros = torch.zeros(1, *event)
        seen = tuple(append_mask(parts.likelihood.inputs(zeros), zeros if parts.holes else None).shape[1:])
        if not parts.latent_dim and not isinstance(labels, Given):
            raise SpecError(
                f"latent_dim=0 with labels={labels} leaves the decoder no data to read. "
                "Give it labels=Given(classes)"
            )
        self.encoder = None
        if parts.latent_dim:
            self.encoder = parts.encoder.encoder(seen, labels.to_encoder if labels else 0, parts.rungs)
        features = shapes_of(self.encoder) if self.encoder else ()
        prior = parts.prior if isinstance(parts.prior, Family) else None
        self.latents = Hierarchy(features, parts.rungs, parts.posterior, prior)
        pseudo = parts.prior.components if isinstance(parts.prior, VampPrior) else 0
        self.pseudo = nn.Parameter(torch.zeros(pseudo, *seen)) if pseudo else None
        self.classifier = labels.classifier(seen, sum(map(numel, features))) if labels else None
        read = (*self.latents.state, *([(labels.to_decoder,)] if labels else []))
        self.likelihood: Conditional = parts.likelihood.build(  # type: ignore[assignment]
            event, lambda n: parts.decoder.decoder(read, event, n), floor=1e-3
        )
        classes = labels.classes if labels else 1
        self.register_buffer("log_prior_y", torch.zeros(classes) - torch.tensor(float(classes)).log())

    @torch.no_grad()
    def start(self, x: Rowwise, y: Tensor | None = None) -> None:
        """Take from the data (n, *E) what a model is built around: units, classes, pseudo-inputs."""
        self.n_data = len(x)
        few = max(1, SEEN // numel(self.event))
        self.likelihood.fit_units(x if isinstance(x, Tensor) else x[torch.randint(len(x), (few,))])
        if y is not None:
            counts = torch.bincount(y[y >= 0], minlength=len(self.log_prior_y)).double() + 1e-9
            self.log_prior_y.copy_((counts / counts.sum()).log())
        self.start_pseudo(x)

    @torch.no_grad()
    def start_pseudo(self, x: Rowwise) -> None:
        """Put a VampPrior's pseudo-inputs on rows of x (n, *E)."""
        if self.pseudo is not None:
            rows = torch.randperm(len(x))[torch.arange(len(self.pseudo)) % len(x)]
            inputs = self.inputs(x[rows])
            self.pseudo.copy_(inputs + 0.01 * torch.randn_like(inputs))

    def forward(
        self, x: Tensor, y: Tensor | None = None, *, samples: int = 1, draw: Draw | None = None
    ) -> "Trace":
        """Infer z and decode it: x (B, *E), class numbers y (B,) -> Trace with `samples` draws of z.

        Where classes are enumerated there are `samples` draws for each of them.
        """
        x = self.observe(x)
        labels, log_qy = self.config.labels, None
        if isinstance(labels, Enumerated):
            assert self.encoder is not None and self.classifier is not None
            inputs, codes = self.inputs(x), labels.code(torch.arange(labels.classes, device=x.device))
            logits = self.classifier(inputs, None)
            each = torch.stack([self.encoder(inputs, code.expand(len(x), -1)) for code in codes])
            h: Tensor | None = each.repeat(samples, 1, 1)
            code: Tensor | None = codes.repeat(samples, 1)[:, None]
            log_qy = self.label_posterior(logits, y).repeat(samples, 1)
        else:
            h, logits = self.features(x, y)
            code = self.code(y, logits)
        pseudo = self.pseudo_features()
        state, sites = self.latents(h, draw or inferring(samples), pseudo)
        mask = ~x.isnan() if self.has_holes(x) else None
        x = x if mask is None else self.likelihood.filled(x)
        return Trace(self, x, mask, y, logits, h, pseudo, state, sites, code, log_qy)

    def has_holes(self, x: Tensor) -> bool:
        """Whether NaN must be looked for: in training only where the training set had holes."""
        return self.config.holes or (not self.training and bool(x.isnan().any()))

    def observe(self, x: Tensor, *, for_likelihood: bool = False, alike: bool = False) -> Tensor:
        """What counts as the datum (see `Family.observe`); missing cells stay missing."""
        seen = self.likelihood.family.observe(x, for_likelihood=for_likelihood, alike=alike)
        return torch.where(x.isnan(), x, seen) if self.has_holes(x) else seen

    def inputs(self, x: Tensor) -> Tensor:
        """What the networks read of x: standard units, 0 in missing cells, and which cells are known."""
        read = self.likelihood.family.inputs(self.likelihood.standardised(x))
        if not self.has_holes(x):
            return read
        return append_mask(read.nan_to_num(nan=0.0), ~x.isnan() if self.config.holes else None)

    def features(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor | None, Tensor | None]:
        """What the encoder (B, n_features) and the classifier (B, K) make of a batch.

        An Enumerated head reads an unknown label as its most probable one.
        """
        labels, inputs, logits = self.config.labels, self.inputs(x), None
        if isinstance(labels, Enumerated) and self.classifier:
            logits = self.classifier(inputs, None)
        extra = labels.code(self.label(y, logits)) if labels and labels.to_encoder else None
        h = self.encoder(inputs, extra) if self.encoder else None
        if isinstance(labels, Auxiliary) and self.classifier:
            logits = self.classifier(inputs, h)
        return h, logits

    def label(self, y: Tensor | None, logits: Tensor | None) -> Tensor:
        """Class numbers (B,): what is given, else the classifier's best guess."""
        if logits is None:
            assert y is not None
            return y
        best = logits.argmax(-1)
        return best if y is None else torch.where(y < 0, best, y)

    def code(self, y: Tensor | None, logits: Tensor | None) -> Tensor | None:
        """The label numbers that the decoder sees, (1, B, to_decoder)."""
        labels = self.config.labels
        if isinstance(labels, Auxiliary):
            assert logits is not None
            soft = logits.softmax(-1)[None]
            return soft.detach() if labels.detach else soft
        return labels.code(self.label(y, logits))[None] if labels else None

    def label_posterior(self, logits: Tensor | None, y: Tensor | None) -> Tensor:
        """log q(y|x), (K, B): the classifier's, or all on the label of a labelled row."""
        assert logits is not None
        log_q = logits.log_softmax(-1)
        if y is not None:
            known = torch.full_like(log_q, -math.inf).scatter(-1, y.clamp_min(0)[:, None], 0.0)
            log_q = torch.where(y[:, None] < 0, log_q, known)
        return log_q.T

    def pseudo_features(self) -> Tensor | None:
        """The encoder's view of a VampPrior's pseudo-inputs, (K, n_features)."""
        if self.pseudo is None:
            return None
        assert self.encoder is not None
        return self.encoder(self.pseudo, None)  # type: ignore[no-any-return]

    def decode(
        self, state: Tensor | None, code: Tensor | None = None, rows: Tensor | None = None
    ) -> Distribution:
        """p(x | state, label code): the one place where labels join the latent. A law that is
        conditioned on a row's total reads it in `rows`."""
        return self.likelihood(*self.head_inputs(rows, state, code))  # type: ignore[no-any-return]

    def head_inputs(self, rows: Tensor | None, *parts: Tensor | None) -> tuple[Tensor | None, ...]:
        """What the likelihood's head takes."""
        read = joined([t for t in parts if t is not None])
        return (read, rows) if self.likelihood.reads_rows else (read,)

    def encode(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """The rungs' posterior means side by side, (B, sum of L)."""
        _, sites = self.latents(self.features(x, y)[0], averaging, self.pseudo_features())
        return torch.cat([site.z[0] for site in sites], -1) if sites else x.new_zeros(len(x), 0)

    def rebuild(self, x: Tensor, y: Tensor | None = None) -> Distribution:
        """p(x | z) at the posterior means, batch shape (1, B)."""
        h, logits = self.features(x, y)
        state, _ = self.latents(h, averaging, self.pseudo_features())
        return self.decode(state, self.code(y, logits), x)

    def state(self, z: Tensor) -> Tensor | None:
        """The decoder's view (1, B, n_state) of codes (B, sum of L)."""
        zs = [part[None] for part in torch.split(z, list(self.latents.dims), -1)] if z.shape[-1] else []
        return self.latents(None, replaying(zs), self.pseudo_features())[0]  # type: ignore[no-any-return]

    def prior_state(self, n: int) -> Tensor | None:
        return self.latents(None, generating(n), self.pseudo_features())[0]  # type: ignore[no-any-return]


def append_mask(read: Tensor, mask: Tensor | None) -> Tensor:
    """The mask beside what is read, as more columns or as more channels of a picture."""
    if mask is None:
        return read
    size = mask.shape[-2:] if mask.dim() > 2 else ()
    return torch.cat([t.reshape(len(t), -1, *size) for t in (read, mask.to(read.dtype))], 1)


@dataclass(eq=False, repr=False)
class Trace:
    """One batch seen through the model; what is not asked for is not computed. Shapes (S, B), nats."""

    model: Model
    x: Tensor
    mask: Tensor | None
    y: Tensor | None
    logits: Tensor | None
    h: Tensor | None
    pseudo: Tensor | None
    state: Tensor | None
    sites: tuple[LatentLayer, ...]
    code: Tensor | None
    log_qy: Tensor | None
    critics: Mapping[object, nn.Module] = field(default_factory=dict)

    def redrawn(self, draw: Draw) -> "Trace":
        """The same rows with other draws of z, as many as before where classes are enumerated; nothing is
        encoded again."""
        state, sites = self.model.latents(self.h, draw, self.pseudo)
        return replace(self, state=state, sites=sites)

    @property
    def n_data(self) -> int:
        """How many rows the whole training set has."""
        return self.model.n_data

    @cached_property
    def weights(self) -> Tensor | None:
        """Of each sample, (S, B), where classes are enumerated: q(y|x) / draws. Else None: all alike."""
        if self.log_qy is None:
            return None
        return self.log_qy.exp() * len(self.model.log_prior_y) / len(self.log_qy)

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
        """x, missing cells missing."""
        return self.x if self.mask is None else self.x.masked_fill(~self.mask, math.nan)

    @cached_property
    def distortion(self) -> Tensor:
        """-log p(x|z), (S, B)."""
        return -self.log_px(self.px)

    @cached_property
    def mean_distortion(self) -> Tensor:
        """Of the batch, ()."""
        return self.average(self.distortion).mean()

    def log_px(self, px: Distribution) -> Tensor:
        """log-probability of the known cells."""
        return px.log_prob(self.x) if self.mask is None else log_prob_of(px, self.x, self.mask)

    @cached_property
    def rates(self) -> tuple[Tensor, ...]:
        """KL(q || p) of each rung, (S, B) each."""
        return tuple(site.rate() for site in self.sites)

    @property
    def has_rate(self) -> bool:
        return all(site.has_rate for site in self.sites)

    @cached_property
    def label_rate(self) -> Tensor:
        """KL(q(y|x) || p(y)), (B,), where classes are enumerated, -log p(y) of a labelled row; else 0."""
        if self.log_qy is None:
            return self.x.new_zeros(len(self.x))
        log_q = self.log_qy[: len(self.model.log_prior_y)].clamp_min(-1e30)
        return (log_q.exp() * (log_q - self.model.log_prior_y[:, None])).sum(0)

    @cached_property
    def rate(self) -> Tensor:
        """KL(q(y, z|x) || p(y, z)), (B,): all rungs, and the label where it is inferred."""
        each = [self.average(rate) for rate in self.rates]
        each += [self.label_rate] if self.log_qy is not None or not each else []
        return reduce(torch.add, each)

    @cached_property
    def mean_rate(self) -> Tensor:
        """Of the batch, ()."""
        return self.rate.mean()

    @cached_property
    def log_likelihood(self) -> Tensor:
        """log p(x|z), (S, B); with an Auxiliary head log sum_y p(y) p(x|z, y), exact over the classes."""
        labels = self.model.config.labels
        if not isinstance(labels, Auxiliary):
            return -self.distortion
        codes = labels.code(torch.arange(labels.classes, device=self.x.device))
        each = [self.log_px(self.model.decode(self.state, code, self.seen)) for code in codes[:, None, None]]
        return torch.logsumexp(torch.stack(each, -1) + self.model.log_prior_y, -1)

    @cached_property
    def bound(self) -> Tensor:
        """The ELBO at beta = 1, (B,): E_q log p(x|z) - KL(q || p)."""
        return self.average(self.log_likelihood) - self.rate

    @cached_property
    def frozen(self) -> list[tuple[Tensor, Tensor]]:
        """log q(z) and log p(z) of each rung, (S, B), their own parameters held: gradients come through z
        alone. The densities are taken inside, because flows read their parameters as late as that."""
        assert self.h is not None
        scored = LayerLogProbs(self.model.latents)
        held = {name: p.detach() for name, p in scored.named_parameters()}
        pseudo = None if self.pseudo is None else self.pseudo.detach()
        zs = [site.z for site in self.sites]
        return functional_call(scored, held, (self.h.detach(), zs, pseudo))  # type: ignore[no-any-return]

    def log_w(self, *, frozen_q: bool = False) -> Tensor:
        """log p(x, z) - log q(z|x), (S, B): its log-mean-exp over S is the importance-weighted bound.

        Enumerated classes add log p(y) K, so that the mean over S = k K sums over y; a labelled row
        has weight on its own class alone.
        """
        total = self.log_likelihood
        for i, site in enumerate(self.sites):
            assert site.q is not None and has_density(site.q)
            log_q = self.frozen[i][0] if frozen_q else site.q.log_prob(site.z)
            total = total + site.p.log_prob(site.z) - log_q
        if self.log_qy is None:
            return total
        classes = len(self.model.log_prior_y)
        prior = (self.model.log_prior_y + math.log(classes)).repeat(len(total) // classes)[:, None]
        return (total + prior).masked_fill(torch.isneginf(self.log_qy), -math.inf)
