"""The resolved configuration of a model."""

from dataclasses import dataclass, field

from ..families import Family
from ..nn.networks import Network
from ..tensors import Shape, as_shape
from .label_head import LabelHead
from .labels import NoLabels
from .priors import VampPrior


@dataclass(frozen=True)
class ModelConfig:
    """The parts of a model. `latent_dim` is a size, or maps (C, H, W), for each layer from the top."""

    latent_dim: tuple[int | Shape, ...]
    encoder: Network
    decoder: Network
    posterior: Family
    prior: Family | VampPrior
    likelihood: Family
    labels: LabelHead = field(default_factory=NoLabels)
    has_missing: bool = False
    """Whether the encoder reads which cells are missing."""

    @property
    def latent_shapes(self) -> tuple[Shape, ...]:
        """The latents' shapes from the top."""
        return tuple(map(as_shape, self.latent_dim))

    @property
    def has_density(self) -> bool:
        """Whether rate and log-likelihood are defined."""
        return not self.latent_dim or self.posterior.has_density

    @property
    def deterministic(self) -> bool:
        """Whether all draws of z are equal, so that one is enough."""
        return not self.latent_dim or self.posterior.deterministic
