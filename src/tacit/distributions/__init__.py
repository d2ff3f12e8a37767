"""What torch.distributions lacks."""

from .base import (
    Noise,
    base_of,
    blend,
    cells,
    event,
    has_density,
    kl,
    log_prob_of,
    mean_of,
    sample_with,
)
from .hidden import Point
from .observed import (
    ContinuousBernoulli,
    DiscretizedLogistic,
    Product,
    Runs,
    StudentT,
    ZeroInflated,
    apart,
    together,
)

__all__ = [
    "ContinuousBernoulli",
    "DiscretizedLogistic",
    "Noise",
    "Point",
    "Product",
    "Runs",
    "StudentT",
    "ZeroInflated",
    "apart",
    "base_of",
    "blend",
    "cells",
    "event",
    "has_density",
    "kl",
    "log_prob_of",
    "mean_of",
    "sample_with",
    "together",
]
