"""The last good state of a training, to which it returns when its loss becomes non-finite."""

import warnings
from typing import TYPE_CHECKING

from ..data.batching import Rows
from ..data.stream import LocalBatch
from ..errors import DivergedError
from .checkpoint import Checkpoint
from .divergence import diagnose_divergence

if TYPE_CHECKING:
    from .trainer import Trainer

HALVINGS = 3
"""How often a training that diverges goes back, with half the learning rate each time."""
BETWEEN = 20
"""Steps between two copies of the training state, or more: a copy costs about as much as a step."""


class Rollback:
    """A copy of the state of a training at the start of an epoch, at most BETWEEN steps and an epoch ago."""

    def __init__(self, trainer: "Trainer") -> None:
        self.trainer, self.state = trainer, Checkpoint.of(trainer).copy()

    def keep(self) -> None:
        """Copy the state where the last copy is old and all weights are finite."""
        due = self.trainer.update.step >= self.state.numbers["step"] + BETWEEN
        if due and self.trainer.is_sound():
            self.state = Checkpoint.of(self.trainer).copy()

    def restore(self) -> None:
        """Set the trainer to the state, which later steps do not change."""
        self.state.copy().restore(self.trainer)

    def diverged(self, data: Rows, loss: float) -> None:
        """Return with half the learning rate, after an epoch with that loss; DivergedError after HALVINGS."""
        trainer, epoch, halvings = self.trainer, self.trainer.epoch, self.trainer.update.halvings
        if halvings >= HALVINGS:
            raise DivergedError(
                f"the loss is {loss} after epoch {epoch}{self._diagnosis(data)}. It was tried "
                f"{HALVINGS + 1} times, with half the learning rate each time; it is "
                f"{trainer.training.learning_rate} at first"
            )
        self.restore()
        trainer.update.halvings = halvings + 1
        warnings.warn(
            f"the loss becomes {loss} in epoch {epoch}: training goes on from the start of epoch "
            f"{trainer.epoch + 1} with half the learning rate",
            stacklevel=4,
        )

    def _diagnosis(self, data: Rows) -> str:
        """Repeat the last epochs and check every batch: where do the numbers become non-finite?"""
        trainer, found = self.trainer, ""
        last, halvings = trainer.epoch, trainer.update.halvings
        self.restore()
        trainer.update.halvings = halvings
        start = {name: t.clone() for name, t in trainer.model.state_dict().items()}

        def is_finite(batch: LocalBatch) -> bool:
            """Whether a batch has a finite loss and gradient with the weights of the state."""
            trainer.model.load_state_dict(start)
            labels = None if data[1] is None else data[1][batch.rows]
            figures, _ = trainer.step(batch, labels, trainer.update.step)
            slopes = [p.grad for p in trainer.update.parameters if p.grad is not None]
            return bool(figures[0].isfinite()) and all(bool(slope.isfinite().all()) for slope in slopes)

        while not found and trainer.epoch < last:
            with trainer.noise():
                found = diagnose_divergence(trainer.model, trainer.steps(data), data[1], is_finite)
            trainer.next_epoch()
        return found or ". Lower learning_rate, or set clip"
