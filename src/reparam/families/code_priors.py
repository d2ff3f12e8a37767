"""Priors over code indices, event (groups, K)."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import linear as dense

from ..distributions import Autoregressive, choice
from ..errors import SpecError
from ..nn.layers import linear
from ..tensors import Shape
from .base import Family, Layer, Needs, Support
from .sources import AnySource, Fixed, Identity, Shared, linked


@dataclass(frozen=True, repr=False)
class CodePrior(Family):
    """Independent code indices, p(c) = prod_g softmax(logit_g)[c_g]: uniform, or learned with
    `logit=Shared()`, one logit for each group and code."""

    logit: AnySource = Fixed(0.0)
    support: ClassVar[Support] = "codes"

    def params(self, event: Shape) -> Needs:
        if len(event) != 2:
            raise SpecError(f"{self} is a prior over code indices. Use posterior=GumbelSoftmax(10)")
        source = linked(self.logit, Identity())
        if isinstance(source, Shared) and source.shape is None:
            source = replace(source, shape=event)
        return {"logit": (event, source)}

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return choice(values["logit"])


@dataclass(frozen=True, repr=False)
class AutoregressiveCodes(Family):
    """p(c) = prod_g p(c_g | c_<g) by one masked network (MADE, Germain et al. 2015, equation 6).

    For `refit_prior`: the distribution of the codes, fitted by maximum likelihood. Trained with a relaxed
    posterior it reads relaxed samples, so the training rate is accurate only where they are near one-hot.
    """

    hidden: tuple[int, ...] = (256,)
    support: ClassVar[Support] = "codes"

    def check(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise SpecError(f"AutoregressiveCodes.hidden takes widths of 1 or more, not {self.hidden}")

    def build(self, event: Shape, layer: Layer, floor: float = 0.0) -> nn.Module:
        if len(event) != 2:
            raise SpecError(f"{self} is a prior over code indices. Use posterior=GumbelSoftmax(10)")
        return Made(event, self.hidden)


class MaskedLinear(nn.Module):
    """A dense layer with weights multiplied by `mask` (n_out, n_in)."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.layer = linear(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.layer.get_parameter("weight"), self.layer.get_parameter("bias")
        return dense(x, self.mask * weight, bias)


class Made(nn.Module):
    """None -> Autoregressive distribution of w (G, K). A unit of degree m reads groups 1 ... m; the logits of
    group g read units of degree below g (Germain et al. 2015, equations 8 and 9)."""

    blank: Tensor

    def __init__(self, event: Shape, hidden: tuple[int, ...]) -> None:
        super().__init__()
        groups, count = event
        own = torch.arange(1, groups + 1).repeat_interleave(count)
        degrees = [own, *(torch.arange(width) % max(groups - 1, 1) + 1 for width in hidden)]
        layers: list[nn.Module] = [nn.Flatten(-2)]
        for below, above in pairwise(degrees):
            layers += [MaskedLinear(above[:, None] >= below), nn.ReLU()]
        last = MaskedLinear(own[:, None] > degrees[-1])
        self.net = nn.Sequential(*layers, last, nn.Unflatten(-1, event))
        self.register_buffer("blank", torch.zeros(event), persistent=False)

    def start(self, z: Tensor) -> None:
        """No start values are taken from the codes."""

    def forward(self, h: None) -> Distribution:
        return Autoregressive(self.net, self.blank)
