"""Distributions in addition to torch.distributions."""

from . import multivariate  # registers its rows
from .base import (
    Noise,
    base_of,
    blend,
    elementwise_log_prob,
    event,
    kl,
    log_prob_of,
    mean_of,
    sample_with,
)
from .deterministic import Point
from .discrete import (
    Atom,
    Autoregressive,
    BinaryCodebook,
    Codebook,
    Codes,
    OneHotCodebook,
    Relaxed,
    TableCodebook,
    choice,
    groups,
    nearest,
)
from .flows import CachedTransform, FlowDistribution
from .missing import MissingCells
from .mixtures import GaussianMixture, mixture
from .ordinal import OrderedLogistic
from .product import (
    Chain,
    Product,
    Runs,
    join_columns,
    log_missing,
    marginals,
    sample_with_missing,
    split_columns,
)
from .quantile import Margin, QuantileMixture, pieces_of
from .spherical import PowerSpherical, UniformSphere
from .univariate import (
    ContinuousBernoulli,
    DiscretizedLogistic,
    Levels,
    NegativeBinomial,
    Nominal,
    Normal,
    Poisson,
    StudentT,
    ZeroInflated,
)
