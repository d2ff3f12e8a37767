"""Normalizing flows: a base distribution and invertible steps conditional on the encoder's features.

Between steps the order of the dimensions is reversed. A step is near the identity at initialisation.
"""

import abc
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import AffineTransform, Distribution, Transform
from torch.nn.functional import softplus

from ..distributions import CachedTransform, FlowDistribution
from ..errors import SpecError
from ..specs.spec import Several, Spec
from ..tensors import Shape
from .base import Family, Layer
from .continuous import Gaussian, Point, StandardNormal
from .mixtures import Mixture
from .multivariate import FullGaussian, LowRankGaussian


def zuko() -> Any:
    """Import zuko when first needed. It disables torch's argument checks for the whole process; they are
    restored."""
    checks = Distribution._validate_args
    import zuko

    Distribution.set_default_validate_args(checks)
    return zuko


@dataclass(frozen=True, repr=False)
class Step(Spec, abc.ABC):
    """One invertible map of R^L, with parameters computed from the features."""

    tractable: ClassVar[bool] = True

    @abc.abstractmethod
    def build(self, L: int, layer: Layer, backwards: bool) -> nn.Module:
        """A module h -> Transform; `backwards`: in reversed order of the dimensions."""


@dataclass(frozen=True, repr=False)
class MaskedStep(Step):
    """y_i = f(x_i; parameters), the parameters by a masked network from x_<i and the features."""

    hidden: tuple[int, ...] = (64, 64)
    inverted: ClassVar[bool] = False

    def check(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise SpecError(f"{type(self).__name__}.hidden takes widths of 1 or more, not {self.hidden}")

    def univariate(self) -> dict[str, Any]:
        """zuko's arguments for f and the shapes of its parameters; f is affine by default."""
        return {}

    def build(self, L: int, layer: Layer, backwards: bool) -> nn.Module:
        order = torch.arange(L).flip(0) if backwards else torch.arange(L)
        words = {"order": order, "hidden_features": self.hidden, "activation": nn.ELU, **self.univariate()}
        net = zuko().flows.autoregressive.MaskedAutoregressiveTransform(L, self.hidden[0], **words)
        with torch.no_grad():
            net.hyper[-1].weight.mul_(0.1)
            net.hyper[-1].bias.zero_()
        return MaskedTransform(layer(self.hidden[0]), net, self.inverted)


@dataclass(frozen=True, repr=False)
class IAF(MaskedStep):
    """z_i = exp(a_i) e_i + m_i, with a_i and m_i functions of e_<i: sampling takes one pass, the density
    of any other z takes L. For posteriors. Source: Kingma et al. (2016), section 3."""


@dataclass(frozen=True, repr=False)
class MAF(MaskedStep):
    """e_i = exp(a_i) z_i + m_i, with a_i and m_i functions of z_<i: densities take one pass, sampling L.
    For priors. Source: Papamakarios et al. (2017), section 3."""

    inverted: ClassVar[bool] = True


@dataclass(frozen=True, repr=False)
class Spline(MaskedStep):
    """Each dimension is mapped by a monotone rational-quadratic spline of `bins` pieces on [-5, 5], and is
    unchanged outside; the second half reads the first, so samples and densities take at most two
    passes. Source: Durkan et al., "Neural spline flows" (2019), coupling layers."""

    bins: Several = 8

    def univariate(self) -> dict[str, Any]:
        shapes = ((self.bins,), (self.bins,), (self.bins - 1,))
        return {"passes": 2, "univariate": zuko().transforms.MonotonicRQSTransform, "shapes": shapes}


class MaskedTransform(nn.Module):
    """zuko's transform, conditional on `context` of the features."""

    def __init__(self, context: nn.Module, net: nn.Module, inverted: bool) -> None:
        super().__init__()
        self.context, self.net, self.inverted = context, net, inverted

    def forward(self, h: Tensor | None) -> Transform:
        made = self.net(self.context(h))
        one, other = made.call_and_ladj, made.inv.call_and_ladj
        return CachedTransform(other, one) if self.inverted else CachedTransform(one, other)


@dataclass(frozen=True, repr=False)
class Planar(Step):
    """f(x) = x + v tanh(w . x + b), without a closed-form inverse: density only at its own samples.

    Source: Rezende and Mohamed (2015), equations 10 to 12 and appendix A.1.
    """

    tractable: ClassVar[bool] = False

    def build(self, L: int, layer: Layer, backwards: bool) -> nn.Module:
        return PlanarStep(L, layer)


class PlanarStep(nn.Module):
    def __init__(self, L: int, layer: Layer) -> None:
        super().__init__()
        self.sizes, self.layer = (L, L, 1), layer(2 * L + 1)

    def forward(self, h: Tensor | None) -> Transform:
        return CachedTransform(partial(planar, *self.layer(h).split(self.sizes, -1)), unknown)


def planar(u: Tensor, w: Tensor, b: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """f(x), and log |1 + v . w tanh'(w . x + b)|, with v = u + (m(w . u) - w . u) w / |w|^2 and
    m(a) = log(1 + exp a) - 1, so that w . v > -1 and f is invertible.

    The slope is computed as (1 + w . v) tanh' + tanh^2, without cancellation.
    """
    wu = (w * u).sum(-1, keepdim=True)
    v = u + (softplus(wu) - 1 - wu) * w / w.square().sum(-1, keepdim=True).clamp_min(1e-12)
    t = torch.tanh((w * x).sum(-1, keepdim=True) + b)
    slope = softplus(wu) * (1 - t.square()) + t.square()
    return x + v * t, slope.log()[..., 0]


def unknown(y: Tensor) -> tuple[Tensor, Tensor]:
    raise NotImplementedError("Planar has a density only at its own samples; use IAF, MAF or Spline")


AnyStep = Annotated[Step, IAF, MAF, Spline, Planar]
Base = Annotated[Family, Gaussian, StandardNormal, FullGaussian, LowRankGaussian, Mixture]


@dataclass(frozen=True, repr=False)
class Flow(Family):
    """z = f_n(... f_1(e)), e ~ base: log q(z) = log base(e) - sum_i log |df_i|.

    As a posterior use IAF, which samples in one pass; as a prior MAF, whose density takes one pass.

    >>> Flow(steps=(MAF((32,)), MAF((32,))))
    Flow(steps=(MAF((32,)), MAF((32,))))
    """

    base: Base = Gaussian()
    steps: tuple[AnyStep, ...] = (IAF(), IAF())

    def check(self) -> None:
        if not self.steps:
            raise SpecError("Flow.steps needs at least one step; use base alone for none")
        if self.base.support != "real" or isinstance(self.base, Point):
            raise SpecError(f"Flow.base={self.base} has no density on R^L. Use base=Gaussian()")

    @property
    def tractable(self) -> bool:  # type: ignore[override]
        return self.base.tractable and all(step.tractable for step in self.steps)

    @property
    def reparametrised(self) -> bool:  # type: ignore[override]
        return self.base.reparametrised

    def build(self, event: Shape, layer: Layer, floor: float = 0.0) -> "FlowHead":
        return FlowHead(self, event, layer, floor)


class FlowHead(nn.Module):
    """h -> Distribution. The steps work in standard units; `shift` and `scale` convert to the data's."""

    shift: Tensor
    scale: Tensor

    def __init__(self, flow: Flow, event: Shape, layer: Layer, floor: float) -> None:
        super().__init__()
        (L,) = event
        self.base: Any = flow.base.build(event, layer, floor)
        self.steps = nn.ModuleList(step.build(L, layer, bool(i % 2)) for i, step in enumerate(flow.steps))
        self.register_buffer("shift", torch.zeros(event))
        self.register_buffer("scale", torch.ones(event))

    def forward(self, h: Tensor | None) -> Distribution:
        units = AffineTransform(self.shift, self.scale, event_dim=1, cache_size=1)
        steps = [step(h) for step in self.steps]
        return FlowDistribution(self.base(h), [*steps, units], validate_args=False)

    @torch.no_grad()
    def start(self, z: Tensor) -> None:
        """Set the units from codes z (n, L), and the start values of the base."""
        self.shift.copy_(z.mean(0))
        self.scale.copy_(z.std(0, correction=0).clamp_min(1e-6))
        self.base.start((z - self.shift) / self.scale)
