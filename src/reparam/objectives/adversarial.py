"""Terms with a network of their own: a critic that classifies two sets of codes."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ..model.config import ModelConfig
from ..model.trace import Trace
from ..nn.networks import MLP
from ..specs.schedules import Now
from .base import Term


@dataclass(frozen=True, repr=False)
class Critic(Term):
    """A term with a network of its own: a critic that classifies two sets of codes.

    The trainer keeps it in `trace.critics`, with its own Adam. It is discarded after training.
    """

    weight: float = 1.0
    hidden: tuple[int, ...] = (256, 256)
    learning_rate: float = 1e-4
    one_code: ClassVar[bool] = True
    has_critic: ClassVar[bool] = True

    def build(self, config: ModelConfig) -> nn.Module:
        return MLP(self.hidden, "relu", "he").decoder(config.latent_shapes[:1], (), 1)

    def other(self, trace: Trace) -> Tensor:
        """The codes (B, L) that the critic distinguishes from z."""
        raise NotImplementedError

    def codes(self, trace: Trace) -> Tensor:
        """What the critic learns from: z, then as many other codes, (2, B, L)."""
        return torch.stack((trace.layers[0].z[0].detach(), self.other(trace).detach()))

    def critic_loss(self, critic: nn.Module, codes: Tensor) -> Tensor:
        """The critic's loss: class 1 for z, class 0 for the other codes, of `codes` (2, B, L)."""
        logits = critic(codes.flatten(0, 1))[:, 0].unflatten(0, codes.shape[:2])
        truth = torch.zeros_like(logits)
        truth[0] = 1
        return binary_cross_entropy_with_logits(logits, truth)

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        """weight * mean_B log D(z) / (1 - D(z)), the critic's log-odds: it estimates KL(z || other)."""
        odds: Tensor = trace.critics[self](trace.layers[0].z[0])
        return self.weight * odds.mean()


@dataclass(frozen=True, repr=False)
class FactorTC(Critic):
    """weight * KL(q(z) || prod_j q(z_j)) by density ratio: the others are codes with their dimensions
    permuted over the batch (FactorVAE, Kim and Mnih 2018, equation 3)."""

    weight: float = 10.0

    def other(self, trace: Trace) -> Tensor:
        z = trace.layers[0].z[0]
        return z.gather(0, torch.rand(z.shape, device=z.device).argsort(0))


@dataclass(frozen=True, repr=False)
class LatentCritic(Critic):
    """weight * KL(q(z) || p(z)) by density ratio: the others are draws of the prior (AAE, Makhzani et
    al. 2016; with ELBO(beta=0) an adversarial autoencoder)."""

    def other(self, trace: Trace) -> Tensor:
        return trace.layers[0].p.sample(torch.Size((len(trace.x),)))
