"""Families over a few values."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Distribution

from .. import distributions
from ..tensors import Shape
from .base import AnySource, Family, Identity, Local, Source, linked


@dataclass(frozen=True, repr=False)
class Bernoulli(Family):
    """P(x = 1) = sigmoid(logit), independent over the event.

    Grey pixels x in [0, 1] have no Bernoulli probability. `grey` says what to make of them:

    - None: refuse them;
    - "expected": x log p + (1 - x) log(1 - p), the sigmoid cross-entropy. It is the expected
      log-probability of an image whose pixels are switched on with probability x, so importance-
      weighted numbers switch them on, at a fixed seed;
    - "sample": switch them on anew at each visit (dynamic binarisation, Burda et al. 2016);
    - "threshold": x > 1/2.
    """

    logit: AnySource = Local()
    grey: Literal["expected", "sample", "threshold"] | None = None

    def params(self, event: Shape) -> dict[str, tuple[Shape, Source]]:
        return {"logit": (event, linked(self.logit, Identity()))}

    def distribution(self, event: Shape, **values: Tensor) -> Distribution:
        pixels = TorchBernoulli(logits=values["logit"], validate_args=False)
        return distributions.event(pixels, len(event))

    def refusal(self, x: np.ndarray[Any, Any]) -> str | None:
        if self.grey is None:
            outside, wanted = (x != 0) & (x != 1), "{0, 1}"
            cure = "Use Bernoulli(grey='expected') for grey pixels or Gaussian() for real numbers"
        else:
            outside, wanted = (x < 0) | (x > 1), "[0, 1]"
            cure = "Divide pixels of 0 to 255 by 255, or use Gaussian() for real numbers"
        if not outside.any():
            return None
        place = np.unravel_index(int(outside.argmax()), x.shape)
        where = f"column {place[1]}" if x.ndim == 2 else f"pixel {tuple(map(int, place[1:]))}"
        value = float(x[place])
        return f"Bernoulli needs values in {wanted}; X has {value:.3g} in row {place[0]}, {where}. {cure}"

    def observe(self, x: Tensor, *, evidence: bool = False, alike: bool = False) -> Tensor:
        if self.grey == "sample" or (self.grey == "expected" and evidence):
            return (torch.rand_like(x[:1] if alike else x) < x).to(x.dtype)
        return (x > 0.5).to(x.dtype) if self.grey == "threshold" else x
