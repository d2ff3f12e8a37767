"""A training step: from a batch to the gradients of its loss, and the metrics for the epoch."""

import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import reduce
from typing import Protocol

import torch
from torch import Tensor, nn

from ..data.stream import LocalBatch
from ..model.model import Model
from ..objectives import Critic, Term
from ..specs.schedules import Now, clocks, ramps
from .config import Masks, Training
from .distributed import SingleProcess


class Loss:
    """The objective of a batch: its terms on one trace."""

    def __init__(
        self, model: Model, terms: Sequence[Term], critics: Mapping[Critic, nn.Module], training: Training
    ) -> None:
        self.model, self.terms, self.critics, self.training = model, terms, critics, training
        self.draws = max(term.draws for term in terms)
        self.clocks = clocks(model)
        self.schedules = list(dict.fromkeys(ramps([*terms, *self.clocks])))

    @property
    def products(self) -> int:
        """The multiplications of a batch's forward pass, at most."""
        labels = self.model.config.labels
        rows = self.training.batch * self.draws * (labels.n_classes if labels.enumerated else 1)
        return rows * self.model.products

    def __call__(self, x: Tensor, y: Tensor | None, step: Now) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The loss; loss, distortion, rate and each term as metrics; and the codes of each critic."""
        for module in self.clocks:
            module.step = step
        device = self.model.log_prior_y.device.type
        mixed = self.training.precision == "bf16-mixed"
        with torch.autocast(device, torch.bfloat16) if mixed else nullcontext():
            trace = self.model(self.model.observe(self.mask(x)), y, samples=self.draws).with_missing(x)
            trace.critics = self.critics
            each = [term(trace, step) for term in self.terms]
            loss = reduce(torch.add, each)
            with torch.no_grad():
                rate = trace.mean_rate if trace.config.has_density else loss * math.nan
                figures = torch.stack([loss, trace.mean_distortion, rate, *each])
                codes = [term.codes(trace) for term in self.critics]
        return loss, figures, codes

    def mask(self, x: Tensor) -> Tensor:
        """A batch with a part of its cells hidden, as `missing` says."""
        missing = self.training.missing
        if not missing:
            return x
        share = missing.shares(x) if isinstance(missing, Masks) else missing
        return x.masked_fill(torch.rand_like(x) < share, math.nan)


class Step(Protocol):
    """(batch, class numbers, step) -> metrics, and the codes of each critic; gradients are in `.grad`."""

    def __call__(self, batch: LocalBatch, y: Tensor | None, step: int) -> tuple[Tensor, list[Tensor]]: ...


class EagerStep:
    """Eager mode with autograd; each of several processes uses the noise of its own rows."""

    def __init__(self, loss: Loss, parameters: Sequence[Tensor], process: SingleProcess) -> None:
        self.loss, self.parameters, self.process = loss, parameters, process

    def __call__(self, batch: LocalBatch, y: Tensor | None, step: int) -> tuple[Tensor, list[Tensor]]:
        with self.process.noise(batch):
            loss, figures, codes = self.loss(batch.x, y, step)
        self.process.backward(loss, batch, self.parameters)
        return figures, codes
