"""A training step as one graph of tensor operations, which torch compiles as a whole.

The step runs once while the operations of the loss and of its gradients are traced. Modules, distributions,
autograd and Python control flow are not part of the graph. Random numbers are drawn by the same operations
in the same order, so the noise is that of the eager step.
"""

import logging
import math
import platform
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ..data.stream import LocalBatch
from ..errors import SpecError
from ..model.trace import Trace
from ..specs.schedules import Ramp, clocks, ramps
from .distributed import SingleProcess
from .step import Loss, Step

Scored = Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor]]
"""(x, y) -> the loss of a batch, and its metrics."""
PAYS = 8_000
"""Steps of a plan that pay for compilation, where nothing is said."""
FEW_EPOCHS = 50
"""The most epochs of a plan with early stopping that is taken to be carried out whole."""
LARGEST = 600
"""Operations of a graph that takes longer to compile than most trainings take."""
X86 = ("x86_64", "AMD64")
"""Machines whose instructions torch knows from the processor, without trial compilations."""


class CompiledStep:
    """A compiled step for batches of full size, once no schedule changes; other steps run eagerly.

    `asked`: SpecError for what cannot be compiled; else all steps of it run eagerly.
    """

    def __init__(self, loss: Loss, eager: Step, process: SingleProcess, asked: bool = True) -> None:
        if asked and (why := obstacle(loss, process)):
            raise SpecError(why)
        self.eager, self.batch_size, self.asked, self.fails = eager, loss.training.batch, asked, False
        self.settled = max((ramp.steps for ramp in moving(loss)), default=0)
        most = math.inf if asked else LARGEST
        self.operations = Operations(loss.model, lambda x, y: loss(x, y, self.settled)[:2], most)

    def __call__(self, batch: LocalBatch, y: Tensor | None, step: int) -> tuple[Tensor, Trace | None]:
        if self.fails or step < self.settled or len(batch.x) != self.batch_size:
            return self.eager(batch, y, step)
        first = self.operations.run is None
        try:
            return self.operations(batch.x, y), None
        except Exception as error:
            if self.asked or not first:
                raise
            logging.getLogger("reparam").info("the step is not compiled: %s", error)
            self.fails = True
            return self.eager(batch, y, step)


def moving(loss: Loss) -> list[Ramp]:
    """The schedules of the objective and of the model."""
    return ramps([*loss.terms, *clocks(loss.model)])


def obstacle(loss: Loss, process: SingleProcess) -> str | None:
    """Why the step cannot be compiled."""
    if process.size > 1:
        return "Training.compile is for one process: leave it out, or start without torchrun"
    if bad := [*loss.critics, *(ramp for ramp in moving(loss) if not ramp.settles)]:
        return (
            f"Training.compile with {bad[0]}: schedules without an end would be compiled at each step, "
            "and critics are trained separately. Leave compile out"
        )
    return None


def pays(loss: Loss, process: SingleProcess, n: int) -> bool:
    """Whether to compile where nothing is said, for n rows: on a processor, where many steps are planned and
    will probably be taken, of a network without convolutions, which compilation makes no faster. By the plan
    alone, so that a seed gives the same numbers."""
    model, training, epochs = loss.model, loss.training, loss.training.epochs or 0
    many = epochs * math.ceil(n / training.batch) >= PAYS
    likely = training.patience is None or epochs <= FEW_EPOCHS
    dense = all(p.dim() <= 2 for p in model.parameters()) and not model.likelihood.family.by_column
    return many and likely and dense and process.device.type == "cpu" and not obstacle(loss, process)


class Scoring(nn.Module):
    """`scored` as a function of the model's tensors."""

    def __init__(self, model: nn.Module, scored: Scored) -> None:
        super().__init__()
        self.model, self.scored = model, scored

    def forward(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        return self.scored(x, y)


class Operations:
    """(x, y) -> metrics of a batch of fixed size; gradients are in `.grad`.

    `largest`: SpecError where the graph has more operations.
    """

    def __init__(self, model: nn.Module, scored: Scored, largest: float = math.inf) -> None:
        self.largest = largest
        self.scoring = Scoring(model, scored)
        parameters = dict(self.scoring.named_parameters())
        self.learned = {name: p for name, p in parameters.items() if p.requires_grad and p.numel()}
        self.tensors = parameters | dict(self.scoring.named_buffers())
        self.run: Callable[..., Any] | None = None

    def __call__(self, x: Tensor, y: Tensor | None) -> Tensor:
        batch = (x,) if y is None else (x, y)
        with torch.no_grad():
            if self.run is None:
                devices = ["cuda"] if x.is_cuda else []
                with torch.random.fork_rng(devices):  # a resumed training traces at another step
                    self.run = self._compiled(*batch)
            figures, *gradients = self.run(*self.tensors.values(), *batch)
        for p, gradient in zip(self.learned.values(), gradients, strict=True):
            p.grad = gradient
        return figures  # type: ignore[no-any-return]

    @torch.enable_grad()
    def _compiled(self, *batch: Tensor) -> Callable[..., Any]:
        """The compiled graph; on a GPU as CUDA graphs, which read weights at fixed addresses."""
        from torch.fx.experimental.proxy_tensor import make_fx

        cuda = batch[0].is_cuda
        for tensor in self.tensors.values() if cuda else ():
            torch._dynamo.mark_static_address(tensor)
        try:
            listed = make_fx(self._step, tracing_mode="fake")(*self.tensors.values(), *batch)
        except RuntimeError as error:
            why = str(error).strip().partition("\n")[0]
            raise SpecError(f"Training.compile cannot trace this step: {why}. Leave it out") from error
        if (found := len(listed.graph.nodes)) > self.largest:
            raise SpecError(f"{found} operations, where {self.largest} take as long as compiling is worth")
        options: dict[str, Any] = {"fallback_random": True, "triton.cudagraphs": cuda}
        if platform.machine() in X86:
            options["cpp.vec_isa_ok"] = True
        return torch.compile(listed, fullgraph=True, dynamic=False, options=options)

    def _step(self, *tensors: Tensor) -> tuple[Tensor | None, ...]:
        """Metrics, and the gradient of each parameter."""
        own, batch = tensors[: len(self.tensors)], tensors[len(self.tensors) :]
        x, y = (*batch, None)[:2]
        named = dict(zip(self.tensors, own, strict=True))
        loss, figures = functional_call(self.scoring, named, (x, y))
        learned = [named[name] for name in self.learned]
        gradients = torch.autograd.grad(loss, learned, allow_unused=True)
        return figures, *(
            g if g is None else with_strides_of(p, g) for p, g in zip(learned, gradients, strict=True)
        )


def with_strides_of(p: Tensor, x: Tensor) -> Tensor:
    """x with the strides of p: fused optimisers pair numbers by memory position."""
    return x if x.stride() == p.stride() else torch.empty_like(p).copy_(x)
