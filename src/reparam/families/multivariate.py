"""Gaussians with dependent dimensions. `scale` has the data's unit, the other parameters have none."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, LowRankMultivariateNormal, MultivariateNormal

from ..errors import SpecError
from ..tensors import Shape
from .base import Family, Needs, Role
from .continuous import LocationScale
from .sources import AnySource, Identity, Link, Local, linked


@dataclass(frozen=True, repr=False)
class FullGaussian(Family):
    """N(z; loc, C C'), C = diag(scale) (I + N), N strictly lower triangular.

    Source: Kingma and Welling, "An introduction to variational autoencoders" (2019), algorithm 2.
    """

    loc: AnySource = Local()
    scale: AnySource = Local()
    lower: AnySource = Local()
    links: ClassVar[dict[str, Link]] = LocationScale.links
    roles: ClassVar[dict[str, Role]] = LocationScale.roles

    def params(self, event: Shape) -> Needs:
        (L,) = event
        return super().params(event) | {"lower": ((L * (L - 1) // 2,), linked(self.lower, Identity()))}

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        scale = values["scale"]
        unit = torch.diag_embed(torch.ones_like(scale))
        i, j = torch.tril_indices(event[0], event[0], -1, device=scale.device)
        unit[..., i, j] = values["lower"]
        return MultivariateNormal(values["loc"], scale_tril=scale[..., None] * unit, validate_args=False)


@dataclass(frozen=True, repr=False)
class LowRankGaussian(Family):
    """N(z; loc, D (I + F F') D), D = diag(scale), F (L, rank).

    Source: Ong, Nott and Smith, "Gaussian variational approximation with a factor covariance structure"
    (2018).
    """

    rank: int = 1
    loc: AnySource = Local()
    scale: AnySource = Local()
    factor: AnySource = Local()
    links: ClassVar[dict[str, Link]] = LocationScale.links
    roles: ClassVar[dict[str, Role]] = LocationScale.roles

    def check(self) -> None:
        if self.rank < 1:
            raise SpecError(f"LowRankGaussian.rank must be 1 or more, not {self.rank}. Rank 0 is Gaussian()")

    def params(self, event: Shape) -> Needs:
        return super().params(event) | {"factor": ((*event, self.rank), linked(self.factor, Identity()))}

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        loc, scale = values["loc"], values["scale"]
        factor = scale[..., None] * values["factor"]
        return LowRankMultivariateNormal(loc, factor, scale.square(), validate_args=False)
