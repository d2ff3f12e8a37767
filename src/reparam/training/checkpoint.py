"""The full state of a training, to resume it exactly: tensors and numbers. `estimator.saving` writes them."""

from dataclasses import asdict, astuple, dataclass, field
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from ..model.model import Model
from .adversary import Adversary
from .distributed import SingleProcess
from .early_stopping import EarlyStopping
from .state import grouped
from .update import Update


class Pause(Protocol):
    """What looks at a training after each step."""

    def wanted(self) -> tuple[bool, bool]:
        """Whether the training is to be saved now, and whether it is to end."""
        ...

    def __call__(self, stop: bool) -> None:
        """Save the training; `stop`: and raise what ends it."""
        ...


class NeverPause:
    """Training runs through."""

    def wanted(self) -> tuple[bool, bool]:
        return False, False

    def __call__(self, stop: bool) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Stop:
    """Where early stopping ended the training on a part of the rows: epochs and steps done, those of the
    best epoch, the number of all rows, over which it goes on, and that of the part, 0 in older files."""

    epoch: int
    step: int
    best_epoch: int
    best_step: int
    rows: int
    part: int = 0


@dataclass
class Position:
    """Where a training is: epochs done, batches done of the next one, and the sums over these.

    `stop`: where early stopping was, once the training goes on over all rows. `random` is the random state
    behind the batches done where the training was resumed and has not yet gone on; while it runs, that is
    torch's own.
    """

    epoch: int = 0
    data: str = ""  # a digest of the training rows
    batches: int = 0
    totals: Tensor = field(default_factory=lambda: torch.zeros(0))  # (processes, sums and rows)
    random: dict[str, Tensor] = field(default_factory=dict)
    stop: Stop | None = None


def random_state(device: torch.device) -> dict[str, Tensor]:
    """The random state of the processor, and of the device."""
    held = {"cpu": torch.get_rng_state()}
    return held | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def set_random_state(held: dict[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(held["cpu"].cpu())
    if device.type == "cuda" and "cuda" in held:
        torch.cuda.set_rng_state(held["cuda"].cpu(), device)


class Resumable(Protocol):
    """The parts of a trainer that change during training."""

    model: Model
    process: SingleProcess
    update: Update
    adversary: Adversary
    stopping: EarlyStopping
    position: Position

    def begin_at(self, stop: Stop) -> None: ...


@dataclass(frozen=True)
class Checkpoint:
    """Weights, averages, optimisers, critics and best weights as named tensors; epoch, step, early-stopping
    state and a digest of the data as numbers. The order and the noise of an epoch depend on the seed and
    its number, so a random state is stored only within an epoch, with its batches done and their sums."""

    tensors: dict[str, Tensor]
    numbers: dict[str, Any]

    @classmethod
    def of(cls, trainer: Resumable) -> Self:
        best, numbers = trainer.stopping.state()
        weights = {f"model.{name}": t for name, t in trainer.model.state_dict().items()}
        tensors = weights | best | trainer.update.state() | trainer.adversary.state()
        at = trainer.position
        numbers |= {"epoch": at.epoch, "step": trainer.update.step, "data": at.data, "batches": at.batches}
        numbers["halvings"] = trainer.update.halvings
        if at.stop:
            numbers["stop"] = asdict(at.stop)
        if at.batches:
            random = at.random or random_state(trainer.process.device)
            tensors |= {"totals.sums": at.totals} | {f"random.{name}": t for name, t in random.items()}
        return cls(tensors, numbers)

    def copy(self) -> "Checkpoint":
        """A copy that further training does not change."""
        return Checkpoint({name: t.clone() for name, t in self.tensors.items()}, self.numbers)

    def restore(self, trainer: Resumable) -> None:
        """Set a trainer of the same model to this state."""
        stop = self._stop()
        if stop and trainer.position.stop is None:
            trainer.begin_at(stop)
        self._check(type(self).of(trainer).tensors, trainer.update.parameters)
        parts = grouped(self.tensors, trainer.process.device)
        trainer.model.load_state_dict(parts["model"])
        trainer.update.restore(parts)
        trainer.adversary.restore(parts)
        trainer.stopping.restore(parts, self.numbers)
        trainer.update.step = self.numbers["step"]
        trainer.update.halvings = self.numbers.get("halvings", 0)
        trainer.position = Position(
            self.numbers["epoch"],
            self.numbers["data"],
            self.numbers.get("batches", 0),
            parts.get("totals", {}).get("sums", torch.zeros(0)),
            parts.get("random", {}),
            stop,
        )

    def _stop(self) -> Stop | None:
        """Where early stopping was; ValueError or TypeError where that is not understood."""
        if "stop" not in self.numbers:
            return None
        stop = Stop(**self.numbers["stop"])
        if any(type(n) is not int or not 0 <= n < 1 << 62 for n in astuple(stop)) or not stop.rows:
            raise ValueError("the place of the stop is not understood")
        return stop

    def _check(self, own: dict[str, Tensor], parameters: list[Tensor]) -> None:
        """ValueError where the state is not one of a trainer whose own tensors are these."""
        for name in ("epoch", "step", "stale_epochs"):
            if type(self.numbers[name]) is not int or not 0 <= self.numbers[name] < 1 << 62:
                raise ValueError(f"{name} is no count")
        if self.numbers.get("halvings", 0) not in range(64):
            raise ValueError("the halvings of the learning rate are not understood")
        batches = self.numbers.get("batches", 0)
        if type(batches) is not int or batches < 0 or not isinstance(self.numbers["data"], str):
            raise ValueError("the place in the epoch is not understood")
        if batches and not {"totals.sums", "random.cpu"} <= self.tensors.keys():
            raise ValueError("the random state is missing")
        best = self.numbers["best"]
        if best is not None and not isinstance(best, float | int):
            raise ValueError("best is no number")
        for name, tensor in self.tensors.items():
            like = own.get(name, own.get(name.replace("best.", "model.", 1)))
            if like is not None and (like.shape != tensor.shape or like.dtype != tensor.dtype):
                raise ValueError(f"{name} has {tensor.dtype} of shape {tuple(tensor.shape)}")
            if name.startswith("optimiser."):
                p = parameters[int(name.split(".")[1])]
                if tensor.dtype != torch.float32 or tensor.shape not in ((), p.shape):
                    raise ValueError(f"{name} has {tensor.dtype} of shape {tuple(tensor.shape)}")
            weights = name.startswith(("model.", "best.", "average."))
            if weights and tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                raise ValueError(f"{name} holds a number that is not finite")
