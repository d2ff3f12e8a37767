"""The families: what a posterior, a prior or a likelihood may be. A new one is a row of these unions."""

from typing import Annotated

from .base import (
    Family,
    Fixed,
    Head,
    Identity,
    Local,
    LogScale,
    LogVariance,
    Shared,
    Sigmoid,
    Softplus,
    Square,
    Support,
)
from .composed import Mixture
from .continuous import Gaussian, Point, StandardNormal
from .correlated import FullGaussian, LowRankGaussian
from .discrete import Bernoulli
from .flows import IAF, MAF, Flow, Planar, Spline
from .spherical import PowerSpherical, Sphere

Posterior = Annotated[Family, Gaussian, Point, FullGaussian, LowRankGaussian, PowerSpherical, Flow]
Likelihood = Annotated[Family, Gaussian, Bernoulli]

__all__ = [
    "IAF",
    "MAF",
    "Bernoulli",
    "Family",
    "Fixed",
    "Flow",
    "FullGaussian",
    "Gaussian",
    "Head",
    "Identity",
    "Likelihood",
    "Local",
    "LogScale",
    "LogVariance",
    "LowRankGaussian",
    "Mixture",
    "Planar",
    "Point",
    "Posterior",
    "PowerSpherical",
    "Shared",
    "Sigmoid",
    "Softplus",
    "Sphere",
    "Spline",
    "Square",
    "StandardNormal",
    "Support",
]
