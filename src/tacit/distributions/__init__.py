"""What torch.distributions lacks."""

from .base import Noise, base_of, event, has_density, is_certain, kl, mean_of, sample_with
from .codes import Atom, Autoregressive, Bit, Book, Codes, OneHot, Relaxed, Table, choice, groups, nearest
from .hidden import Point

__all__ = [
    "Atom",
    "Autoregressive",
    "Bit",
    "Book",
    "Codes",
    "Noise",
    "OneHot",
    "Point",
    "Relaxed",
    "Table",
    "base_of",
    "choice",
    "event",
    "groups",
    "has_density",
    "is_certain",
    "kl",
    "mean_of",
    "nearest",
    "sample_with",
]
