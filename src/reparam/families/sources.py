"""The source of a parameter, and the link that maps a raw number to it.

`Local` parameters come from the network, `Shared` is one learned tensor, `Fixed` a constant.
"""

import abc
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from ..specs.spec import Spec


@dataclass(frozen=True, repr=False)
class Link(Spec, abc.ABC):
    """Raw number a in (-inf, inf) -> parameter. `standard`: in units of the data's standard deviation."""

    standard: ClassVar[bool] = True

    @abc.abstractmethod
    def __call__(self, raw: Tensor) -> Tensor: ...


@dataclass(frozen=True, repr=False)
class Identity(Link):
    """a itself: the number as the network gives it, for a location."""

    def __call__(self, raw: Tensor) -> Tensor:
        return raw


WIDE, STEEP = 2.0, 10.0
"""Larger values are implausible: a standard deviation above e^2 times that of the data or the prior, a rate
above e^10 times that of the data."""
LEAST = -30.0
"""Below e^-30 a scale is as good as 0, and e^a soon is 0, whose logarithm is infinite."""


def exp_then_linear(a: Tensor, top: float) -> Tensor:
    """exp a, and above `top` its tangent, so that one extreme row cannot make training diverge; below LEAST
    exp(LEAST) / (1 + LEAST - a), so that its logarithm and its gradient stay finite."""
    return a.clamp(LEAST, top).exp() * (a - (top - 1)).clamp_min(1) / (1 + LEAST - a).clamp_min(1)


@dataclass(frozen=True, repr=False)
class LogVariance(Link):
    """sqrt(floor + exp a): a is the log-variance; outside LEAST and WIDE see `exp_then_linear`."""

    floor: float = 0.0

    def __call__(self, raw: Tensor) -> Tensor:
        scale = exp_then_linear(0.5 * raw, WIDE)
        return scale if self.floor == 0 else (self.floor + scale.square()).sqrt()


@dataclass(frozen=True, repr=False)
class Square(Link):
    """sqrt(floor + a^2): |a| is a scale, log(floor + a^2) the log-variance."""

    floor: float = 1e-10

    def __call__(self, raw: Tensor) -> Tensor:
        return (self.floor + raw.square()).sqrt()


@dataclass(frozen=True, repr=False)
class LogScale(Link):
    """exp a; linear above e^STEEP."""

    def __call__(self, raw: Tensor) -> Tensor:
        return exp_then_linear(raw, STEEP)


@dataclass(frozen=True, repr=False)
class Softplus(Link):
    """floor + log(1 + exp a): a number above `floor`."""

    floor: float = 0.0

    def __call__(self, raw: Tensor) -> Tensor:
        return self.floor + softplus(raw)


@dataclass(frozen=True, repr=False)
class Sigmoid(Link):
    """1 / (1 + exp -a): a mean in (0, 1), in the data's own unit."""

    standard: ClassVar[bool] = False

    def __call__(self, raw: Tensor) -> Tensor:
        return raw.sigmoid()


@dataclass(frozen=True, repr=False)
class Share(Link):
    """softmax(a), multiplied by the total of the observed row: the means sum to the row's total, which is
    then not modelled (Lopez et al. 2018). Where no row is observed, as in sampling, the total is the
    median of the training rows."""

    standard: ClassVar[bool] = False

    def __call__(self, raw: Tensor) -> Tensor:
        return raw.softmax(-1)


AnyLink = Annotated[Link, Identity, LogVariance, Square, LogScale, Softplus, Sigmoid, Share]


@dataclass(frozen=True, repr=False)
class Source(Spec, abc.ABC):
    """The source of a parameter's value."""


@dataclass(frozen=True, repr=False)
class Local(Source):
    """From the network, one value per datum. `link=None` is the family's default."""

    link: AnyLink | None = None


@dataclass(frozen=True, repr=False)
class Shared(Source):
    """One learned tensor. `shape=None`: one value per column for vectors, one scalar for images (and one for
    each class or component, where a family has those)."""

    shape: tuple[int, ...] | None = None
    link: AnyLink | None = None


@dataclass(frozen=True, repr=False)
class Fixed(Source):
    """A constant, in the data's own unit; a number, or one for each column."""

    value: float | tuple[float, ...]


AnySource = Annotated[Source, Local, Shared, Fixed]


Learned = Local | Shared


def linked(source: Source, link: Link) -> Source:
    """The source with its default link filled in."""
    return replace(source, link=link) if isinstance(source, Learned) and source.link is None else source
