"""Families over real numbers."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from torch import Tensor
from torch.distributions import Distribution, Normal

from .. import distributions
from ..tensors import Shape
from .base import AnySource, Family, Fixed, Identity, Local, LogVariance, Role, Source, linked


@dataclass(frozen=True, repr=False)
class Gaussian(Family):
    """N(x; loc, scale^2), independent over the event.

    As a likelihood `scale=Shared()` is the sigma-VAE (Rybkin et al. 2021), `Fixed(s)` squared error
    over 2 s^2, `Local()` heteroscedastic. Learned numbers are in standard deviations of the data.

    >>> Gaussian(scale=Fixed(0.5))
    Gaussian(scale=Fixed(0.5))
    """

    loc: AnySource = Local()
    scale: AnySource = Local()
    roles: ClassVar[dict[str, Role]] = {"loc": "location", "scale": "scale"}

    def params(self, event: Shape) -> dict[str, tuple[Shape, Source]]:
        return {
            "loc": (event, linked(self.loc, Identity())),
            "scale": (event, linked(self.scale, LogVariance())),
        }

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        normal = Normal(values["loc"], values["scale"], validate_args=False)
        return distributions.event(normal, len(event))

    def refusal(self, x: np.ndarray[Any, Any]) -> str | None:
        largest = float(np.abs(x).max(initial=0.0))
        if largest > 1e18:
            return f"Gaussian needs values a float32 can square; X has {largest:.3g}. Rescale the column"
        return None


def StandardNormal() -> Gaussian:
    """N(0, 1) on every latent dimension: the prior of Kingma and Welling (2014)."""
    return Gaussian(Fixed(0.0), Fixed(1.0))


@dataclass(frozen=True, repr=False)
class Point(Family):
    """All mass at one place: the code of a plain autoencoder. It has no density over real numbers."""

    loc: AnySource = Local()

    def params(self, event: Shape) -> dict[str, tuple[Shape, Source]]:
        return {"loc": (event, linked(self.loc, Identity()))}

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return distributions.event(distributions.Point(values["loc"]), len(event))
