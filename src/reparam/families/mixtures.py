"""Mixtures of a family."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..distributions import mixture
from ..errors import SpecError
from ..tensors import Shape
from .base import Family, Needs, Role, Support
from .continuous import Gaussian, Point
from .multivariate import FullGaussian, LowRankGaussian
from .sources import Identity, Local
from .spherical import PowerSpherical

Component = Annotated[Family, Gaussian, FullGaussian, LowRankGaussian, PowerSpherical]


@dataclass(frozen=True, repr=False)
class Mixture(Family):
    """p(z) = sum_k w_k base_k(z): one component k for the whole of z, not one for each dimension.

    A prior. As a posterior it raises SpecError, because the choice of k has no gradient.
    """

    base: Component = Gaussian()
    components: int = 10
    reparametrised: ClassVar[bool] = False

    def check(self) -> None:
        if self.components < 1:
            raise SpecError(f"Mixture.components must be 1 or more, not {self.components}")
        if type(self.base).build is not Family.build or isinstance(self.base, Mixture | Point):
            raise SpecError(
                f"Mixture.base={self.base} is not a density with plain parameters. "
                "Use Gaussian(), or Flow(base=Mixture(Gaussian(), 10))"
            )

    @property
    def roles(self) -> dict[str, Role]:  # type: ignore[override]
        return self.base.roles

    @property
    def support(self) -> Support:  # type: ignore[override]
        return self.base.support

    def params(self, event: Shape) -> Needs:
        each = self.base.params(event).items()
        own = {name: ((self.components, *shape), source) for name, (shape, source) in each}
        return {"weight": ((self.components,), Local(Identity())), **own}

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return mixture(values.pop("weight"), self.base.distribution(event, **values))

    def start(self, z: Tensor) -> dict[str, Tensor]:
        """Start locations by k-means++ (Arthur and Vassilvitskii 2007)."""
        rows = [int(torch.randint(len(z), ()))]
        distance = torch.full((len(z),), torch.inf).to(z)
        while len(rows) < self.components:
            distance = torch.minimum(distance, (z - z[rows[-1]]).square().sum(-1))
            chances = distance if distance.sum() > 0 else torch.ones_like(distance)
            rows.append(int(torch.multinomial(chances, 1)))
        return {"loc": z[rows]}
