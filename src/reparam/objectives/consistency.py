"""Consistency of the classifier: its answer should not change where x hardly does."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..errors import SpecError
from ..model.config import ModelConfig
from ..model.model import Trace
from ..specs.schedules import Schedule, at
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
        if not config.labels.has_classifier:
            raise SpecError(
                f"Consistency with labels={config.labels}: there is no classifier to train. "
                "Use labels=Enumerated(classes), or leave Consistency out"
            )

    def __call__(self, trace: Trace, step: int) -> Tensor:
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


FIRST = 1e-2
"""The length of the random start, small enough that the divergence is nearly quadratic."""


def unit(r: Tensor) -> Tensor:
    """Each row (B, *E) with length 1."""
    length = r.flatten(1).square().sum(1).sqrt().clamp_min(1e-12)
    return r / length.reshape(-1, *(1 for _ in r.shape[1:]))
