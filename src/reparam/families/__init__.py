"""Families of posteriors, priors, likelihoods. Add a posterior here, a likelihood in `columns.Cell`."""

from typing import Annotated

from .base import Conditional, Family, Head, Measurement, Support, Violation
from .code_priors import AutoregressiveCodes, CodePrior
from .columns import Cell, Columns, default_family
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
from .flows import IAF, MAF, Flow, Planar, Spline
from .mixtures import Mixture
from .multivariate import FullGaussian, LowRankGaussian
from .ordinal import OrderedLogistic
from .quantile import Quantile
from .quantizers import FSQ, VQ, GumbelSigmoid, GumbelSoftmax
from .sources import Fixed, Identity, Local, LogScale, LogVariance, Share, Shared, Sigmoid, Softplus, Square
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
