"""The full state of a training, to resume it exactly: tensors and numbers. `estimator.saving` writes them."""

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
    """The parts of a trainer that change during training."""

    model: Model
    process: SingleProcess
    update: Update
    adversary: Adversary
    stopping: EarlyStopping
    epoch: int
    data: str


@dataclass(frozen=True)
class Checkpoint:
    """Weights, averages, optimisers, critics and best weights as named tensors; epoch, step, early-stopping
    state and a digest of the data as numbers. The order and the noise of an epoch depend on the seed and
    its number, so no random state is stored."""

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
        """A copy that further training does not change."""
        return Checkpoint({name: t.clone() for name, t in self.tensors.items()}, self.numbers)

    def restore(self, trainer: Resumable) -> None:
        """Set a trainer of the same model to this state."""
        parts = grouped(self.tensors, trainer.process.device)
        trainer.model.load_state_dict(parts["model"])
        trainer.update.restore(parts)
        trainer.adversary.restore(parts)
        trainer.stopping.restore(parts, self.numbers)
        trainer.epoch, trainer.update.step = self.numbers["epoch"], self.numbers["step"]
        trainer.data = self.numbers["data"]
