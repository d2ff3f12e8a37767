"""The objective is a sum of terms over a trace; every term is in nats per datum and is minimised.

Exactly one term is a bound on log p(x); the others are penalties (`penalties.py`). Sums run over the
event, means over the batch, once: a mean over pixels or latents would set beta in silence. An estimator
of the gradient returns `with_value(surrogate, loss)`, so that the logged number is the bound.
"""

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..errors import SpecError
from ..families import Point
from ..model.labels import Enumerated
from ..model.model import ModelConfig, Trace
from ..specs.spec import Spec


@dataclass(frozen=True, repr=False)
class Term(Spec, abc.ABC):
    """A scalar of the trace. `is_bound` marks the one that bounds log p(x), `reads_z` what moves codes,
    `one_code` what reads a single code of each datum, and so no enumerated classes."""

    is_bound: ClassVar[bool] = False
    reads_z: ClassVar[bool] = True
    one_code: ClassVar[bool] = False

    @property
    def draws(self) -> int:
        """How many z a datum this term wants."""
        return 1

    @abc.abstractmethod
    def __call__(self, trace: Trace, step: int) -> Tensor: ...

    def check_compatible(self, parts: ModelConfig, others: Sequence["Term"]) -> None:
        """Refuse a model or other terms that this one makes no sense with: SpecError, both parts named."""
        labels = parts.labels
        if self.one_code and isinstance(labels, Enumerated):
            cure = "ELBO() or IWAE()" if self.is_bound else f"labels=Auxiliary({labels.classes})"
            raise SpecError(f"{self} with labels={labels}: each datum has a code for every class. Use {cure}")


def with_value(surrogate: Tensor, value: Tensor) -> Tensor:
    """The gradient of one number, the value of the other."""
    return surrogate + (value - surrogate).detach()


@dataclass(frozen=True, repr=False)
class Bound(Term):
    """A lower bound on log p(x), negated."""

    is_bound: ClassVar[bool] = True
    one_code: ClassVar[bool] = True

    @property
    def draws(self) -> int:
        return math.prod(getattr(self, name, 1) for name in ("samples", "m", "k"))

    def check_compatible(self, parts: ModelConfig, others: Sequence[Term]) -> None:
        if isinstance(parts.posterior, Point):
            raise SpecError(
                f"{type(self).__name__} with posterior=Point(): a point has no density to weigh by. "
                "Use ELBO(beta=0) for an autoencoder, or posterior=Gaussian()"
            )
        needs_density(self, parts)
        super().check_compatible(parts, others)


def needs_density(term: Term, parts: ModelConfig) -> None:
    """Refuse codes: no density moves with their draws."""
    q = parts.posterior
    if q.atoms is not None:
        raise SpecError(f"{term} with posterior={q}: codes have no density. Use ELBO(), or Gaussian()")


def needs_dimensions(term: Term, parts: ModelConfig, cure: str) -> None:
    """Refuse a posterior or a prior whose KL is no sum over latent dimensions."""
    for role, part in (("posterior", parts.posterior), ("prior", parts.prior)):
        if not part.factorises or isinstance(part, Point):
            raise SpecError(
                f"{term} with {role}={part}: it does not factorise over latent dimensions. "
                f"{cure}, or {role}=Gaussian()"
            )


def needs_replay(term: Term, parts: ModelConfig) -> None:
    """Refuse a posterior that cannot score a draw anew, its own parameters held."""
    if not parts.posterior.tractable:
        raise SpecError(
            f"{term} with posterior={parts.posterior}: it knows the density of its own draws alone. "
            "Use gradient='total', or Flow(steps=(IAF(), IAF()))"
        )


def terms_of(objective: Term | tuple[Term, ...], parts: ModelConfig) -> tuple[Term, ...]:
    """The terms, each fitting the parts and one another, exactly one a bound; else SpecError."""
    terms = objective if isinstance(objective, tuple) else (objective,)
    bounds = [term for term in terms if term.is_bound]
    if len(bounds) != 1:
        found = " and ".join(map(repr, bounds)) or "none"
        raise SpecError(f"an objective needs exactly one bound, not {found}: keep one of them, or add ELBO()")
    for term in terms:
        term.check_compatible(parts, [other for other in terms if other is not term])
    return terms
