"""A training step, loss and gradients, as one graph of tensor operations (`reparam.compilation`)."""

import logging
import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from ..compilation.recorded import LARGEST, Recorded, is_known
from ..data.stream import LocalBatch
from ..errors import SpecError
from .distributed import SingleProcess
from .precision import Precision
from .step import Loss, Step

Scored = Callable[..., tuple[Tensor, ...]]
"""Tensors -> the loss of a batch, and what else is computed of it."""
PAYS, TABLE_PAYS = 10_000, 8_000
"""Steps of a plan that pay for compilation, where nothing is said: those of a table are a thousand operations
on few numbers, of which a compiled step leaves half the time."""
LARGEST_OF_TABLES = 2_000
"""`LARGEST` for tables: what takes longer to compile also gains more."""
MANY_ROWS = 25_000
"""From so many rows on early stopping leaves most of the planned steps."""


class CompiledStep:
    """A compiled step for batches of full size; other steps run eagerly. The values of schedules are inputs.

    `asked`: SpecError for what cannot be compiled; else all steps of it run eagerly.
    """

    def __init__(self, loss: Loss, eager: Step, process: SingleProcess, asked: bool = True) -> None:
        if asked and process.size > 1:
            raise SpecError("Training.compile is for one process: leave it out, or start without torchrun")
        self.loss, self.eager, self.asked, self.fails = loss, eager, asked, False
        table = loss.model.likelihood.family.by_column
        most = math.inf if asked else (LARGEST_OF_TABLES if table else LARGEST)
        self.operations = Operations(loss.model, self._scored, most, loss.critics.values())

    def __call__(self, batch: LocalBatch, y: Tensor | None, step: int) -> tuple[Tensor, list[Tensor]]:
        if self.fails or len(batch.x) != self.loss.training.batch:
            return self.eager(batch, y, step)
        first = self.operations.run is None
        values = torch.tensor([ramp(step) for ramp in self.loss.schedules], device=batch.x.device)
        try:
            figures, *codes = self.operations(batch.x, values, *([] if y is None else [y]))
            return figures, codes
        except Exception as error:
            if self.asked or not first:
                raise
            logging.getLogger("reparam").info("the step is not compiled: %s", error)
            self.fails = True
            return self.eager(batch, y, step)

    def _scored(self, x: Tensor, values: Tensor, y: Tensor | None = None) -> tuple[Tensor, ...]:
        """The loss, its metrics and the codes of each critic, with schedules at these values."""
        loss, figures, codes = self.loss(x, y, dict(zip(self.loss.schedules, values.unbind(), strict=True)))
        for module in self.loss.clocks:
            module.step = 0  # the values are those of the graph
        return loss, figures, *codes


def pays(loss: Loss, process: SingleProcess, n: int, precision: Precision | None) -> bool:
    """Whether to compile where nothing is said, for n rows: on a processor, where many steps are planned and
    will probably be taken, of a network that compilation makes faster, as it does convolutions only where
    they are rounded, without parts of the user's own. By the plan alone, so that a seed gives the same
    numbers."""
    model, training, epochs = loss.model, loss.training, loss.training.epochs or 0
    least = TABLE_PAYS if model.likelihood.family.by_column else PAYS
    many = epochs * math.ceil(n / training.batch) >= least
    likely = training.patience is None or n >= MANY_ROWS
    faster = precision == "medium" or all(p.dim() <= 2 for p in model.parameters())
    able = process.device.type == "cpu" and process.size == 1
    return many and likely and faster and able and is_known(model, model.config, *loss.terms)


class Operations(Recorded):
    """Tensors -> what `scored` gives beside the loss, for a batch of fixed size; the gradients of the model's
    parameters are in `.grad`.

    `others`: networks that are read too.
    """

    def __init__(
        self, model: nn.Module, scored: Scored, largest: float = math.inf, others: Iterable[nn.Module] = ()
    ) -> None:
        super().__init__(scored, (model, *others), largest)
        kept = {id(p) for p in model.parameters() if p.requires_grad and p.numel()}
        self.learned = {name: p for name, p in self.tensors.items() if id(p) in kept}

    def __call__(self, *batch: Tensor) -> list[Tensor]:
        try:
            found = super().__call__(*batch)
        except SpecError as error:
            raise SpecError(f"Training.compile cannot compile this step: {error}. Leave it out") from error
        n = len(self.learned)
        for p, gradient in zip(self.learned.values(), found[:n], strict=True):
            p.grad = gradient
        return found[n:]

    def outputs(self, own: dict[str, Tensor], inputs: tuple[Tensor, ...]) -> tuple[Tensor | None, ...]:
        """The gradient of each parameter, and what is computed beside the loss."""
        loss, *figures = self.called_with(own, inputs)
        learned = [own[name] for name in self.learned]
        gradients = torch.autograd.grad(loss, learned, allow_unused=True)
        pairs = zip(learned, gradients, strict=True)
        return *(g if g is None else with_strides_of(p, g) for p, g in pairs), *figures


def with_strides_of(p: Tensor, x: Tensor) -> Tensor:
    """x with the strides of p: fused optimisers pair numbers by memory position."""
    return x if x.stride() == p.stride() else torch.empty_like(p).copy_(x)
