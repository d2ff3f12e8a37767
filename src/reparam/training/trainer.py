"""The training loop: a generator of one `Progress` per epoch.

Data stay on the device, a batch is gathered by index, and nothing in an epoch waits for the device.
The order of rows and the noise depend only on the seed and the epoch, so a resumed training equals an
uninterrupted one, and random numbers drawn by the caller have no effect.
"""

import logging
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, cast

import torch
from torch import Tensor

from ..data.batching import Rows, digest_of, shuffled
from ..data.stream import LocalBatch
from ..errors import SpecError
from ..memory import enough_for, freed_memory_kept
from ..model.model import Model
from ..objectives import Bound, Term, names_of
from ..stopwatch import Stopwatch
from ..tensors import finite, random_from
from ..threads import SMALL, SMALL_TABLE, Crowd, limited, threads_for
from .adversary import Adversary
from .checkpoint import NeverPause, Pause, Position, Stop, set_random_state
from .compiled_step import CompiledStep, pays
from .config import Training
from .distributed import launched
from .early_stopping import EarlyStopping
from .precision import multiplied, precision_for
from .rollback import BETWEEN, Rollback
from .step import EagerStep, Loss, Step
from .update import Update

MONITORED = 1000
"""Rows per batch for the bound, and the most rows at the end of an epoch where a classifier makes the bound
more expensive than the loss."""


@dataclass(frozen=True)
class Progress:
    """One epoch, in nats per datum; means over its batches, `validation` the held-out bound.

    `loss` is the sum of `terms`. `summed`: a classifier's model, whose `bound` is a sum over the classes, at
    the end of the epoch and on held-out or some rows; it is not minus `rate` minus `distortion`. `stopped`:
    until the next epoch the model has its weights of the best one, and has not seen the rows held out.
    """

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
    summed: bool = False
    stopped: bool = False

    def row(self) -> dict[str, Any]:
        """What `history_` holds of it: numbers by name, None where they are not finite."""
        return finite(asdict(self))  # type: ignore[no-any-return]


class Trainer:
    """The epochs of a training; step, update, critics and early stopping are separate objects."""

    def __init__(self, model: Model, terms: tuple[Term, ...], training: Training, seed: int) -> None:
        self.process = launched(training.devices, training.resolved_device())
        self.model = model.to(self.process.device)
        self.terms, self.training, self.seed = terms, training, seed
        parameters: list[Tensor] = [p for p in model.parameters() if p.numel()]
        self.update = Update(parameters, training)
        self.adversary = Adversary(terms, model.config, self.process)
        self.loss = loss = Loss(model, terms, self.adversary.critics, training)
        family, device = model.likelihood.family, self.process.device
        small = SMALL_TABLE if family.by_column else SMALL
        threads = threads_for(loss.products, small) if device.type == "cpu" else None
        precision = precision_for(loss.products, device, family.measurement, small)
        self.threads, self.precision = training.threads or threads, training.precision or precision
        self.eager = EagerStep(loss, parameters, self.process)
        self.step: Step = self.eager
        settled = max((ramp.steps for ramp in loss.schedules), default=0)
        self.stopping = EarlyStopping(training.patience, settled)
        self.position = Position()

    @property
    def epoch(self) -> int:
        """The epochs done."""
        return self.position.epoch

    @property
    def continues(self) -> bool:
        """Whether training goes on over all rows after the stop."""
        return bool(self.training.all_rows and self.stopping.best_weights)

    def go_on(self, n: int) -> bool:
        """After the stop, be at the start of the epochs over all n rows; False where there are none."""
        best = self.stopping
        if not self.continues:
            return False
        self.finish()
        at_best, part = (best.best_epoch, best.best_step), self.model.n_data
        self.begin_at(Stop(self.epoch, self.update.step, *at_best, n, part))
        return True

    def begin_at(self, stop: Stop) -> None:
        """Replace settings, optimiser and early stopping by those for the epochs over all rows."""
        self._set_step(stop.part)
        self.training = self.training.on_all_rows(stop.rows, stop.best_step, stop.best_epoch)
        self.update = Update(self.update.parameters, self.training, stop.step)
        self.stopping = EarlyStopping(None)
        self.position = Position(stop.epoch, stop=stop)

    @property
    def own(self) -> Bound:
        """The bound among the terms."""
        return cast(Bound, next(term for term in self.terms if term.is_bound))

    def run(
        self, data: Rows, held: Rows | None = None, pause: Pause | None = None, since: Stopwatch | None = None
    ) -> Iterator[Progress]:
        """Train to the last epoch, with a Progress after each; with patience the best weights are kept.
        `pause` is asked after each step whether the training is to be saved or to end. `since`: what
        counts the seconds, by default from now."""
        n, watch, crowd = len(data[0]), since or Stopwatch(), Crowd()
        epochs = self._begin(data)
        data, held = self._placed(data), self._placed(held) if held else None
        few = min(MONITORED, max(100, n // 20))
        monitored = held or (data[0][:few], None if data[1] is None else data[1][:few])
        recent = Rollback(self)
        while self.epoch < epochs and not self.stopping.exhausted:
            recent.keep()
            with self._as_planned(), crowd.watched(), enough_for("batch_size", self.training.batch):
                means = self._epoch(data, recent, pause or NeverPause())
                if not math.isfinite(means[0]):
                    recent.diverged(data, means[0])
                    continue
                loss, distortion, rate, *each = means
                terms = dict(zip(names_of(self.terms), each, strict=True))
                reported = self.own.reported(distortion, rate, each[self.terms.index(self.own)])
                self.update.swap()
                has_classifier, rated = self.model.classifier is not None, not math.isnan(rate)
                checked = held is not None and self.stopping.due(self.epoch, epochs)
                bound = self.bound(monitored) if checked or has_classifier else reported
                if checked:
                    self.stopping.record(bound, self.model, self.epoch, self.update.step)
                self.update.swap()
            if told := crowd.notice(self.threads or torch.get_num_threads()):
                logging.getLogger("reparam").warning(told)
            ended = self.epoch >= epochs or self.stopping.exhausted
            if stopped := ended and self.continues:
                self.finish()
            self.model.eval()
            yield Progress(
                epoch=self.epoch,
                epochs=epochs,
                step=self.update.step,
                loss=loss,
                bound=(bound if has_classifier else reported) if rated else None,
                rate=rate if rated else None,
                distortion=distortion,
                terms=terms,
                validation=bound if checked and rated else None,
                seconds=watch.read(),
                summed=has_classifier and rated,
                stopped=stopped,
            )

    @contextmanager
    def _as_planned(self) -> Iterator[None]:
        """Inside, torch has the threads and the precision of this training, and a step's memory is kept."""
        with limited(self.threads), multiplied(self.precision), freed_memory_kept():
            yield

    def finish(self) -> None:
        """Set the model's weights to those of the best epoch, or to the averaged ones."""
        if self.stopping.best_weights:
            self.model.load_state_dict(self.stopping.best_weights)
        elif self.update.average:
            self.update.swap()

    def weights_so_far(self) -> dict[str, Tensor]:
        """A copy of the weights that the model would have if training ended now."""
        if self.stopping.best_weights:
            return dict(self.stopping.best_weights)
        self.update.swap()
        held = {name: t.detach().clone() for name, t in self.model.state_dict().items()}
        self.update.swap()
        return held

    def _begin(self, data: Rows) -> int:
        """The number of epochs; SpecError where a stopped training had other data."""
        n = len(data[0])
        self.model.n_data = n
        digest = digest_of(data)
        if not self.position.stop:
            self._set_step(n)
        training = self.training.resolved(n)
        assert training.epochs is not None
        epochs = training.epochs + (self.position.stop.epoch if self.position.stop else 0)
        self.stopping.check_every(math.ceil(n / training.batch))
        if not digest.startswith(self.position.data):  # older ones end after the first rows
            raise SpecError("the stopped training had other data: use the same data, or start a new training")
        if self.epoch > epochs:
            raise SpecError(f"{self.epoch} epochs are done: set at least as many, or start a new training")
        self.position.data = digest
        return epochs

    def _set_step(self, n: int) -> None:
        """Steps from now on are compiled where that is said, or pays for a plan of n rows."""
        asked = self.training.compile
        compiled = pays(self.loss, self.process, n, self.precision) if asked is None else asked
        self.step = CompiledStep(self.loss, self.eager, self.process, bool(asked)) if compiled else self.eager

    def _placed(self, rows: Rows) -> Rows:
        x, y = rows
        return x.to(self.process.device), y if y is None else y.to(self.process.device)

    def noise(self) -> AbstractContextManager[None]:
        """The random state of the next epoch."""
        return random_from(self.seed * 1_000_003 + self.epoch)

    def _epoch(self, data: Rows, recent: Rollback, pause: Pause) -> list[float]:
        """One pass: the means of loss, distortion, rate and each term, without the rows of skipped non-finite
        steps. An interrupt leaves the trainer at `recent`, the start of this epoch or of one just before."""
        sums = torch.zeros(self.process.size, 4 + len(self.terms), device=self.process.device)
        if self.position.batches:
            sums.copy_(self.position.totals)
        totals, rows = sums[self.process.rank][:-1], sums[self.process.rank][-1:]
        with self.noise():
            try:
                for batch, figures, taken in self.steps(data):
                    if taken or figures[0].isfinite():
                        totals += figures * batch.n
                        rows += batch.n
                    self.position.batches += 1
                    self._pause(sums, pause, recent)
            except KeyboardInterrupt:
                recent.restore()
                raise
        found = self.process.total(sums[self.process.rank])
        self.next_epoch()
        means: list[float] = (found[:-1] / found[-1]).tolist()
        return means

    def is_sound(self) -> bool:
        """Whether all weights are finite."""
        return all(bool(p.isfinite().all()) for p in self.update.parameters)

    def _pause(self, sums: Tensor, pause: Pause, recent: Rollback) -> None:
        """Save or end the training where that is wanted; several processes agree on it now and then. Weights
        that are not finite are not saved: a training that ends there is saved as it was at `recent`."""
        process, batches = self.process, self.position.batches
        save, stop = pause.wanted()
        if process.size > 1:
            if batches % BETWEEN and batches > 1:
                return
            save, stop = (process.total(sums.new_tensor([save, stop])) > 0).tolist()
        if (save or stop) and not self.is_sound():
            if stop:
                recent.restore()
                pause(stop)
        elif save or stop:
            own = torch.zeros_like(sums)
            own[process.rank] = sums[process.rank]
            self.position.totals = process.total(own)
            pause(stop)

    def next_epoch(self) -> None:
        """Be at the start of the next epoch."""
        self.position = Position(self.epoch + 1, self.position.data, stop=self.position.stop)

    def steps(self, data: Rows) -> Iterator[tuple[LocalBatch, Tensor, bool]]:
        """The steps of an epoch from the position on: the batch, its loss, distortion, rate and each term,
        and whether the step was taken."""
        (x, y), process = data, self.process
        self.model.train()
        done, random = self.position.batches, self.position.random
        batches = shuffled(x, self.training.batch, process.rank, process.size, process.device)
        for _ in islice(batches, done):
            pass
        if done:
            set_random_state(random, process.device)
            self.position.random = {}
        for batch in batches:
            figures, codes = self.step(batch, None if y is None else y[batch.rows], self.update.step)
            taken = self.update(self.epoch)
            self.adversary.learn(codes, batch)
            process.agree(self.model.buffers())
            yield batch, figures, taken

    @torch.no_grad()
    def bound(self, rows: Rows) -> float:
        """The mean ELBO at beta = 1, or the objective's tighter bound; with the same noise at every epoch."""
        self.model.eval()
        (x, y), samples = rows, self.own.monitor_draws
        size, total = max(1, MONITORED // samples), torch.zeros((), device=self.process.device)
        with random_from(self.seed):
            for i in range(0, len(x), size):
                labels = None if y is None else y[i : i + size]
                part = x[i : i + size]
                trace = self.model(self.model.observe(part), labels, samples=samples)
                total += self.own.monitor(trace.with_missing(part))
        agreed = self.process.total(total[None])  # so that all processes stop at the same epoch
        return float(agreed) / (self.process.size * len(x))
