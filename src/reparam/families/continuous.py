"""Families over real numbers, positive numbers and proportions between 0 and 1.

Families that are only likelihoods have a `Shared` scale by default: one learned number per column is stable.
"""

import abc
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, distributions as by_torch
from torch.distributions import Distribution

from .. import distributions
from ..tensors import Shape
from .base import Array, Factorized, Measurement, Role, Violation, first_outside
from .sources import AnySource, Fixed, Identity, Link, Local, LogVariance, Shared, Softplus

SMALLEST = float(torch.finfo(torch.float32).tiny)
BELOW_ONE = 1 - 2.0**-24
"""The smallest and the largest float32 in (0, 1)."""


@dataclass(frozen=True, repr=False)
class LocationScale(Factorized, abc.ABC):
    """A location-scale family; learned `loc` and `scale` are in standard deviations of the data."""

    loc: AnySource = Local()
    scale: AnySource = Shared()
    links: ClassVar[dict[str, Link]] = {"loc": Identity(), "scale": LogVariance()}
    roles: ClassVar[dict[str, Role]] = {"loc": "location", "scale": "scale"}
    measurement: ClassVar[Measurement | None] = "real"

    def support_error(self, x: Array) -> Violation | None:
        return first_outside(self, x, np.abs(x) > 1e18, "values from -1e18 to 1e18", "Rescale the column")


@dataclass(frozen=True, repr=False)
class Gaussian(LocationScale):
    """N(x; loc, scale^2), independent over the event.

    As a likelihood `scale=Shared()` is the sigma-VAE (Rybkin et al. 2021), `Fixed(s)` the squared error
    over 2 s^2, `Local()` heteroscedastic. Learned values are in standard deviations of the data.

    >>> Gaussian(scale=Fixed(0.5))
    Gaussian(scale=Fixed(0.5))
    """

    scale: AnySource = Local()
    spatial: ClassVar[bool] = True

    @property
    def has_fixed_scale(self) -> bool:
        return isinstance(self.scale, Fixed)

    def cell_distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return distributions.Normal(**values)


def StandardNormal() -> Gaussian:
    """N(0, 1) on every latent dimension: the prior of Kingma and Welling (2014)."""
    return Gaussian(Fixed(0.0), Fixed(1.0))


@dataclass(frozen=True, repr=False)
class Point(Factorized):
    """A point mass: the code of a plain autoencoder. It has no density."""

    loc: AnySource = Local()
    links: ClassVar[dict[str, Link]] = {"loc": Identity()}
    has_density: ClassVar[bool] = False
    deterministic: ClassVar[bool] = True
    spatial: ClassVar[bool] = True

    def cell_distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return distributions.Point(**values)


@dataclass(frozen=True, repr=False)
class Laplace(LocationScale):
    """p(x) = exp(-|x - loc| / scale) / (2 scale): absolute error, whose optimum is the median.

    >>> Laplace(scale=Fixed(1.0))
    Laplace(scale=Fixed(1.0))
    """

    def cell_distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return by_torch.Laplace(**values, validate_args=False)


@dataclass(frozen=True, repr=False)
class StudentT(LocationScale):
    """loc + scale t, t from Student's t distribution with `df` degrees of freedom: heavy tails.

    A learned df is 1 + softplus(a), above 1, so that loc is the mean. The point prediction is always loc.
    Source: Takahashi et al., "Student-t variational autoencoder" (2018).
    """

    df: AnySource = Shared()
    links: ClassVar[dict[str, Link]] = {**LocationScale.links, "df": Softplus(floor=1.0)}

    def cell_distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return distributions.StudentT(**values)


@dataclass(frozen=True, repr=False)
class LogNormal(LocationScale):
    """log x ~ N(loc, scale^2), for positive data; learned loc and scale are in units of log x."""

    inside: ClassVar[float] = 1.0
    measurement: ClassVar[Measurement | None] = "positive"

    def cell_distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return by_torch.LogNormal(**values, validate_args=False)

    def to_unit_axis(self, x: Tensor) -> Tensor:
        return x.log()

    def support_error(self, x: Array) -> Violation | None:
        cure = "Use Poisson() or NegativeBinomial() for counts, Gaussian() for real numbers"
        return first_outside(self, x, x < SMALLEST, "values above 0", cure) or super().support_error(x)


@dataclass(frozen=True, repr=False)
class Beta(Factorized):
    """p(x) = x^(a - 1) (1 - x)^(b - 1) / B(a, b) on (0, 1), a = m / dispersion, b = (1 - m) / dispersion.

    m = sigmoid(logit) is the mean, and m (1 - m) dispersion / (1 + dispersion) the variance. A learned
    dispersion is at least 1e-4, which keeps the density of a constant column finite.
    Source: Ferrari and Cribari-Neto, "Beta regression" (2004), whose precision is 1 / dispersion.
    """

    logit: AnySource = Local()
    dispersion: AnySource = Shared()
    links: ClassVar[dict[str, Link]] = {"logit": Identity(), "dispersion": Softplus(floor=1e-4)}
    inside: ClassVar[float] = 0.5
    top: ClassVar[float | None] = 1.0
    measurement: ClassVar[Measurement | None] = "share"

    def cell_distribution(self, event: Shape, **values: Tensor) -> Distribution:
        mean, dispersion = values["logit"].sigmoid().clamp(1e-6, 1 - 1e-6), values["dispersion"]
        return by_torch.Beta(mean / dispersion, (1 - mean) / dispersion, validate_args=False)

    def support_error(self, x: Array) -> Violation | None:
        cure = "Use ContinuousBernoulli() where 0 and 1 occur, Gaussian() for real numbers"
        return first_outside(self, x, (x < SMALLEST) | (x > BELOW_ONE), "values above 0 and below 1", cure)


@dataclass(frozen=True, repr=False)
class ContinuousBernoulli(Factorized):
    """p(x) = a exp(a x) / (exp(a) - 1) on [0, 1], a the logit: a density for grey pixels.

    Source: Loaiza-Ganem and Cunningham, "The continuous Bernoulli" (2019).
    """

    logit: AnySource = Local()
    links: ClassVar[dict[str, Link]] = {"logit": Identity()}
    top: ClassVar[float | None] = 1.0
    measurement: ClassVar[Measurement | None] = "share"

    def cell_distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return distributions.ContinuousBernoulli(values["logit"])

    def support_error(self, x: Array) -> Violation | None:
        cure = "Divide pixels of 0 to 255 by 255, or use Gaussian() for real numbers"
        return first_outside(self, x, (x < 0) | (x > 1), "values in [0, 1]", cure)
