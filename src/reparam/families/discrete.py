"""Families over binary, categorical and discretised values."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, distributions as by_torch
from torch.distributions import Distribution

from .. import distributions
from ..errors import SpecError
from ..specs.spec import Several
from ..tensors import Shape
from .base import Array, Factorized, Measurement, Needs, Violation, first_outside
from .sources import AnySource, Identity, Link, Local, LogVariance


@dataclass(frozen=True, repr=False)
class Bernoulli(Factorized):
    """P(x = 1) = sigmoid(logit), independent over the event.

    Grey pixels x in [0, 1] have no Bernoulli probability. `grey` says how to treat them:

    - None: raise an error;
    - "expected": x log p + (1 - x) log(1 - p), the sigmoid cross-entropy. It is the expected
      log-probability of an image whose pixels are 1 with probability x, so importance-weighted
      estimates binarise x at random, with a fixed seed;
    - "sample": binarise again in each batch (dynamic binarisation, Burda et al. 2016);
    - "threshold": x > 1/2.
    """

    logit: AnySource = Local()
    grey: Literal["expected", "sample", "threshold"] | None = None
    links: ClassVar[dict[str, Link]] = {"logit": Identity()}
    top: ClassVar[float | None] = 1.0
    measurement: ClassVar[Measurement | None] = "binary"

    def cell_distribution(self, event: Shape, **values: Tensor) -> Distribution:
        return by_torch.Bernoulli(logits=values["logit"], validate_args=False)

    def support_error(self, x: Array) -> Violation | None:
        if self.grey is None:
            cure = "Use Bernoulli(grey='expected') for grey pixels or Gaussian() for real numbers"
            return first_outside(self, x, (x != 0) & (x != 1), "values in {0, 1}", cure)
        cure = "Divide pixels of 0 to 255 by 255, or use Gaussian() for real numbers"
        return first_outside(self, x, (x < 0) | (x > 1), "values in [0, 1]", cure)

    def observe(self, x: Tensor, *, for_likelihood: bool = False, alike: bool = False) -> Tensor:
        if self.grey == "sample" or (self.grey == "expected" and for_likelihood):
            return (torch.rand_like(x[:1] if alike else x) < x).to(x.dtype)
        return self.inputs(x)

    def inputs(self, x: Tensor) -> Tensor:
        return (x > 0.5).to(x.dtype) if self.grey == "threshold" else x


@dataclass(frozen=True, repr=False)
class Categorical(Factorized):
    """P(x = k) = softmax(logits)_k over whole numbers 0 .. classes - 1. The point prediction is the most
    probable class, of `ordered` ones, such as the values of a number that has few, the median; the encoder
    reads one-hot vectors, for an image the classes as channels.

    >>> Categorical(3).inputs(torch.tensor([[2.0, 0.0]]))
    tensor([[0., 1., 0., 0., 1., 0.]])
    """

    classes: Several
    logits: AnySource = Local()
    ordered: bool = False
    links: ClassVar[dict[str, Link]] = {"logits": Identity()}
    measurement: ClassVar[Measurement | None] = "nominal"

    @property
    def top(self) -> float | None:  # type: ignore[override]
        return self.classes - 1.0

    def params(self, event: Shape) -> Needs:
        return super().params((self.classes, *event))

    def cell_distribution(self, event: Shape, **values: Tensor) -> Distribution:
        logits = values["logits"].movedim(-1 - len(event), -1)
        return (distributions.Levels if self.ordered else distributions.Nominal)(logits)

    def support_error(self, x: Array) -> Violation | None:
        outside = (x < 0) | (x >= self.classes) | (x != np.floor(x))
        cure = "Set classes to their number and code them from 0, or use Gaussian() for real numbers"
        return first_outside(self, x, outside, f"whole numbers 0 to {self.classes - 1}", cure)

    def inputs(self, x: Tensor) -> Tensor:
        each = torch.arange(self.classes, device=x.device).reshape(-1, *(1 for _ in x.shape[1:]))
        one_hot = (x.unsqueeze(1) == each).to(x.dtype)
        return one_hot if x.dim() == 3 else one_hot.flatten(1, 2)


@dataclass(frozen=True, repr=False)
class DiscretizedLogistic(Factorized):
    """P(x) = F(x + 1/2) - F(x - 1/2) over whole numbers 0 .. levels - 1, the tails in the end levels; F is
    a logistic distribution function, or a mixture of `components` for each cell.

    For integer pixels: a probability, so bits per dimension can be compared. loc and scale are learned on
    levels rescaled to [-1, 1]. Source: Salimans et al., "PixelCNN++" (2017), section 2.1.
    """

    levels: int = 256
    components: int = 1
    loc: AnySource = Local()
    scale: AnySource = Local()
    weights: AnySource = Local()
    links: ClassVar[dict[str, Link]] = {"loc": Identity(), "scale": LogVariance(), "weights": Identity()}
    measurement: ClassVar[Measurement | None] = "ordinal"

    def check(self) -> None:
        if self.levels < 2 or self.components < 1:
            raise SpecError(f"DiscretizedLogistic needs levels >= 2 and components >= 1, not {self}")

    @property
    def top(self) -> float | None:  # type: ignore[override]
        return self.levels - 1.0

    def params(self, event: Shape) -> Needs:
        needs = super().params((self.components, *event))
        if self.components == 1:
            del needs["weights"]
        return needs

    def cell_distribution(self, event: Shape, **values: Tensor) -> Distribution:
        half = (self.levels - 1) / 2
        last = {name: value.movedim(-1 - len(event), -1) for name, value in values.items()}
        loc, scale = half * (last["loc"] + 1), half * last["scale"]
        if self.components == 1:
            return distributions.DiscretizedLogistic(loc[..., 0], scale[..., 0], self.levels)
        each = distributions.DiscretizedLogistic(loc, scale, self.levels)
        return distributions.mixture(last["weights"], each)

    def support_error(self, x: Array) -> Violation | None:
        outside = (x < 0) | (x >= self.levels) | (x != np.floor(x))
        cure = f"Multiply pixels in [0, 1] by {self.levels - 1} and round, or use ContinuousBernoulli()"
        return first_outside(self, x, outside, f"whole numbers 0 to {self.levels - 1}", cure)

    def inputs(self, x: Tensor) -> Tensor:
        return 2 * x / (self.levels - 1) - 1
