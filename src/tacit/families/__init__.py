"""The families: what a posterior, a prior or a likelihood may be. A new one is a row of these unions."""

from typing import Annotated

from .base import (
    Conditional,
    Family,
    Fixed,
    Head,
    Identity,
    Local,
    LogScale,
    LogVariance,
    Share,
    Shared,
    Sigmoid,
    Softplus,
    Square,
)
from .choices import AutoregressiveCodes, CodePrior
from .codes import FSQ, VQ, GumbelSigmoid, GumbelSoftmax
from .composed import Cell, Columns
from .continuous import (
    Beta,
    ContinuousBernoulli,
    Gaussian,
    Laplace,
    LogNormal,
    Point,
    StandardNormal,
    StudentT,
)
from .counts import NegativeBinomial, Poisson, ZeroInflated
from .discrete import Bernoulli, Categorical, DiscretizedLogistic

Posterior = Annotated[Family, Gaussian, Point, GumbelSoftmax, GumbelSigmoid, FSQ, VQ]
Likelihood = Annotated[Cell, Columns]

__all__ = [
    "FSQ",
    "VQ",
    "AutoregressiveCodes",
    "Bernoulli",
    "Beta",
    "Categorical",
    "CodePrior",
    "Columns",
    "Conditional",
    "ContinuousBernoulli",
    "DiscretizedLogistic",
    "Family",
    "Fixed",
    "Gaussian",
    "GumbelSigmoid",
    "GumbelSoftmax",
    "Head",
    "Identity",
    "Laplace",
    "Likelihood",
    "Local",
    "LogNormal",
    "LogScale",
    "LogVariance",
    "NegativeBinomial",
    "Point",
    "Poisson",
    "Posterior",
    "Share",
    "Shared",
    "Sigmoid",
    "Softplus",
    "Square",
    "StandardNormal",
    "StudentT",
    "ZeroInflated",
]
