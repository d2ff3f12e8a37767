"""What torch.distributions lacks."""

from . import correlated  # registers its rows
from .base import (
    Noise,
    base_of,
    blend,
    cells,
    event,
    has_density,
    is_certain,
    kl,
    log_prob_of,
    mean_of,
    sample_with,
)
from .codes import Atom, Autoregressive, Bit, Book, Codes, OneHot, Relaxed, Table, choice, groups, nearest
from .flows import Flowed, Remembered
from .hidden import Point
from .mixtures import GaussianMixture, mixture
from .observed import (
    ContinuousBernoulli,
    DiscretizedLogistic,
    NegativeBinomial,
    Normal,
    Poisson,
    Product,
    Runs,
    StudentT,
    ZeroInflated,
    apart,
    together,
)
from .spherical import PowerSpherical, UniformSphere
