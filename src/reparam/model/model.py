"""The model, p(x, z) with q(z|x)."""

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..errors import SpecError
from ..families import Conditional
from ..nn.layers import joined, shapes_of
from ..tensors import Rowwise, Shape, numel
from .config import ModelConfig
from .hierarchy import (
    Draw,
    Hierarchy,
    averaging,
    generating,
    inferring,
    replaying,
)
from .label_head import Conditioning
from .priors import VampPrior, check_compatible
from .trace import Trace

UNIT_CELLS = 1 << 22
"""The most cells of a sparse matrix or a stream from which units are computed."""


class Model(nn.Module):
    """q(z|x) and p(x|z) p(z) for data of shape `event`. `forward` gives the Trace of a batch."""

    log_prior_y: Tensor

    def __init__(self, event: Shape, config: ModelConfig) -> None:
        super().__init__()
        self.event, self.config, labels, shapes = event, config, config.labels, config.latent_shapes
        check_compatible(config.posterior, config.prior, shapes, labels)
        if not shapes and not labels.observed:
            raise SpecError(
                f"latent_dim=0 with labels={labels}: the decoder has no input. "
                "Use labels=Given(classes) or Covariates()"
            )
        self.n_data = 0
        zeros = torch.zeros(1, *event)
        seen = tuple(
            append_mask(config.likelihood.inputs(zeros), zeros if config.has_missing else None).shape[1:]
        )
        self.encoder = config.encoder.encoder(seen, labels.to_encoder, shapes) if shapes else None
        features = shapes_of(self.encoder) if self.encoder else ()
        vamp = config.prior if isinstance(config.prior, VampPrior) else None
        self.latents = Hierarchy(features, shapes, config.posterior, None if vamp else config.prior)  # type: ignore[arg-type]
        self.pseudo = nn.Parameter(torch.zeros(vamp.components, *seen)) if vamp else None
        self.classifier = labels.classifier(seen, sum(map(numel, features)))
        decoded = (*self.latents.state, *([(labels.to_decoder,)] if labels.to_decoder else []))
        self.likelihood: Conditional = config.likelihood.build(  # type: ignore[assignment]
            event, lambda n: config.decoder.decoder(decoded, event, n), floor=1e-3
        )
        uniform = -torch.tensor(float(labels.n_classes)).log()
        self.register_buffer("log_prior_y", torch.zeros(labels.n_classes) + uniform)

    @property
    def products(self) -> int:
        """The multiplications of a row's pass, at most: a convolution is counted at every pixel."""
        pixels = numel(self.event[-2:]) if len(self.event) > 1 else 1
        return sum(p.numel() * (pixels if p.dim() > 2 else 1) for p in self.parameters() if p.dim() > 1)

    @torch.no_grad()
    def start(self, x: Rowwise, y: Tensor | None = None) -> None:
        """Set units, class frequencies and pseudo-inputs from the data (n, *E)."""
        self.n_data = len(x)
        few = max(1, UNIT_CELLS // numel(self.event))
        whole = isinstance(x, Tensor) or len(x) <= few
        self.likelihood.fit_units(x[:] if whole else x[torch.randint(len(x), (few,))])
        frequencies = None if y is None else self.config.labels.log_frequencies(y)
        if frequencies is not None:
            self.log_prior_y.copy_(frequencies)
        self.start_pseudo(x)

    @torch.no_grad()
    def start_pseudo(self, x: Rowwise) -> None:
        """Set a VampPrior's pseudo-inputs to rows of x (n, *E)."""
        if self.pseudo is not None:
            rows = torch.randperm(len(x))[torch.arange(len(self.pseudo)) % len(x)]
            inputs = self.inputs(x[rows])
            self.pseudo.copy_(inputs + 0.01 * torch.randn_like(inputs))

    def forward(
        self, x: Tensor, y: Tensor | None = None, *, samples: int = 1, draw: Draw | None = None
    ) -> Trace:
        """Infer z and decode it: observed x (B, *E) (see `observe`), class numbers y (B,) -> Trace with
        `samples` draws of z, of each class where classes are enumerated."""
        conditioning = self.config.labels.condition(self, self.inputs(x), y, samples)
        pseudo = self.pseudo_features()
        state, layers = self.latents(conditioning.features, draw or inferring(samples), pseudo)
        mask = ~x.isnan() if self.looks_for_missing(x) else None
        return Trace(
            model=self,
            x=x if mask is None else self.likelihood.filled(x),
            mask=mask,
            y=y,
            conditioning=conditioning,
            pseudo=pseudo,
            state=state,
            layers=layers,
        )

    def looks_for_missing(self, x: Tensor) -> bool:
        """Whether to check for NaN: in training only where the training set had missing cells."""
        return self.config.has_missing or (not self.training and bool(x.isnan().any()))

    def observe(self, x: Tensor, *, for_likelihood: bool = False, alike: bool = False) -> Tensor:
        """The datum (see `Family.observe`), once per batch; missing cells stay missing."""
        seen = self.likelihood.family.observe(x, for_likelihood=for_likelihood, alike=alike)
        return torch.where(x.isnan(), x, seen) if self.looks_for_missing(x) else seen

    def inputs(self, x: Tensor) -> Tensor:
        """The networks' input for x: standard units, 0 in missing cells, and a mask of observed cells."""
        read = self.likelihood.family.inputs(self.likelihood.standardised(x))
        if not self.looks_for_missing(x):
            return read
        return append_mask(read.nan_to_num(nan=0.0), ~x.isnan() if self.config.has_missing else None)

    def conditioning(self, x: Tensor, y: Tensor | None = None) -> Conditioning:
        """The outputs of encoder and classifier for a batch, one code per row."""
        return self.config.labels.encode(self, self.inputs(x), y)

    def pseudo_features(self) -> Tensor | None:
        """The encoder's features of a VampPrior's pseudo-inputs, (K, n_features)."""
        if self.pseudo is None:
            return None
        assert self.encoder is not None
        return self.encoder(self.pseudo, None)  # type: ignore[no-any-return]

    def decode(
        self, state: Tensor | None, code: Tensor | None = None, rows: Tensor | None = None
    ) -> Distribution:
        """p(x | state, label code): the only place where labels join the latent. A likelihood that is
        conditional on a row's total reads it from `rows`."""
        return self.likelihood(*self.head_inputs(rows, state, code))  # type: ignore[no-any-return]

    def head_inputs(self, rows: Tensor | None, *parts: Tensor | None) -> tuple[Tensor | None, ...]:
        """The inputs of the likelihood's head."""
        read = joined([t for t in parts if t is not None])
        return (read, rows) if self.likelihood.reads_rows else (read,)

    def encode(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """The layers' posterior means, concatenated, (B, sum of L)."""
        _, layers = self.latents(self.conditioning(x, y).features, averaging, self.pseudo_features())
        return torch.cat([layer.z[0] for layer in layers], -1) if layers else x.new_zeros(len(x), 0)

    def rebuild(self, x: Tensor, y: Tensor | None = None, other: Tensor | None = None) -> Distribution:
        """p(x | z) at the posterior means, batch shape (1, B); of the labels `other` instead of y."""
        conditioning = self.conditioning(x, y)
        state, _ = self.latents(conditioning.features, averaging, self.pseudo_features())
        code = conditioning.code if other is None else self.config.labels.code(other)[None]
        return self.decode(state, code, x)

    def state(self, z: Tensor) -> Tensor | None:
        """The decoder's input (1, B, n_state) for codes (B, sum of L)."""
        zs = [part[None] for part in torch.split(z, list(self.latents.dims), -1)] if z.shape[-1] else []
        return self.latents(None, replaying(zs), self.pseudo_features())[0]  # type: ignore[no-any-return]

    def prior_state(self, n: int) -> Tensor | None:
        return self.latents(None, generating(n), self.pseudo_features())[0]  # type: ignore[no-any-return]


def append_mask(read: Tensor, mask: Tensor | None) -> Tensor:
    """The input with the mask appended, as more columns or as more channels of an image."""
    if mask is None:
        return read
    size = mask.shape[-2:] if mask.dim() > 2 else ()
    return torch.cat([t.reshape(t.shape[0], -1, *size) for t in (read, mask.to(read.dtype))], 1)
