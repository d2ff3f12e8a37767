"""All that a stopped training needs to go on as if it had not stopped: tensors and numbers."""

from dataclasses import dataclass
from typing import Any, Protocol, Self

from torch import Tensor

from ..model.model import Model
from .adversary import Adversary
from .distributed import SingleProcess
from .early_stopping import EarlyStopping
from .state import grouped
from .update import Update


class Resumable(Protocol):
    """What of a trainer changes while it trains."""

    model: Model
    process: SingleProcess
    update: Update
    adversary: Adversary
    stopping: EarlyStopping
    epoch: int
    data: str


@dataclass(frozen=True)
class Checkpoint:
    """Weights, averages, optimisers, critics and best weights as named tensors; epoch, step, what early
    stopping has seen and a digest of the data as numbers. The order and the noise of an epoch come from
    the seed and its number, so no random state is kept."""

    tensors: dict[str, Tensor]
    numbers: dict[str, Any]

    @classmethod
    def of(cls, trainer: Resumable) -> Self:
        best, numbers = trainer.stopping.state()
        weights = {f"model.{name}": t for name, t in trainer.model.state_dict().items()}
        tensors = weights | best | trainer.update.state() | trainer.adversary.state()
        return cls(
            tensors, numbers | {"epoch": trainer.epoch, "step": trainer.update.step, "data": trainer.data}
        )

    def copy(self) -> "Checkpoint":
        """One that training on does not change."""
        return Checkpoint({name: t.clone() for name, t in self.tensors.items()}, self.numbers)

    def restore(self, trainer: Resumable) -> None:
        """Bring a trainer of the same model to where this one stood."""
        parts = grouped(self.tensors, trainer.process.device)
        trainer.model.load_state_dict(parts["model"])
        trainer.update.restore(parts)
        trainer.adversary.restore(parts)
        trainer.stopping.restore(parts, self.numbers)
        trainer.epoch, trainer.update.step = self.numbers["epoch"], self.numbers["step"]
        trainer.data = self.numbers["data"]
