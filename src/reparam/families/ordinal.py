"""A family over ordered levels."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from .. import distributions
from ..distributions.univariate import unexpanded
from ..specs.spec import Several
from ..tensors import Shape
from .base import Array, Factorized, Measurement, Needs, Violation, first_outside
from .sources import AnySource, Identity, Link, Local, LogScale, Shared

FLOOR = 1e-3
"""The smallest step, so that an unobserved level keeps some probability and finite parameters."""


@dataclass(frozen=True, repr=False)
class OrderedLogistic(Factorized):
    """P(x <= k) = sigmoid(c_{k+1} - eta) over whole numbers 0 .. levels - 1: the proportional-odds model.

    The network gives eta; the cut points c_1 < ... < c_{levels-1} are learned for each column:

        c_1 = first + u_1,    c_{k+1} = c_k + (u_{k+1} - u_k) (step_k + 0.001),    u_k = logit(k / levels)

    where step = exp a, so at a = 0, where training starts, all levels are equally likely at eta = first.
    Unlike `DiscretizedLogistic` it has no distances between levels, and unlike `Categorical` it has their
    order. The point prediction is the median level.
    Source: McCullagh, "Regression models for ordinal data" (1980), section 2.

    >>> OrderedLogistic(3).inputs(torch.tensor([[0.0, 1.0, 2.0]]))
    tensor([[-1.,  0.,  1.]])
    """

    levels: Several
    eta: AnySource = Local()
    first: AnySource = Shared()
    step: AnySource = Shared()
    links: ClassVar[dict[str, Link]] = {"eta": Identity(), "first": Identity(), "step": LogScale()}
    measurement: ClassVar[Measurement | None] = "ordinal"

    @property
    def top(self) -> float | None:  # type: ignore[override]
        return self.levels - 1.0

    def params(self, event: Shape) -> Needs:
        needs = super().params(event)
        steps = ((self.levels - 2, *event), needs.pop("step")[1])
        return needs | ({"step": steps} if self.levels > 2 else {})

    def cell_distribution(self, event: Shape, **values: Tensor) -> Distribution:
        eta, first = values["eta"], unexpanded(values["first"])
        u = (torch.arange(1, self.levels, device=eta.device, dtype=eta.dtype) / self.levels).logit()
        gaps = u.diff()
        if self.levels > 2:
            gaps = gaps * (FLOOR + unexpanded(values["step"].movedim(-1 - len(event), -1)))
        return distributions.OrderedLogistic(eta, first + u[0], gaps)

    def support_error(self, x: Array) -> Violation | None:
        outside = (x < 0) | (x >= self.levels) | (x != np.floor(x))
        cure = "Set levels to their number and code them from 0, or use Gaussian() for real numbers"
        return first_outside(self, x, outside, f"whole numbers 0 to {self.levels - 1}", cure)

    def inputs(self, x: Tensor) -> Tensor:
        return 2 * x / (self.levels - 1) - 1
