"""Families on the unit sphere in R^L: no direction is preferred, and there is no origin."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.distributions import Distribution
from torch.nn.functional import normalize

from .. import distributions
from ..errors import SpecError
from ..tensors import Shape
from .base import Family, Needs, Support
from .sources import AnySource, Fixed, Identity, Link, Local, Softplus, linked


@dataclass(frozen=True, repr=False)
class PowerSpherical(Family):
    """p(z) ~ (1 + mu . z)^kappa on the unit sphere, mu = loc / |loc|, kappa the concentration.

    The hyperspherical VAE (Davidson et al. 2018) with the power spherical distribution (De Cao and Aziz
    2020) instead of the von Mises-Fisher. The prior is `Sphere()`, and the KL is exact.
    """

    loc: AnySource = Local()
    concentration: AnySource = Local()
    links: ClassVar[dict[str, Link]] = {"loc": Identity()}
    support: ClassVar[Support] = "sphere"

    def params(self, event: Shape) -> Needs:
        if event[-1] < 2:
            raise SpecError(f"{self} with latent_dim={event[-1]}: a sphere needs 2 dimensions or more")
        return super().params(event) | {"concentration": ((), linked(self.concentration, Softplus()))}

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return distributions.PowerSpherical(normalize(values["loc"], dim=-1), values["concentration"])


@dataclass(frozen=True, repr=False)
class Sphere(Family):
    """The uniform distribution on the unit sphere: the prior of Davidson et al. (2018)."""

    support: ClassVar[Support] = "sphere"

    def params(self, event: Shape) -> Needs:
        return {"centre": (event, Fixed(0.0))}

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return distributions.UniformSphere(values["centre"])
