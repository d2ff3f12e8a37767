"""Training settings for `Trainer`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from torch import Tensor

from ..errors import SpecError
from ..specs.schedules import Linear, Schedule, at
from ..specs.spec import Count, Spec
from .optimisers import FusedAdamW, FusedOptimiser, FusedRMSprop
from .precision import Precision

HELD_OUT, MOST_HELD_OUT, LEAST = 0.1, 5_000, 50
"""Where nothing is said: the fraction of rows held out, the most rows, and the fewest of which some are."""
PATIENCE, LEAST_PATIENCE = 200, 10
"""Steps and epochs without a rise of the held-out bound after which training stops where nothing is said."""
ALL_ROWS = 0.25
"""Where nothing is said: the steps over all rows after the stop, as a share of those up to the best epoch."""

BATCH, BATCH_OF_TABLES = 128, 256
"""Rows in a batch where nothing is said."""
RATE, FEW_STEPS = 4e-3, 2_500
MOST_STEPS, LEAST_STEPS, STEPS_A_ROW = 10_000, 800, 6


def default_rate(steps: int) -> Linear:
    """The learning rate where nothing is said: from RATE, or more for fewer than FEW_STEPS steps, to 0.

    >>> default_rate(10_000), default_rate(10)
    (Linear(0.004, 0.0, 10000), Linear(0.006, 0.0, 10))
    """
    return Linear(RATE * min(max(math.sqrt(FEW_STEPS / steps), 1.0), 1.5), 0.0, steps)


def longest(n: int) -> int:
    """The most steps for n rows where nothing is said, if an epoch is no longer.

    >>> longest(150), longest(1_000), longest(50_000)
    (900, 6000, 10000)
    """
    return min(max(STEPS_A_ROW * n, LEAST_STEPS), MOST_STEPS)


def warm_up(steps: int) -> int:
    """The steps in which the KL's weight rises to 1, of so many in all.

    >>> warm_up(10_000), warm_up(10)
    (500, 1)
    """
    return min(max(steps // 20, 1), 500)


@dataclass(frozen=True, repr=False)
class Optimiser(Spec):
    """An optimiser."""

    def build(self, parameters: Sequence[Tensor]) -> FusedOptimiser:
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class Adam(Optimiser):
    """Kingma and Ba (2015), fused; with `weight_decay` AdamW (Loshchilov and Hutter 2019)."""

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def check(self) -> None:
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise SpecError(f"Adam takes beta1 and beta2 in [0, 1), e.g. Adam(0.9, 0.999); not {self}")
        if not (0 < self.eps < math.inf and 0 <= self.weight_decay < math.inf):
            raise SpecError(f"Adam takes eps above 0 and weight_decay of 0 or more, not {self}")

    def build(self, parameters: Sequence[Tensor]) -> FusedOptimiser:
        return FusedAdamW(parameters, (self.beta1, self.beta2), self.eps, self.weight_decay)


@dataclass(frozen=True, repr=False)
class RMSprop(Optimiser):
    """Tieleman and Hinton (2012), with Keras' constants."""

    alpha: float = 0.9
    eps: float = 1e-7

    def check(self) -> None:
        if not (0 <= self.alpha < 1 and 0 < self.eps < math.inf):
            raise SpecError(f"RMSprop takes alpha in [0, 1) and eps above 0, not {self}")

    def build(self, parameters: Sequence[Tensor]) -> FusedOptimiser:
        return FusedRMSprop(parameters, self.alpha, self.eps)


@dataclass(frozen=True, repr=False)
class Decay(Spec):
    """The learning rate is multiplied by `factor` after every `epochs` epochs."""

    factor: float = 0.75
    epochs: int = 10

    def check(self) -> None:
        if not 0 < self.factor <= 1 or self.epochs < 1:
            raise SpecError(f"Decay takes a factor in (0, 1] and epochs of 1 or more, not {self}")


@dataclass(frozen=True, repr=False)
class Masks(Spec):
    """Cells hidden from a part of the rows of each batch, so that an encoder that is trained on whole rows
    also reads rows with gaps: of a random `rows`, as a share of the batch, a share of the cells that is
    uniform between 0 and `most`, at random."""

    rows: float = 0.5
    most: float = 0.6

    def check(self) -> None:
        if not (0 < self.rows <= 1 and 0 < self.most < 1):
            raise SpecError(f"Masks takes rows in (0, 1] and most in (0, 1), not {self}")

    def shares(self, x: Tensor) -> Tensor:
        """The share of cells to hide in each row of x (B, *E): (B, 1, ...)."""
        chosen, share = torch.rand(2, len(x), *[1] * (x.dim() - 1), device=x.device)
        shares: Tensor = (chosen < self.rows) * self.most * share
        return shares


@dataclass(frozen=True, repr=False)
class Training(Spec):
    """Training settings.

    - `learning_rate=None`: it falls linearly to 0 over all steps that are planned, from 4e-3, or from up to
      6e-3 where they are fewer than 2,500 (`default_rate`).
    - `epochs=None`: training stops when the bound of held-out rows no longer rises, after 10,000 steps, or
      6 for each row, at the latest, but not before 20 epochs. `epochs=N` trains N epochs on all rows.
    - `batch_size=None`: BATCH rows; for tables, where `epochs` is None, BATCH_OF_TABLES.
    - `validation`: the fraction of rows held out; None: a tenth of LEAST rows or more where `epochs` is
      None, else none.
    - `patience`: training stops when the held-out bound has not risen for that many epochs, and the weights
      of the best epoch are kept; None: about PATIENCE steps where `epochs` is None, else no stop.
    - `all_rows`: after the stop training goes on from the best epoch, over all rows with those held out, for
      this share of its steps, while the learning rate falls to 0. None: ALL_ROWS for tables
      where `epochs` and `validation` are None, else 0.
    - `missing`: in each batch a new random fraction of the cells is hidden and treated as missing (Xu et
      al. 2018, section 3.2), or that of `Masks`. None: Masks() for tables, else 0.
    - `clip`: the largest gradient norm, larger gradients are scaled down. `skip`: steps with a larger norm
      are skipped (Child 2021, section 3); it waits for the device at each step.
    - `ema`: the decay of an average of the weights over steps, at most (1 + t) / (10 + t) at step t; the
      averaged weights are kept. None: the weights of the last step.
    - `devices`: the number of processes that share each batch. The loss is that of one process where the
      objective is a sum over rows; MMD, TotalCorrelation, Consistency and critics use only a process's own
      rows, and a VQ codebook is updated from those of the first.
    - `precision`: "32-true"; "medium", float32 with products of matrices in bfloat16, on a GPU in TF32; or
      "bf16-mixed", torch's autocast. None: "medium" on a GPU, and on a processor with AMX or AVX-512 BF16 for
      networks that train on more than one thread on binary or nominal cells, such as black and white
      pixels; else as torch is set. Evaluation is always as torch is set.
    - `compile`: the step is compiled for batches of full size, on a GPU as CUDA graphs. Control flow in
      custom modules is fixed at the first call. Compilation takes 10 to 30 seconds, of a table up to 60, 2 to
      5 when it is repeated, and needs a C++ compiler. None: on a processor, where 10,000 steps or more are
      planned, 8,000 of a table, of a network without convolutions or with "medium" precision and without
      parts of your own, and torch can compile it; not where training stops early and has fewer than 25,000
      rows.
    - `threads`: of the processor, while the model trains. None: one for small networks, by the number of
      multiplications in a step, else as many as torch has. Other numbers of threads may give other bits.
    """

    epochs: Count | None = None
    batch_size: Count | None = None
    learning_rate: Schedule | None = None
    optimiser: Annotated[Optimiser, Adam, RMSprop] = Adam()
    validation: float | None = None
    patience: Count | None = None
    clip: float | None = 10.0
    skip: float | None = None
    ema: float | None = 0.999
    device: str = "auto"
    precision: Precision | None = None
    decay: Decay | None = None
    missing: float | Annotated[Masks, Masks] | None = None
    devices: Count = 1
    compile: bool | None = None
    all_rows: float | None = None
    threads: Count | None = None

    def check(self) -> None:
        if not 0 <= (self.validation or 0) < 1:
            raise SpecError(f"Training.validation is a fraction in [0, 1), not {self.validation}")
        if self.compile and self.devices > 1:
            raise SpecError("Training.compile is for one process: leave out compile or devices")
        if isinstance(self.missing, float | int) and not 0 <= self.missing < 1:
            raise SpecError(f"Training.missing is a fraction in [0, 1), not {self.missing}")
        if self.patience is not None and self.epochs is not None and not self.validation:
            raise SpecError("Training.patience needs held-out rows: set validation, e.g. 0.1")
        if not 0 <= (self.all_rows or 0) <= 1:
            raise SpecError(f"Training.all_rows is a share in [0, 1], not {self.all_rows}")
        if self.all_rows and self.epochs is not None and self.patience is None:
            raise SpecError("Training.all_rows follows early stopping: set patience and validation")
        first = RATE if self.learning_rate is None else at(self.learning_rate, 0)
        if not 0 <= first < math.inf or self.learning_rate == 0:
            raise SpecError(f"Training.learning_rate must be above 0, not {self.learning_rate}")
        if any(longest is not None and not longest > 0 for longest in (self.clip, self.skip)):
            raise SpecError(f"Training.clip and skip must be above 0, not {self.clip} and {self.skip}")
        if self.ema is not None and not 0 < self.ema < 1:
            raise SpecError(f"Training.ema must be in (0, 1), e.g. 0.999; not {self.ema}")

    @property
    def batch(self) -> int:
        """The rows of a batch."""
        return self.batch_size or BATCH

    def rate(self, step: int, epoch: int) -> float:
        """The learning rate with schedule and decay."""
        decay = self.decay or Decay(1.0)
        base = RATE if self.learning_rate is None else at(self.learning_rate, step)
        return base * decay.factor ** (epoch // decay.epochs)

    def resolved(self, n: int, divisible: bool = True, table: bool = False) -> "Training":
        """With values for n rows where they are None. `divisible`: whether some of the rows can be held out;
        `table`: whether columns have families of their own."""
        if self.batch_size is None:
            sized = replace(self, batch_size=BATCH_OF_TABLES if table and self.epochs is None else BATCH)
            return sized.resolved(n, divisible, table)
        validation, patience, all_rows = self.validation, self.patience, self.all_rows
        stops = self.epochs is None and divisible and n >= LEAST
        if all_rows is None:
            all_rows = ALL_ROWS if table and stops and validation is None else 0.0
        if validation is None:
            validation = min(HELD_OUT, MOST_HELD_OUT / n) if stops else 0.0
        steps = self.steps_per_epoch(n, validation)
        if self.epochs is None and validation and patience is None:
            patience = max(LEAST_PATIENCE, math.ceil(PATIENCE / steps))
        most = min(longest(n), MOST_STEPS / (1 + all_rows))
        epochs = self.epochs or max(20, math.ceil(most / steps))
        rate = self.learning_rate
        if rate is None:
            rate = default_rate(round(epochs * steps * (1 + all_rows)))
        return replace(
            self,
            epochs=epochs,
            learning_rate=rate,
            validation=validation,
            patience=patience,
            all_rows=all_rows,
            missing=Masks() if table and self.missing is None else self.missing or 0.0,
        )

    def on_all_rows(self, n: int, step: int, epoch: int) -> "Training":
        """The settings for the steps over all n rows, after the best epoch with its last step."""
        steps = self.steps_per_epoch(n, 0.0)
        epochs = max(1, round((self.all_rows or 0.0) * step / steps))
        rate = Linear(self.rate(step, epoch), 0.0, epochs * steps)
        return replace(
            self, epochs=epochs, learning_rate=rate, decay=None, validation=0.0, patience=None, all_rows=0.0
        )

    def planned_steps(self, n: int) -> int:
        """The steps of resolved settings for n rows, if training does not stop early."""
        return (self.epochs or 1) * self.steps_per_epoch(n, self.validation or 0.0)

    def steps_per_epoch(self, n: int, validation: float) -> int:
        """The batches of n rows of which that fraction is held out."""
        return math.ceil((n - int(n * validation)) / self.batch)

    def resolved_device(self) -> torch.device:
        """The device; SpecError where torch cannot use it on this machine."""
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            device = torch.device(self.device)
        except RuntimeError:
            raise SpecError(f"unknown device {self.device!r}; use auto, cpu or cuda") from None
        if not usable(device):
            kind = {"cuda": "CUDA device", "mps": "MPS device"}.get(self.device, f"device {self.device!r}")
            raise SpecError(
                f"this machine has no {kind} that torch can use: leave device out, or device='cpu'"
            )
        return device


def usable(device: torch.device) -> bool:
    """Whether torch can compute there."""
    if device.type == "cuda":  # counted, not tried: processes that are forked later could not use it then
        return (device.index or 0) < torch.cuda.device_count()
    try:
        return bool(torch.ones((), device=device) == 1)
    except (RuntimeError, AssertionError, ImportError):
        return False
