"""Training is a generator: each epoch ends with a `Progress`, and whoever listens iterates.

Data stay on the device, a batch is gathered by index, and nothing in an epoch waits for the device.
The order of rows and the noise come from the seed and the epoch, so a stopped training goes on as if
it had not stopped, and a listener's own random numbers change nothing.
"""

import copy
import math
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from ..data.batching import shuffled
from ..data.stream import LocalBatch
from ..errors import DivergedError, SpecError
from ..model.model import Model, Trace
from ..objectives import ELBO, Critic, Term
from ..specs.schedules import Clocked, Ramp, at
from ..tensors import Rowwise, finite, random_from
from .config import Adam, Training
from .distributed import MultiProcess, SharedNoise, SingleProcess, launched
from .divergence import diagnose_divergence

MONITORED = 1000
"""Rows whose bound is taken at once, and at most so many at the end of an epoch where a classifier makes the
bound dearer than the loss."""


@dataclass(frozen=True)
class Progress:
    """One epoch, in nats per datum; means over its batches, `validation` the held-out bound."""

    epoch: int
    epochs: int
    step: int
    loss: float
    bound: float | None
    rate: float | None
    distortion: float
    terms: dict[str, float]
    validation: float | None
    seconds: float

    def row(self) -> dict[str, Any]:
        return finite(asdict(self))  # type: ignore[no-any-return]


Rows = tuple[Rowwise, Tensor | None]


class Trainer:
    """The state of a training: model, optimiser and the epoch it stands at."""

    def __init__(self, model: Model, terms: tuple[Term, ...], training: Training, seed: int) -> None:
        self.model, self.terms, self.training, self.seed = model, terms, training, seed
        self.device = training.resolved_device()
        self.processes: SingleProcess = launched(training.devices, self.device.type)
        if isinstance(self.processes, MultiProcess):
            self.device = self.processes.device
        self.model.to(self.device)
        self.parameters: list[Tensor] = [p for p in model.parameters() if p.numel()]
        self.optimiser = training.optimiser.build(self.parameters, at(training.learning_rate, 0))
        self.own = next(term for term in terms if term.is_bound)
        self.samples = max(term.draws for term in terms)
        self.critics = {
            term: term.build(model.config).to(self.device) for term in terms if isinstance(term, Critic)
        }
        self.teachers = {
            term: Adam(0.5, 0.9).build(list(net.parameters()), term.learning_rate)
            for term, net in self.critics.items()
        }
        self.average = [p.detach().clone() for p in self.parameters] if training.ema else []
        self.clocked = [module for module in model.modules() if isinstance(module, Clocked)]
        parts: list[object] = [*terms, *self.clocked]
        self.ramps = [v for part in parts for v in vars(part).values() if isinstance(v, Ramp)]
        self.recorded = self._recorded() if training.compile else None
        self.epoch = self.step = self.waited = 0
        self.data = ""
        self.best, self.kept = -math.inf, dict[str, Tensor]()

    def _recorded(self) -> Any:
        """`_learn`, compiled; SpecError where it is not the same operations at every step."""
        from .compiled_step import CompiledStep

        if self.processes.size > 1:
            raise SpecError("Training.compile is for one process: leave it out, or start without torchrun")
        if odd := [*self.critics, *(ramp for ramp in self.ramps if not ramp.settles)]:
            raise SpecError(
                f"Training.compile with {odd[0]}: what changes at each step would be compiled at each step, "
                "and critics learn beside it. Leave compile out"
            )
        recorded = CompiledStep(self.model, lambda x, y: self._see(x, y)[:2])
        return lambda _, x, y: (recorded(x, y), None)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that a stopped training needs to go on as if it had not stopped: tensors and numbers."""
        tensors = {f"model.{name}": t for name, t in self.model.state_dict().items()}
        tensors |= {f"kept.{name}": t for name, t in self.kept.items()}
        tensors |= {f"average.{i}": t for i, t in enumerate(self.average)}
        for part, optimiser in self._optimisers().items():
            for i, slots in optimiser.state_dict()["state"].items():
                tensors |= {f"{part}.{i}.{name}": t for name, t in slots.items()}
        for j, net in enumerate(self.critics.values()):
            tensors |= {f"critic{j}.{name}": t for name, t in net.state_dict().items()}
        best = self.best if math.isfinite(self.best) else None
        return tensors, {
            "epoch": self.epoch,
            "step": self.step,
            "waited": self.waited,
            "best": best,
            "data": self.data,
        }

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        """Undo `state`."""
        parts: dict[str, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts.setdefault(part, {})[rest] = tensor.to(self.device)
        self.model.load_state_dict(parts["model"])
        self.kept = parts.get("kept", {})
        self.average = [parts["average"][str(i)] for i in range(len(self.average))]
        for j, net in enumerate(self.critics.values()):
            net.load_state_dict(parts[f"critic{j}"])
        for part, optimiser in self._optimisers().items():
            slots: dict[int, dict[str, Tensor]] = {}
            for name, tensor in parts.get(part, {}).items():
                i, _, slot = name.partition(".")
                slots.setdefault(int(i), {})[slot] = tensor
            groups = optimiser.state_dict()["param_groups"]
            optimiser.load_state_dict({"state": slots, "param_groups": groups})
        self.epoch, self.step, self.waited = numbers["epoch"], numbers["step"], numbers["waited"]
        self.data = numbers["data"]
        self.best = -math.inf if numbers["best"] is None else numbers["best"]

    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {"optimiser": self.optimiser} | {
            f"teacher{j}": t for j, t in enumerate(self.teachers.values())
        }

    def run(self, data: Rows, held: Rows | None = None) -> Iterator[Progress]:
        """Train to the last epoch, a Progress at each epoch's end; the best weights win with patience."""
        n, start = len(data[0]), time.monotonic()
        self.model.n_data = n
        seen = f"{n} rows, {zlib.crc32(data[0][:MONITORED].cpu().numpy().tobytes()):08x}"
        epochs, patience = self.training.resolved_epochs(n), self.training.patience
        if self.data not in ("", seen):
            raise SpecError("the stopped training saw other data: name its data, or start anew")
        if self.epoch > epochs:
            raise SpecError(f"{self.epoch} epochs are done: ask for as many epochs or more, or start anew")
        self.data = seen
        data, held = self._placed(data), self._placed(held) if held else None
        few = min(MONITORED, max(100, n // 20))
        monitored = held or (data[0][:few], None if data[1] is None else data[1][:few])
        while self.epoch < epochs and (patience is None or self.waited < patience):
            before = self._copied()
            with self._drawing():
                try:
                    means = self._epoch(*data)
                except KeyboardInterrupt:
                    self.restore(*before)
                    raise
            self.epoch += 1
            loss, distortion, rate, *each = means.tolist()
            if not math.isfinite(loss):
                raise DivergedError(
                    f"the loss is {loss} after epoch {self.epoch}{self._autopsy(before, *data)}. Lower "
                    f"learning_rate (it is {self.training.learning_rate}), set clip, or mend the data"
                )
            names = [type(term).__name__ for term in self.terms]
            self._swap()
            reached = -distortion - rate if isinstance(self.own, ELBO) else -each[self.terms.index(self.own)]
            bound = self._bound(*monitored) if held or self.model.classifier else reached
            rated = not math.isnan(rate)
            if patience is not None:
                self.waited = 0 if bound > self.best else self.waited + 1
                if bound > self.best:
                    self.best, self.kept = bound, copy.deepcopy(self.model.state_dict())
            self._swap()
            yield Progress(
                epoch=self.epoch,
                epochs=epochs,
                step=self.step,
                loss=loss,
                bound=(bound if self.model.classifier else reached) if rated else None,
                rate=rate if rated else None,
                distortion=distortion,
                terms=dict(zip(names, each, strict=True)),
                validation=bound if held and rated else None,
                seconds=time.monotonic() - start,
            )

    def settle(self) -> None:
        """Training is over: the best epoch's weights, or the averaged ones, are the model's."""
        if self.kept:
            self.model.load_state_dict(self.kept)
        elif self.average:
            self._swap()

    def _drawing(self) -> AbstractContextManager[None]:
        """Random numbers of the epoch that comes."""
        return random_from(self.seed * 1_000_003 + self.epoch)

    def _copied(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors, numbers = self.state()
        return {name: t.clone() for name, t in tensors.items()}, numbers

    def _autopsy(self, before: tuple[dict[str, Tensor], dict[str, Any]], x: Rowwise, y: Tensor | None) -> str:
        """The epoch once more, now looking at every batch: which one broke, and where."""
        self.restore(*before)
        with self._drawing():
            return diagnose_divergence(self.model, self._steps(x, y), y)

    @torch.no_grad()
    def _swap(self) -> None:
        """Weights and their running average change places."""
        for p, mean in zip(self.parameters, self.average, strict=False):
            held = p.clone()
            p.copy_(mean)
            mean.copy_(held)

    def _placed(self, rows: Rows) -> Rows:
        x, y = rows
        return x.to(self.device), y if y is None else y.to(self.device)

    def _epoch(self, x: Rowwise, y: Tensor | None) -> Tensor:
        """One pass; returns the means of loss, distortion, rate and each term, still on the device; without
        the rows of steps that were skipped because they overflowed."""
        totals, rows = torch.zeros(3 + len(self.terms), device=self.device), 0
        for share, numbers, taken in self._steps(x, y):
            if taken or numbers[0].isfinite():
                totals += numbers * share.n
                rows += share.n
        found = self.processes.total(torch.cat([totals, totals.new_tensor([rows])]))
        return found[:-1] / found[-1]

    def _steps(self, x: Rowwise, y: Tensor | None) -> Iterator[tuple[LocalBatch, Tensor, bool]]:
        """Step after step: the rows of the batch, its loss, distortion, rate and each term, and whether the
        step was taken."""
        self.model.train()
        ranks, settled = self.processes.size, max((ramp.steps for ramp in self.ramps), default=0)
        for share in shuffled(x, self.training.batch_size, self.processes.rank, ranks, self.device):
            for module in self.clocked:
                module.step = self.step
            batch = share.x, None if y is None else y[share.rows]
            usual = self.step >= settled and len(share.x) == self.training.batch_size
            learn = self.recorded if self.recorded and usual else self._learn
            figures, trace = learn(share, *batch)
            taken = self._step()
            for term, teacher in self.teachers.items():
                self._descend(term.critic_loss(trace), share, teacher, self.critics[term].parameters())
                teacher.step()
            if ranks > 1:
                self.processes.agree(self.model.buffers())
            yield share, figures, taken

    def _learn(self, share: LocalBatch, x: Tensor, y: Tensor | None) -> tuple[Tensor, Trace]:
        """The gradients of a batch's loss; its figures, and the trace."""
        with SharedNoise(share) if self.processes.size > 1 else nullcontext():
            loss, figures, trace = self._see(x, y)
        self._descend(loss, share, self.optimiser, self.parameters)
        return figures, trace

    def _see(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor, Trace]:
        """The loss of a batch; loss, distortion, rate and each term for the record; and the trace."""
        mixed = self.training.precision == "bf16-mixed"
        with torch.autocast(self.device.type, torch.bfloat16) if mixed else nullcontext():
            trace = self.model(self._hidden(x), y, samples=self.samples)
            trace.critics = self.critics
            each = [term(trace, self.step) for term in self.terms]
            loss = reduce(torch.add, each)
            with torch.no_grad():
                rate = trace.mean_rate if trace.has_rate else loss * math.nan
                figures = torch.stack([loss, trace.mean_distortion, rate, *each])
        return loss, figures, trace

    def _descend(
        self, loss: Tensor, share: LocalBatch, optimiser: torch.optim.Optimizer, parameters: Iterable[Tensor]
    ) -> None:
        """The gradient of the whole batch's mean, of which `loss` is a share."""
        optimiser.zero_grad(set_to_none=True)
        own = loss if share.n == share.whole else loss * (share.n / share.whole)
        own.backward()  # type: ignore[no-untyped-call]
        self.processes.gather(parameters)

    def _hidden(self, x: Tensor) -> Tensor:
        """A batch with the share `missing` of its cells taken out."""
        share = self.training.missing
        return x.masked_fill(torch.rand_like(x) < share, math.nan) if share else x

    @torch.no_grad()
    def _step(self) -> bool:
        """One step of the optimiser, as fast, as short and as smooth as `Training` says; False where it is
        skipped."""
        training = self.training
        if training.decay or not isinstance(training.learning_rate, float):
            for group in self.optimiser.param_groups:
                group["lr"] = training.rate(self.step, self.epoch)
        self.step += 1
        if training.clip is not None or training.skip is not None:
            norm = torch.nn.utils.clip_grad_norm_(self.parameters, training.clip or math.inf)
            if training.skip is not None and not float(norm) <= training.skip:
                return False
        self.optimiser.step()
        if training.ema is not None:
            ema = min(training.ema, (1 + self.step) / (10 + self.step))
            torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - ema)
        return True

    @torch.no_grad()
    def _bound(self, x: Rowwise, y: Tensor | None) -> float:
        """The mean ELBO at beta = 1, or the objective's own tighter bound; the same noise at every epoch."""
        self.model.eval()
        own: Any = self.own
        own = replace(own, gradient="total") if hasattr(own, "gradient") else own
        samples = 1 if isinstance(own, ELBO) else own.draws
        size, total = max(1, MONITORED // samples), torch.zeros((), device=self.device)
        with random_from(self.seed):
            for i in range(0, len(x), size):
                batch, labels = x[i : i + size], None if y is None else y[i : i + size]
                trace = self.model(batch, labels, samples=samples)
                if not isinstance(own, ELBO):
                    total -= own(trace, self.step) * len(batch)
                else:
                    total += trace.bound.sum() if trace.has_rate else -trace.average(trace.distortion).sum()
        return float(total) / len(x)
