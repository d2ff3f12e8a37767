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
    Support,
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
from .correlated import FullGaussian, LowRankGaussian
from .counts import NegativeBinomial, Poisson, ZeroInflated
from .discrete import Bernoulli, Categorical, DiscretizedLogistic
from .flows import IAF, MAF, Flow, Planar, Spline
from .mixtures import Mixture
from .spherical import PowerSpherical, Sphere

Posterior = Annotated[
    Family,
    Gaussian,
    Point,
    FullGaussian,
    LowRankGaussian,
    PowerSpherical,
    Flow,
    GumbelSoftmax,
    GumbelSigmoid,
    FSQ,
    VQ,
]
Likelihood = Annotated[Cell, Columns]
