"""A penalty for sparse codes."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ..errors import SpecError
from ..model.config import ModelConfig
from ..model.trace import Trace
from ..specs.schedules import Now, Schedule, at
from .base import Term


@dataclass(frozen=True, repr=False)
class Sparsity(Term):
    """weight * mean_B E_q sum_l |z_l|, over all stochastic layers: the penalty of a sparse autoencoder.

    It is -E_q log p(z), up to a constant, for the Laplace prior p(z_l) = weight / 2 exp(-weight |z_l|).
    Sources: Olshausen and Field, "Emergence of simple-cell receptive field properties by learning
    a sparse code for natural images" (1996), whose S(x) = |x| it is; Goodfellow, Bengio and Courville,
    "Deep Learning" (2016), section 14.2.1.

    With `ELBO(beta=0)` the scale of the codes is not identified: larger decoder weights allow smaller
    codes at no cost. Add `L2()` there.
    """

    weight: Schedule = 1.0

    def check_compatible(self, config: ModelConfig, others: Sequence[Term]) -> None:
        if config.posterior.atoms is not None:
            raise SpecError(
                f"{self} with posterior={config.posterior}: codes are codebook rows, which have no sparsity. "
                "Use posterior=Gaussian(), or leave Sparsity out"
            )
        super().check_compatible(config, others)

    def __call__(self, trace: Trace, step: Now) -> Tensor:
        norms = (trace.average(layer.z.abs().sum(-1)).mean() for layer in trace.layers)
        return at(self.weight, step) * sum(norms, start=trace.x.new_zeros(()))
