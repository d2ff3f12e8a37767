"""An optimiser step with clipping, learning rate, and the average of weights."""

import torch
from torch import Tensor

from .config import Training
from .optimisers import clip
from .state import load_slots, slots

Tensors = dict[str, Tensor]


class Update:
    """An optimiser step as set in `Training`, whose schedules begin at step `start`. `halvings`: how often
    the learning rate was halved because training diverged."""

    def __init__(self, parameters: list[Tensor], training: Training, start: int = 0) -> None:
        self.parameters, self.training, self.start, self.step = parameters, training, start, start
        self.rate, self.halvings = training.rate(0, 0), 0
        self.optimiser = training.optimiser.build(parameters)
        self.average = [p.detach().clone() for p in parameters] if training.ema else []

    @torch.no_grad()
    def __call__(self, epoch: int) -> bool:
        """Update the parameters; False where the step is skipped."""
        training = self.training
        self.rate = training.rate(self.step - self.start, epoch) * 0.5**self.halvings
        self.step += 1
        if training.clip is not None or training.skip is not None:
            norm = clip(self.parameters, training.clip)
            if training.skip is not None and not float(norm) <= training.skip:
                return False
        self.optimiser.step(self.rate)
        if training.ema is not None:
            done = self.step - self.start
            ema = min(training.ema, (1 + done) / (10 + done))
            torch._foreach_lerp_(self.average, self.parameters, 1 - ema)
        return True

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange weights and their running average."""
        for p, mean in zip(self.parameters, self.average, strict=False):
            held = p.clone()
            p.copy_(mean)
            mean.copy_(held)

    def state(self) -> Tensors:
        averages = {f"average.{i}": t for i, t in enumerate(self.average)}
        return averages | slots("optimiser", self.optimiser)

    def restore(self, parts: dict[str, Tensors]) -> None:
        self.average = [parts["average"][str(i)] for i in range(len(self.average))]
        load_slots(self.optimiser, parts.get("optimiser", {}))
