"""Families over counts: 0, 1, 2, ..."""

import abc
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor
from torch.distributions import Distribution

from .. import distributions
from ..tensors import Shape
from .base import Array, Factorized, Measurement, Needs, Role, Violation, first_outside
from .sources import AnySource, Identity, Link, Local, LogScale, Shared, Softplus


@dataclass(frozen=True, repr=False)
class Counts(Factorized, abc.ABC):
    """Families over 0, 1, 2, ...; the encoder reads log(1 + x)."""

    measurement: ClassVar[Measurement | None] = "count"

    def support_error(self, x: Array) -> Violation | None:
        cure = "Use LogNormal() for positive numbers, Gaussian() for real ones"
        return first_outside(self, x, (x < 0) | (x != np.floor(x)), "counts 0, 1, 2, ...", cure)

    def inputs(self, x: Tensor) -> Tensor:
        return x.log1p()


@dataclass(frozen=True, repr=False)
class Poisson(Counts):
    """P(x) = rate^x exp(-rate) / x!; the rate is exp(a), in standard deviations of the data."""

    rate: AnySource = Local()
    links: ClassVar[dict[str, Link]] = {"rate": LogScale()}
    roles: ClassVar[dict[str, Role]] = {"rate": "rate"}

    def cell_distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return distributions.Poisson(**values)


@dataclass(frozen=True, repr=False)
class NegativeBinomial(Counts):
    """P(x) = Gamma(x + r) / (Gamma(r) x!) (r / (r + mean))^r (mean / (r + mean))^x, r = 1 / dispersion.

    The variance is mean + dispersion mean^2; as the dispersion decreases to its minimum 1e-4,
    it becomes Poisson. The mean is exp(a), in standard deviations of the data; `mean=Local(Share())` is a
    proportion of the row's total. Source: Lopez et al., "Deep generative modeling for single-cell
    transcriptomics" (2018), whose theta is r.

    >>> NegativeBinomial(dispersion=Local())
    NegativeBinomial(dispersion=Local())
    """

    mean: AnySource = Local()
    dispersion: AnySource = Shared()
    links: ClassVar[dict[str, Link]] = {"mean": LogScale(), "dispersion": Softplus(floor=1e-4)}
    roles: ClassVar[dict[str, Role]] = {"mean": "rate"}

    def cell_distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return distributions.NegativeBinomial(**values)


@dataclass(frozen=True, repr=False)
class ZeroInflated(Counts):
    """0 with probability sigmoid(gate), else a count from the `base` family: for excess zeros.

    Source: Lambert, "Zero-inflated Poisson regression, with an application to defects" (1992).

    >>> ZeroInflated(NegativeBinomial(), gate=Shared())
    ZeroInflated(NegativeBinomial(), Shared())
    """

    base: Poisson | NegativeBinomial = Poisson()
    gate: AnySource = Local()
    links: ClassVar[dict[str, Link]] = {"gate": Identity()}
    roles: ClassVar[dict[str, Role]] = {"rate": "rate", "mean": "rate"}

    def params(self, event: Shape) -> Needs:
        return self.base.params(event) | super().params(event)

    def cell_distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return distributions.ZeroInflated(values.pop("gate"), self.base.cell_distribution(event, **values))
