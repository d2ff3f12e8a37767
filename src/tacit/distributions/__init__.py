"""What torch.distributions lacks."""

from .base import Noise, base_of, cells, event, has_density, kl, mean_of, sample_with
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
    "cells",
    "event",
    "has_density",
    "kl",
    "mean_of",
    "sample_with",
    "together",
]
