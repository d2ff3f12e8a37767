"""A training step as one graph of tensor operations, which torch compiles as a whole.

The step runs once while the operations of the loss and of its gradients are traced. Modules, distributions,
autograd and Python control flow are not part of the graph. Random numbers are drawn by the same operations
in the same order, so the noise is that of the eager step.
"""

import logging
import math
import platform
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ..data.stream import LocalBatch
from ..errors import SpecError
from .distributed import SingleProcess
from .step import Loss, Step

Scored = Callable[..., tuple[Tensor, ...]]
"""Tensors -> the loss of a batch, and what else is computed of it."""
PAYS = 8_000
"""Steps of a plan that pay for compilation, where nothing is said."""
FEW_EPOCHS = 50
"""The most epochs of a plan with early stopping that is taken to be carried out whole."""
LARGEST = 600
"""Operations of a graph that takes longer to compile than most trainings take."""
X86 = ("x86_64", "AMD64")
"""Machines whose instructions torch knows from the processor, without trial compilations."""


class CompiledStep:
    """A compiled step for batches of full size; other steps run eagerly. The values of schedules are inputs.

    `asked`: SpecError for what cannot be compiled; else all steps of it run eagerly.
    """

    def __init__(self, loss: Loss, eager: Step, process: SingleProcess, asked: bool = True) -> None:
        if asked and process.size > 1:
            raise SpecError("Training.compile is for one process: leave it out, or start without torchrun")
        self.loss, self.eager, self.asked, self.fails = loss, eager, asked, False
        most = math.inf if asked else LARGEST
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


def pays(loss: Loss, process: SingleProcess, n: int) -> bool:
    """Whether to compile where nothing is said, for n rows: on a processor, where many steps are planned and
    will probably be taken, of a network without convolutions, which compilation makes no faster. By the plan
    alone, so that a seed gives the same numbers."""
    model, training, epochs = loss.model, loss.training, loss.training.epochs or 0
    many = epochs * math.ceil(n / training.batch) >= PAYS
    likely = training.patience is None or epochs <= FEW_EPOCHS
    dense = all(p.dim() <= 2 for p in model.parameters()) and not model.likelihood.family.by_column
    return many and likely and dense and process.device.type == "cpu" and process.size == 1


class Scoring(nn.Module):
    """`scored` as a function of the tensors of the model and of other networks."""

    def __init__(self, model: nn.Module, scored: Scored, others: Iterable[nn.Module]) -> None:
        super().__init__()
        self.model, self.scored, self.others = model, scored, nn.ModuleList(others)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return self.scored(*inputs)


class Operations:
    """Tensors -> what `scored` gives beside the loss, for a batch of fixed size; the gradients of the model's
    parameters are in `.grad`.

    `largest`: SpecError where the graph has more operations. `others`: networks that are read too.
    """

    def __init__(
        self, model: nn.Module, scored: Scored, largest: float = math.inf, others: Iterable[nn.Module] = ()
    ) -> None:
        self.largest = largest
        self.scoring = Scoring(model, scored, others)
        parameters = dict(self.scoring.named_parameters())
        own = (f"model.{name}" for name, p in model.named_parameters() if p.requires_grad and p.numel())
        self.learned = {name: parameters[name] for name in own}
        self.tensors = parameters | dict(self.scoring.named_buffers())
        self.run: Callable[..., Any] | None = None

    def __call__(self, *batch: Tensor) -> list[Tensor]:
        with torch.no_grad():
            if self.run is None:
                devices = ["cuda"] if batch[0].is_cuda else []
                with torch.random.fork_rng(devices):  # a resumed training traces at another step
                    self.run = self._compiled(*batch)
            found = self.run(*self.tensors.values(), *batch)
        n = len(self.learned)
        for p, gradient in zip(self.learned.values(), found[:n], strict=True):
            p.grad = gradient
        return list(found[n:])

    @torch.enable_grad()
    def _compiled(self, *batch: Tensor) -> Callable[..., Any]:
        """The compiled graph; on a GPU as CUDA graphs, which read weights at fixed addresses."""
        from torch.fx.experimental.proxy_tensor import make_fx

        cuda = batch[0].is_cuda
        for tensor in self.tensors.values() if cuda else ():
            torch._dynamo.mark_static_address(tensor)
        try:
            listed = make_fx(self._step, tracing_mode="fake")(*self.tensors.values(), *batch)
        except (RuntimeError, TypeError) as error:
            why = str(error).strip().partition("\n")[0]
            raise SpecError(f"Training.compile cannot trace this step: {why}. Leave it out") from error
        if (found := len(listed.graph.nodes)) > self.largest:
            raise SpecError(f"{found} operations, where {self.largest} take as long as compiling is worth")
        options: dict[str, Any] = {"fallback_random": True, "triton.cudagraphs": cuda}
        if platform.machine() in X86:
            options["cpp.vec_isa_ok"] = True
        return torch.compile(listed, fullgraph=True, dynamic=False, options=options)

    def _step(self, *tensors: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of each parameter, and what is computed beside the loss."""
        own, batch = tensors[: len(self.tensors)], tensors[len(self.tensors) :]
        named = dict(zip(self.tensors, own, strict=True))
        loss, *figures = functional_call(self.scoring, named, batch)
        learned = [named[name] for name in self.learned]
        gradients = torch.autograd.grad(loss, learned, allow_unused=True)
        pairs = zip(learned, gradients, strict=True)
        return *(g if g is None else with_strides_of(p, g) for p, g in pairs), *figures


def with_strides_of(p: Tensor, x: Tensor) -> Tensor:
    """x with the strides of p: fused optimisers pair numbers by memory position."""
    return x if x.stride() == p.stride() else torch.empty_like(p).copy_(x)
