"""Families over real numbers, over positive ones and over shares between 0 and 1.

Learned locations and scales are in standard deviations of the data (`Family.roles`). The laws that only
data take have a `Shared` scale by default: one learned number a column is the stable choice.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.distributions import (
    Beta as TorchBeta,
    Distribution,
    Laplace as TorchLaplace,
    LogNormal as TorchLogNormal,
)

from .. import distributions
from ..tensors import Shape
from .base import (
    AnySource,
    Family,
    Fixed,
    Identity,
    Local,
    LogVariance,
    Role,
    Shared,
    Softplus,
    Source,
    linked,
    refused,
)

UNITS: dict[str, Role] = {"loc": "location", "scale": "scale"}

SMALLEST = float(torch.finfo(torch.float32).tiny)
BELOW_ONE = 1 - 2.0**-24
"""The ends of (0, 1) as float32 has them."""


def located(event: Shape, loc: Source, scale: Source) -> dict[str, tuple[Shape, Source]]:
    """The needs of a location-scale family."""
    return {"loc": (event, linked(loc, Identity())), "scale": (event, linked(scale, LogVariance()))}


def too_large(family: Family, x: np.ndarray[Any, Any]) -> str | None:
    return refused(family, x, np.abs(x) > 1e18, "values a float32 can square", "Rescale the column")


@dataclass(frozen=True, repr=False)
class Gaussian(Family):
    """N(x; loc, scale^2), independent over the event.

    As a likelihood `scale=Shared()` is the sigma-VAE (Rybkin et al. 2021), `Fixed(s)` squared error
    over 2 s^2, `Local()` heteroscedastic. Learned numbers are in standard deviations of the data.

    >>> Gaussian(scale=Fixed(0.5))
    Gaussian(scale=Fixed(0.5))
    """

    loc: AnySource = Local()
    scale: AnySource = Local()
    roles: ClassVar[dict[str, Role]] = UNITS

    def params(self, event: Shape) -> dict[str, tuple[Shape, Source]]:
        return located(event, self.loc, self.scale)

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        normal = distributions.Normal(values["loc"], values["scale"])
        return distributions.event(normal, len(event))

    def refusal(self, x: np.ndarray[Any, Any]) -> str | None:
        return too_large(self, x)


def StandardNormal() -> Gaussian:
    """N(0, 1) on every latent dimension: the prior of Kingma and Welling (2014)."""
    return Gaussian(Fixed(0.0), Fixed(1.0))


@dataclass(frozen=True, repr=False)
class Point(Family):
    """All mass at one place: the code of a plain autoencoder. It has no density over real numbers."""

    loc: AnySource = Local()

    def params(self, event: Shape) -> dict[str, tuple[Shape, Source]]:
        return {"loc": (event, linked(self.loc, Identity()))}

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return distributions.event(distributions.Point(values["loc"]), len(event))


@dataclass(frozen=True, repr=False)
class Laplace(Family):
    """p(x) = exp(-|x - loc| / scale) / (2 scale): the absolute error, of the median.

    >>> Laplace(scale=Fixed(1.0))
    Laplace(scale=Fixed(1.0))
    """

    loc: AnySource = Local()
    scale: AnySource = Shared()
    roles: ClassVar[dict[str, Role]] = UNITS

    def params(self, event: Shape) -> dict[str, tuple[Shape, Source]]:
        return located(event, self.loc, self.scale)

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        law = TorchLaplace(values["loc"], values["scale"], validate_args=False)
        return distributions.event(law, len(event))

    def refusal(self, x: np.ndarray[Any, Any]) -> str | None:
        return too_large(self, x)


@dataclass(frozen=True, repr=False)
class StudentT(Family):
    """loc + scale t, t of Student's law with `df` degrees of freedom: a Gaussian with heavy tails.

    A learned df is 1 + softplus(a), above 1, so that loc is the mean. Its best guess is loc always.
    Source: Takahashi et al., "Student-t variational autoencoder" (2018).
    """

    loc: AnySource = Local()
    scale: AnySource = Shared()
    df: AnySource = Shared()
    roles: ClassVar[dict[str, Role]] = UNITS

    def params(self, event: Shape) -> dict[str, tuple[Shape, Source]]:
        return located(event, self.loc, self.scale) | {"df": (event, linked(self.df, Softplus(floor=1.0)))}

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return distributions.event(distributions.StudentT(**values), len(event))

    def refusal(self, x: np.ndarray[Any, Any]) -> str | None:
        return too_large(self, x)


@dataclass(frozen=True, repr=False)
class LogNormal(Family):
    """log x ~ N(loc, scale^2), for positive data; loc and scale move and stretch with log x."""

    loc: AnySource = Local()
    scale: AnySource = Shared()
    inside: ClassVar[float] = 1.0
    roles: ClassVar[dict[str, Role]] = UNITS

    def params(self, event: Shape) -> dict[str, tuple[Shape, Source]]:
        return located(event, self.loc, self.scale)

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        law = TorchLogNormal(values["loc"], values["scale"], validate_args=False)
        return distributions.event(law, len(event))

    def measured(self, x: Tensor) -> Tensor:
        return x.log()

    def refusal(self, x: np.ndarray[Any, Any]) -> str | None:
        cure = "Use Poisson() or NegativeBinomial() for counts, Gaussian() for real numbers"
        return refused(self, x, x < SMALLEST, "values above 0", cure) or too_large(self, x)


@dataclass(frozen=True, repr=False)
class Beta(Family):
    """p(x) = x^(a - 1) (1 - x)^(b - 1) / B(a, b) on (0, 1), a = m / dispersion, b = (1 - m) / dispersion.

    m = sigmoid(logit) is the mean, and the variance m (1 - m) dispersion / (1 + dispersion). The floor
    of a learned dispersion, 1e-4, keeps a constant column's density finite.
    Source: Ferrari and Cribari-Neto, "Beta regression" (2004), whose precision is 1 / dispersion.
    """

    logit: AnySource = Local()
    dispersion: AnySource = Shared()
    inside: ClassVar[float] = 0.5

    @property
    def top(self) -> float | None:
        return 1.0

    def params(self, event: Shape) -> dict[str, tuple[Shape, Source]]:
        return {
            "logit": (event, linked(self.logit, Identity())),
            "dispersion": (event, linked(self.dispersion, Softplus(floor=1e-4))),
        }

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        mean, dispersion = values["logit"].sigmoid().clamp(1e-6, 1 - 1e-6), values["dispersion"]
        law = TorchBeta(mean / dispersion, (1 - mean) / dispersion, validate_args=False)
        return distributions.event(law, len(event))

    def refusal(self, x: np.ndarray[Any, Any]) -> str | None:
        cure = "Use ContinuousBernoulli() where 0 and 1 occur, Gaussian() for real numbers"
        return refused(self, x, (x < SMALLEST) | (x > BELOW_ONE), "values above 0 and below 1", cure)


@dataclass(frozen=True, repr=False)
class ContinuousBernoulli(Family):
    """p(x) = a exp(a x) / (exp(a) - 1) on [0, 1], a the logit: grey pixels with a density.

    Source: Loaiza-Ganem and Cunningham, "The continuous Bernoulli" (2019).
    """

    logit: AnySource = Local()

    @property
    def top(self) -> float | None:
        return 1.0

    def params(self, event: Shape) -> dict[str, tuple[Shape, Source]]:
        return {"logit": (event, linked(self.logit, Identity()))}

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return distributions.event(distributions.ContinuousBernoulli(values["logit"]), len(event))

    def refusal(self, x: np.ndarray[Any, Any]) -> str | None:
        cure = "Divide pixels of 0 to 255 by 255, or use Gaussian() for real numbers"
        return refused(self, x, (x < 0) | (x > 1), "values in [0, 1]", cure)
