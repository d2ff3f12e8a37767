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
)
from .choices import AutoregressiveCodes, CodePrior
from .codes import FSQ, VQ, GumbelSigmoid, GumbelSoftmax
from .continuous import Gaussian, Point, StandardNormal
from .discrete import Bernoulli

Posterior = Annotated[Family, Gaussian, Point, GumbelSoftmax, GumbelSigmoid, FSQ, VQ]
Likelihood = Annotated[Family, Gaussian, Bernoulli]

__all__ = [
    "FSQ",
    "VQ",
    "AutoregressiveCodes",
    "Bernoulli",
    "CodePrior",
    "Family",
    "Fixed",
    "Gaussian",
    "GumbelSigmoid",
    "GumbelSoftmax",
    "Head",
    "Identity",
    "Likelihood",
    "Local",
    "LogScale",
    "LogVariance",
    "Point",
    "Posterior",
    "Shared",
    "Sigmoid",
    "Softplus",
    "Square",
    "StandardNormal",
]
