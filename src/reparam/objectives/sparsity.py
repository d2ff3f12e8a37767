"""A penalty for sparse codes."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ..errors import SpecError
from ..model.model import ModelConfig, Trace
from ..specs.schedules import Schedule, at
from .base import Term


@dataclass(frozen=True, repr=False)
class Sparsity(Term):
    """weight * mean_B E_q sum_l |z_l|, over all stochastic layers: the penalty of a sparse autoencoder.

    In nats it is -E_q log p(z) under the Laplace law p(z_l) = weight / 2 exp(-weight |z_l|), but for a
    constant. Sources: Olshausen and Field, "Emergence of simple-cell receptive field properties by learning
    a sparse code for natural images" (1996), whose S(x) = |x| it is; Goodfellow, Bengio and Courville,
    "Deep Learning" (2016), section 14.2.1.

    With `ELBO(beta=0)` nothing holds the scale of the codes: a decoder of larger weights makes them
    smaller at no cost. Add `L2()` there.
    """

    weight: Schedule = 1.0

    def check_compatible(self, parts: ModelConfig, others: Sequence[Term]) -> None:
        if parts.posterior.atoms is not None:
            raise SpecError(
                f"{self} with posterior={parts.posterior}: a code is one of its atoms, and none is sparser. "
                "Use posterior=Gaussian(), or leave Sparsity out"
            )
        super().check_compatible(parts, others)

    def __call__(self, trace: Trace, step: int) -> Tensor:
        norms = (trace.average(site.z.abs().sum(-1)).mean() for site in trace.sites)
        return at(self.weight, step) * sum(norms, start=trace.x.new_zeros(()))
