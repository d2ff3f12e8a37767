"""The objective is a sum of terms over a trace; every term is in nats per datum and is minimised.

Exactly one term is a bound on log p(x); the others are penalties (`penalties.py`). Terms are summed over
the event and averaged over the batch: a mean over pixels or latents would implicitly change beta. A gradient
estimator returns `with_value(surrogate, loss)`, so that the logged number is the bound.
"""

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..errors import SpecError
from ..model.config import ModelConfig
from ..model.trace import Trace
from ..specs.schedules import Now
from ..specs.spec import Spec


@dataclass(frozen=True, repr=False)
class Term(Spec, abc.ABC):
    """A scalar of the trace, minimised. `is_bound`: bounds log p(x); `reads_z`: its gradient changes codes;
    `one_code`: reads a single code of each datum, so classes cannot be enumerated."""

    is_bound: ClassVar[bool] = False
    reads_z: ClassVar[bool] = True
    one_code: ClassVar[bool] = False
    has_critic: ClassVar[bool] = False
    """Whether it has a network of its own (`adversarial.Critic`)."""
    label: ClassVar[str] = ""
    """The title in plots; default: the class name, weighted."""
    unit: ClassVar[str] = "nats per datum"

    @property
    def draws(self) -> int:
        """The number of z per datum for this term."""
        return 1

    @abc.abstractmethod
    def __call__(self, trace: Trace, step: Now) -> Tensor:
        """The loss of a batch; weights are read by `at(self.weight, step)`."""

    def check_compatible(self, config: ModelConfig, others: Sequence["Term"]) -> None:
        """SpecError, naming both, where the model or another term is incompatible with this one."""
        labels = config.labels
        if self.one_code and labels.enumerated:
            cure = "ELBO() or IWAE()" if self.is_bound else f"labels=Auxiliary({labels.n_classes})"
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
    @abc.abstractmethod
    def draws(self) -> int: ...

    @property
    def monitor_draws(self) -> int:
        """The number of z per datum for `monitor`."""
        return self.draws

    def monitor(self, trace: Trace) -> Tensor:
        """The bound reported for an epoch, summed over the batch, without gradient."""
        return -self(trace, 0) * len(trace.x)

    def reported(self, distortion: float, rate: float, loss: float) -> float:
        """The bound of an epoch, from the means of distortion, rate and this term."""
        return -loss

    def check_compatible(self, config: ModelConfig, others: Sequence[Term]) -> None:
        if not config.posterior.has_density:
            raise SpecError(
                f"{type(self).__name__} with posterior=Point(): a point has no density to weight by. "
                "Use ELBO(beta=0) for an autoencoder, or posterior=Gaussian()"
            )
        needs_density(self, config)
        super().check_compatible(config, others)


def needs_density(term: Term, config: ModelConfig) -> None:
    """SpecError for codes: their log-probability has no gradient in z."""
    q = config.posterior
    if q.atoms is not None:
        raise SpecError(f"{term} with posterior={q}: codes have no density. Use ELBO(), or Gaussian()")


def needs_dimensions(term: Term, config: ModelConfig, cure: str) -> None:
    """SpecError for a posterior or prior whose KL is not a sum over latent dimensions."""
    for role, part in (("posterior", config.posterior), ("prior", config.prior)):
        if not part.factorises or not part.has_density:
            raise SpecError(
                f"{term} with {role}={part}: it does not factorise over latent dimensions. "
                f"{cure}, or {role}=Gaussian()"
            )


def needs_replay(term: Term, config: ModelConfig) -> None:
    """SpecError for a posterior whose density is known only at its own samples."""
    if not config.posterior.tractable:
        raise SpecError(
            f"{term} with posterior={config.posterior}: its density is known only at its own samples. "
            "Use gradient='total', or Flow(steps=(IAF(), IAF()))"
        )


def terms_of(objective: Term | tuple[Term, ...], config: ModelConfig) -> tuple[Term, ...]:
    """The terms; SpecError unless they are compatible and exactly one is a bound."""
    terms = objective if isinstance(objective, tuple) else (objective,)
    bounds = [term for term in terms if term.is_bound]
    if len(bounds) != 1:
        found = " and ".join(map(repr, bounds)) or "none"
        raise SpecError(f"an objective needs exactly one bound, not {found}: keep one of them, or add ELBO()")
    for term in terms:
        term.check_compatible(config, [other for other in terms if other is not term])
    return terms


def names_of(terms: Sequence[Term]) -> tuple[str, ...]:
    """Unique names of the terms: the class; for two of one class their text; then also a number."""
    names: list[str] = []
    for term in terms:
        name = type(term).__name__
        if sum(type(other) is type(term) for other in terms) > 1:
            name = repr(term)
        count = sum(other == term for other in terms[: len(names)])
        names.append(f"{name} #{count + 1}" if count else name)
    return tuple(names)
