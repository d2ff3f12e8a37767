"""Early stopping."""

import copy
import math
from typing import Any

from torch import Tensor, nn


class EarlyStopping:
    """Training stops when the bound has not risen for `patience` epochs; the best epoch's weights are kept.

    With patience None it does nothing.
    """

    def __init__(self, patience: int | None) -> None:
        self.patience, self.best, self.stale_epochs = patience, -math.inf, 0
        self.best_weights: dict[str, Tensor] = {}

    @property
    def exhausted(self) -> bool:
        return self.patience is not None and self.stale_epochs >= self.patience

    def record(self, bound: float, model: nn.Module) -> None:
        """Record an epoch's bound and its model."""
        if self.patience is None:
            return
        self.stale_epochs = 0 if bound > self.best else self.stale_epochs + 1
        if bound > self.best:
            self.best, self.best_weights = bound, copy.deepcopy(model.state_dict())

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        best = self.best if math.isfinite(self.best) else None
        tensors = {f"best.{name}": t for name, t in self.best_weights.items()}
        return tensors, {"stale_epochs": self.stale_epochs, "best": best}

    def restore(self, parts: dict[str, dict[str, Tensor]], numbers: dict[str, Any]) -> None:
        self.best_weights, self.stale_epochs = parts.get("best", {}), numbers["stale_epochs"]
        self.best = -math.inf if numbers["best"] is None else numbers["best"]
