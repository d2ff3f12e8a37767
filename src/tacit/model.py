"""The model, p(x, z) with its q(z|x), and the trace: all that an objective may look at."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from .distributions import has_density
from .errors import SpecError
from .families import Family, Head
from .labels import Auxiliary, LabelHead
from .latents import Draw, Site, TopDown, averaging, generating, inferring, replaying
from .networks import Network, joined, width_of
from .tensors import Shape


@dataclass(frozen=True)
class Parts:
    """What a model is made of, every choice resolved."""

    latent_dim: tuple[int, ...]
    encoder: Network
    decoder: Network
    posterior: Family
    prior: Family
    likelihood: Family
    labels: LabelHead | None


class Model(nn.Module):
    """q(z|x) and p(x|z) p(z) over data of shape `event`. `forward` traces one batch."""

    log_prior_y: Tensor

    def __init__(self, event: Shape, parts: Parts) -> None:
        super().__init__()
        self.event, self.parts, labels = event, parts, parts.labels
        if not parts.latent_dim and labels is None:
            raise SpecError("latent_dim=0 leaves the decoder nothing to read. Give it labels=Given(classes)")
        if not parts.latent_dim and not isinstance(labels, Auxiliary):
            self.encoder = None
        else:
            self.encoder = parts.encoder.encoder(event, labels.to_encoder if labels else 0)
        n_features = width_of(self.encoder) if self.encoder else 0
        self.latents = TopDown(n_features, parts.latent_dim, parts.posterior, parts.prior)
        self.classifier = labels.classifier(event, n_features) if labels else None
        n_state = self.latents.n_state + (labels.to_decoder if labels else 0)
        self.likelihood: Head = parts.likelihood.build(
            event, lambda n: parts.decoder.decoder(n_state, event, n), floor=1e-3
        )
        classes = labels.count if labels else 1
        self.register_buffer("log_prior_y", torch.zeros(classes) - torch.tensor(float(classes)).log())

    def forward(
        self,
        x: Tensor,
        y: Tensor | None = None,
        *,
        samples: int = 1,
        draw: Draw | None = None,
    ) -> "Trace":
        """Infer z and decode it: x (B, *E), class numbers y (B,) -> Trace with `samples` draws of z."""
        x = self.likelihood.family.observe(x)
        h, logits = self.features(x, y)
        state, sites = self.latents(h, draw or inferring(samples))
        return Trace(self, x, y, logits, state, sites)

    def features(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor | None, Tensor | None]:
        """What the encoder (B, n_features) and the classifier (B, K) make of a batch."""
        labels = self.parts.labels
        inputs = self.likelihood.family.inputs(self.likelihood.standardised(x))
        extra = None
        if labels and labels.to_encoder:
            assert y is not None
            extra = labels.code(y)
        h = self.encoder(inputs, extra) if self.encoder else None
        return h, self.classifier(inputs, h) if self.classifier else None

    def decode(self, state: Tensor | None, code: Tensor | None = None) -> Distribution:
        """p(x | state, label code): the one place where labels join the latent."""
        parts = [t for t in (state, code) if t is not None]
        return self.likelihood(joined(parts))  # type: ignore[no-any-return]

    def encode(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """The rungs' posterior means side by side, (B, sum of L)."""
        _, sites = self.latents(self.features(x, y)[0], averaging)
        return torch.cat([site.z[0] for site in sites], -1) if sites else x.new_zeros(len(x), 0)

    def state(self, z: Tensor) -> Tensor | None:
        """The decoder's view (1, B, n_state) of codes (B, sum of L)."""
        zs = [part[None] for part in torch.split(z, list(self.parts.latent_dim), -1)] if z.shape[-1] else []
        return self.latents(None, replaying(zs))[0]  # type: ignore[no-any-return]

    def prior_state(self, n: int) -> Tensor | None:
        return self.latents(None, generating(n))[0]  # type: ignore[no-any-return]


class Trace:
    """One batch seen through the model; what is not asked for is not computed. Shapes (S, B), nats."""

    def __init__(
        self,
        model: Model,
        x: Tensor,
        y: Tensor | None,
        logits: Tensor | None,
        state: Tensor | None,
        sites: tuple[Site, ...],
    ) -> None:
        self.model, self.x, self.y, self.logits = model, x, y, logits
        self.state, self.sites = state, sites

    @property
    def code(self) -> Tensor | None:
        """The label numbers that the decoder saw in training, (B, to_decoder)."""
        labels = self.model.parts.labels
        if isinstance(labels, Auxiliary):
            assert self.logits is not None
            y = self.logits.softmax(-1)
            return y.detach() if labels.detach else y
        if labels is None:
            return None
        assert self.y is not None
        return labels.code(self.y)[None]

    @cached_property
    def px(self) -> Distribution:
        """p(x|z), batch shape (S, B)."""
        return self.model.decode(self.state, self.code)

    @cached_property
    def distortion(self) -> Tensor:
        """-log p(x|z), (S, B)."""
        return -self.px.log_prob(self.x).reshape(-1, len(self.x))

    @cached_property
    def rates(self) -> tuple[Tensor, ...]:
        """KL(q || p) of each rung, (S, B) each."""
        return tuple(site.rate() for site in self.sites)

    @property
    def has_rate(self) -> bool:
        return all(site.has_rate for site in self.sites)

    @cached_property
    def log_likelihood(self) -> Tensor:
        """log p(x|z), (S, B); with an Auxiliary head log sum_y p(y) p(x|z, y), exact over the classes."""
        labels = self.model.parts.labels
        if not isinstance(labels, Auxiliary):
            return -self.distortion
        codes = labels.code(torch.arange(labels.classes, device=self.x.device))
        each = [self.model.decode(self.state, code).log_prob(self.x) for code in codes[:, None, None]]
        return torch.logsumexp(torch.stack(each, -1) + self.model.log_prior_y, -1)

    @cached_property
    def bound(self) -> Tensor:
        """The ELBO at beta = 1, (B,): E_q log p(x|z) - KL(q || p)."""
        total = self.log_likelihood
        for rate in self.rates:
            total = total - rate
        return total.mean(0)

    def log_w(self) -> Tensor:
        """log p(x, z) - log q(z|x), (S, B): its log-mean-exp over S is the importance-weighted bound."""
        total = self.log_likelihood
        for site in self.sites:
            assert site.q is not None and has_density(site.q)
            total = total + site.p.log_prob(site.z) - site.q.log_prob(site.z)
        return total
