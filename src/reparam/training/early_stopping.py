"""Early stopping."""

import math
from typing import Any

from torch import Tensor, nn

CHECKED = 20
"""Steps between two checks of the bound, or more."""
RISE = 0.02
"""Nats by which the bound must rise within the patience."""


class EarlyStopping:
    """Training stops when the bound has risen by RISE or less in `patience` epochs; the best epoch's weights
    are kept.

    Epochs count from step `settled` on, when the schedules of the objective have ended. With patience None
    it does nothing.
    """

    def __init__(self, patience: int | None, settled: int = 0) -> None:
        self.patience, self.settled, self.interval = patience, settled, 1
        self.best, self.best_epoch, self.best_step, self.stale_epochs = -math.inf, 0, 0, 0
        self.best_weights: dict[str, Tensor] = {}
        self.passed = -math.inf
        """The bound from which the next rise counts."""

    @property
    def exhausted(self) -> bool:
        return self.patience is not None and self.stale_epochs >= self.patience

    def check_every(self, steps: int) -> None:
        """Epochs of so few steps that the bound costs more than they do are not each checked."""
        self.interval = min(math.ceil(CHECKED / steps), max(1, (self.patience or 0) // 5))

    def due(self, epoch: int, epochs: int) -> bool:
        """Whether the bound is computed after this epoch of so many."""
        return epoch % self.interval == 0 or epoch == epochs

    def record(self, bound: float, model: nn.Module, epoch: int, step: int) -> None:
        """Record the bound and the weights of a model after that many epochs and steps."""
        if self.patience is None:
            return
        if bound > self.best:
            self.best, self.best_epoch, self.best_step = bound, epoch, step
            self.best_weights = {name: t.detach().clone() for name, t in model.state_dict().items()}
        if bound > self.passed + RISE:
            self.passed, self.stale_epochs = bound, 0
        elif step >= self.settled:
            self.stale_epochs += self.interval

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        best, passed = (bound if math.isfinite(bound) else None for bound in (self.best, self.passed))
        tensors = {f"best.{name}": t for name, t in self.best_weights.items()}
        numbers = {name: getattr(self, name) for name in ("stale_epochs", "best_epoch", "best_step")}
        return tensors, numbers | {"best": best, "passed": passed}

    def restore(self, parts: dict[str, dict[str, Tensor]], numbers: dict[str, Any]) -> None:
        self.best_weights, self.stale_epochs = parts.get("best", {}), numbers["stale_epochs"]
        self.best = -math.inf if numbers["best"] is None else numbers["best"]
        passed = numbers.get("passed", numbers["best"])
        self.passed = -math.inf if passed is None else passed
        self.best_epoch, self.best_step = numbers.get("best_epoch", 0), numbers.get("best_step", 0)
