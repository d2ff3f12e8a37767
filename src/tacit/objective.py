"""The objective is a sum of terms over a trace; every term is in nats per datum and is minimised.

Exactly one term is a bound on log p(x); the others are penalties. Sums run over the event, means over
the batch, once: a mean over pixels or latents would set beta in silence.
"""

import abc
from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor
from torch.nn.functional import cross_entropy

from .errors import SpecError
from .families import Point
from .labels import Auxiliary
from .model import Parts, Trace
from .schedule import Schedule, at
from .spec import Spec


@dataclass(frozen=True, repr=False)
class Term(Spec, abc.ABC):
    """A scalar of the trace. `is_bound` marks the one that bounds log p(x)."""

    is_bound: ClassVar[bool] = False

    @property
    def draws(self) -> int:
        """How many z a datum this term wants."""
        return 1

    @abc.abstractmethod
    def __call__(self, trace: Trace, step: int) -> Tensor: ...

    def fits(self, parts: Parts) -> None:
        """Refuse a model that this term makes no sense for: SpecError, both parts named."""


@dataclass(frozen=True, repr=False)
class ELBO(Term):
    """mean_B [ -E_q log p(x|z) + beta KL(q || p) ], the evidence lower bound negated.

    `beta` other than 1 is the beta-VAE (Higgins et al. 2017), a schedule is KL annealing, 0 with a
    Point posterior an autoencoder. Source: Kingma and Welling (2014), equation 3.
    """

    beta: Schedule = 1.0
    samples: int = 1
    is_bound: ClassVar[bool] = True

    def check(self) -> None:
        if self.samples < 1:
            raise SpecError(f"ELBO.samples must be 1 or more, not {self.samples}")
        if isinstance(self.beta, float) and self.beta < 0:
            raise SpecError(f"ELBO.beta must be 0 or more, not {self.beta}")

    @property
    def draws(self) -> int:
        return self.samples

    def fits(self, parts: Parts) -> None:
        if isinstance(parts.posterior, Point) and self.beta != 0:
            raise SpecError(
                "ELBO(beta != 0) with posterior=Point(): a point has no KL to the prior. "
                "Use ELBO(beta=0) for an autoencoder, or posterior=Gaussian()"
            )

    def __call__(self, trace: Trace, step: int) -> Tensor:
        loss = trace.distortion
        beta = at(self.beta, step)
        if beta:
            for rate in trace.rates:
                loss = loss + beta * rate
        return loss.mean()


@dataclass(frozen=True, repr=False)
class CrossEntropy(Term):
    """weight * mean_B -log softmax(logits)[y]: teaches the classifier of an Auxiliary head."""

    weight: Schedule = 1.0

    def fits(self, parts: Parts) -> None:
        if not isinstance(parts.labels, Auxiliary):
            raise SpecError(
                f"CrossEntropy with labels={parts.labels}: there is no classifier to teach. "
                "Use labels=Auxiliary(classes), or leave CrossEntropy out"
            )

    def __call__(self, trace: Trace, step: int) -> Tensor:
        assert trace.logits is not None and trace.y is not None
        return at(self.weight, step) * cross_entropy(trace.logits, trace.y)


AnyTerm = Annotated[Term, ELBO, CrossEntropy]
Objective = AnyTerm | tuple[AnyTerm, ...]


def terms_of(objective: Term | tuple[Term, ...], parts: Parts) -> tuple[Term, ...]:
    """The terms, each fitting the parts, exactly one a bound; else SpecError."""
    terms = objective if isinstance(objective, tuple) else (objective,)
    bounds = [term for term in terms if term.is_bound]
    if len(bounds) != 1:
        found = " and ".join(map(repr, bounds)) or "none"
        raise SpecError(f"an objective needs exactly one bound, not {found}: keep one of them, or add ELBO()")
    for term in terms:
        term.fits(parts)
    return terms
