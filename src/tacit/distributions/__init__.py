"""What torch.distributions lacks."""

from .base import Noise, base_of, event, has_density, kl, mean_of, sample_with
from .hidden import Point

__all__ = ["Noise", "Point", "base_of", "event", "has_density", "kl", "mean_of", "sample_with"]
