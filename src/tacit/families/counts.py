"""Families over counts: 0, 1, 2, ... An encoder reads log(1 + x)."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from torch import Tensor
from torch.distributions import (
    Distribution,
    Poisson as TorchPoisson,
)

from .. import distributions
from ..tensors import Shape
from .base import (
    AnySource,
    Family,
    Identity,
    Local,
    LogScale,
    Role,
    Shared,
    Softplus,
    Source,
    linked,
    refused,
)


def no_count(family: Family, x: np.ndarray[Any, Any]) -> str | None:
    cure = "Use LogNormal() for positive numbers, Gaussian() for real ones"
    return refused(family, x, (x < 0) | (x != np.floor(x)), "counts 0, 1, 2, ...", cure)


@dataclass(frozen=True, repr=False)
class Poisson(Family):
    """P(x) = rate^x exp(-rate) / x!; the rate is exp(a), in standard deviations of the data."""

    rate: AnySource = Local()
    roles: ClassVar[dict[str, Role]] = {"rate": "rate"}

    def params(self, event: Shape) -> dict[str, tuple[Shape, Source]]:
        return {"rate": (event, linked(self.rate, LogScale()))}

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return distributions.event(TorchPoisson(values["rate"], validate_args=False), len(event))

    def refusal(self, x: np.ndarray[Any, Any]) -> str | None:
        return no_count(self, x)

    def inputs(self, x: Tensor) -> Tensor:
        return x.log1p()


@dataclass(frozen=True, repr=False)
class NegativeBinomial(Family):
    """P(x) = Gamma(x + r) / (Gamma(r) x!) (r / (r + mean))^r (mean / (r + mean))^x, r = 1 / dispersion.

    The variance is mean + dispersion mean^2; as the dispersion falls to its floor of 1e-4 the law
    becomes Poisson's. The mean is exp(a), in standard deviations of the data; `mean=Local(Share())` is a
    share of the row's total. Source: Lopez et al., "Deep generative modeling for single-cell
    transcriptomics" (2018), whose theta is r.

    >>> NegativeBinomial(dispersion=Local())
    NegativeBinomial(dispersion=Local())
    """

    mean: AnySource = Local()
    dispersion: AnySource = Shared()
    roles: ClassVar[dict[str, Role]] = {"mean": "rate"}

    def params(self, event: Shape) -> dict[str, tuple[Shape, Source]]:
        return {
            "mean": (event, linked(self.mean, LogScale())),
            "dispersion": (event, linked(self.dispersion, Softplus(floor=1e-4))),
        }

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        law = distributions.NegativeBinomial(values["mean"], values["dispersion"])
        return distributions.event(law, len(event))

    def refusal(self, x: np.ndarray[Any, Any]) -> str | None:
        return no_count(self, x)

    def inputs(self, x: Tensor) -> Tensor:
        return x.log1p()


@dataclass(frozen=True, repr=False)
class ZeroInflated(Family):
    """0 with probability sigmoid(gate), else a count of the `base` family: more zeros than it explains.

    Source: Lambert, "Zero-inflated Poisson regression, with an application to defects" (1992).

    >>> ZeroInflated(NegativeBinomial(), gate=Shared())
    ZeroInflated(NegativeBinomial(), Shared())
    """

    base: Poisson | NegativeBinomial = Poisson()
    gate: AnySource = Local()
    roles: ClassVar[dict[str, Role]] = {"rate": "rate", "mean": "rate"}

    def params(self, event: Shape) -> dict[str, tuple[Shape, Source]]:
        return {**self.base.params(event), "gate": (event, linked(self.gate, Identity()))}

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        gate = values.pop("gate")
        base = distributions.base_of(self.base.distribution(event, **values))
        return distributions.event(distributions.ZeroInflated(gate, base), len(event))

    def refusal(self, x: np.ndarray[Any, Any]) -> str | None:
        return no_count(self, x)

    def inputs(self, x: Tensor) -> Tensor:
        return self.base.inputs(x)
