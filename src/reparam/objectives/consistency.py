"""Terms by which unlabelled rows train the classifier of a label head.

Together they are those of Hu et al., "Learning discrete representations via information maximizing
self-augmented training" (2017).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..errors import SpecError
from ..model.config import ModelConfig
from ..model.trace import Trace
from ..specs.schedules import Now, Schedule, at
from .base import Term


@dataclass(frozen=True, repr=False)
class Consistency(Term):
    """weight * mean_B KL(q(y|x) || q(y|x + r)), r the change of x of length `radius` that raises it most.

    x is the networks' input, and lengths are in units of its root mean square distance from its mean. The
    direction of r is found by one step of the power method from a random start. Unlabelled rows train the
    classifier too: its boundaries move to where there are few data. Source: Miyato et al., "Virtual
    adversarial training" (2018), equations 5 to 12.
    """

    weight: Schedule = 1.0
    radius: float = 0.25
    reads_z: ClassVar[bool] = False
    label: ClassVar[str] = "consistency (weighted)"

    def check(self) -> None:
        if not self.radius > 0:
            raise SpecError(f"Consistency.radius must be above 0, not {self.radius}")

    def check_compatible(self, config: ModelConfig, others: object) -> None:
        needs_classifier(self, config)

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        assert trace.logits is not None
        x = trace.model.inputs(trace.seen).detach()
        spread = (x - x.mean(0)).flatten(1).square().sum(1).mean().sqrt()
        own = trace.logits.detach().log_softmax(-1)

        def divergence(r: Tensor) -> Tensor:
            changed = trace.config.labels.logits(trace.model, x + r).log_softmax(-1)
            each: Tensor = (own.exp() * (own - changed)).sum(-1)
            return each.mean()

        r = (FIRST * spread * unit(torch.randn_like(x))).requires_grad_()
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(divergence(r), r)
        worst: Tensor = divergence(self.radius * spread * unit(slope))
        return worst * at(self.weight, step)


@dataclass(frozen=True, repr=False)
class MutualInformation(Term):
    """weight * (mean_B H(q(y|x)) + balance * KL(mean_B q(y|x) || p(y))): small where each row has a clear
    class and the classes are as frequent as the labels say.

    With p(y) uniform and balance 1 it is weight * (log K - I(x; y)). Source: Krause et al., "Discriminative
    clustering by regularized information maximization" (2010), equation 5.
    """

    weight: Schedule = 1.0
    balance: float = 1.0
    reads_z: ClassVar[bool] = False
    label: ClassVar[str] = "class entropy and balance (weighted)"

    def check(self) -> None:
        if not self.balance >= 0:
            raise SpecError(f"MutualInformation.balance must be 0 or more, not {self.balance}")

    def check_compatible(self, config: ModelConfig, others: object) -> None:
        needs_classifier(self, config)

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        assert trace.logits is not None
        log_q = trace.logits.log_softmax(-1)
        entropy = -(log_q.exp() * log_q).sum(-1).mean()
        mean = log_q.exp().mean(0)
        balance = (mean * (mean.clamp_min(TINY).log() - trace.model.log_prior_y)).sum()
        return (entropy + self.balance * balance) * at(self.weight, step)


TINY = 1e-30
FIRST = 1e-2
"""The length of the random start, small enough that the divergence is nearly quadratic."""


def unit(r: Tensor) -> Tensor:
    """Each row (B, *E) with length 1."""
    length = r.flatten(1).square().sum(1).sqrt().clamp_min(1e-12)
    return r / length.reshape(-1, *(1 for _ in r.shape[1:]))


def needs_classifier(term: Term, config: ModelConfig) -> None:
    """SpecError for a label head without a classifier."""
    if not config.labels.has_classifier:
        name = type(term).__name__
        raise SpecError(
            f"{name} with labels={config.labels}: there is no classifier to train. "
            f"Use labels=Enumerated(classes), or leave {name} out"
        )
