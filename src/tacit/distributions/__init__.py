"""What torch.distributions lacks."""

from . import correlated  # registers its rows
from .base import Noise, base_of, event, has_density, kl, mean_of, sample_with
from .flows import Remembered
from .hidden import Point
from .spherical import PowerSpherical, UniformSphere

__all__ = [
    "Noise",
    "Point",
    "PowerSpherical",
    "Remembered",
    "UniformSphere",
    "base_of",
    "correlated",
    "event",
    "has_density",
    "kl",
    "mean_of",
    "sample_with",
]
