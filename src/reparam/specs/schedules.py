"""A number as a function of the training step. Any weight may be a schedule."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, overload

from .spec import Count, Spec


@dataclass(frozen=True, repr=False)
class Ramp(Spec):
    """From `start` to `stop` within `steps` optimiser steps."""

    start: float
    stop: float
    steps: Count

    def __call__(self, step: int) -> float:
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class Linear(Ramp):
    """Linear, then constant (KL annealing: Bowman et al. 2016, section 3.1).

    >>> [Linear(0, 1, steps=4)(t) for t in (0, 1, 4, 9)]
    [0.0, 0.25, 1.0, 1.0]
    """

    def __call__(self, step: int) -> float:
        return self.start + (self.stop - self.start) * min(step / self.steps, 1.0)


@dataclass(frozen=True, repr=False)
class Cosine(Ramp):
    """Half a cosine, then constant.

    >>> [round(Cosine(1, 0, steps=4)(t), 3) for t in (0, 1, 2, 4)]
    [1.0, 0.854, 0.5, 0.0]
    """

    def __call__(self, step: int) -> float:
        share = 0.5 - 0.5 * math.cos(math.pi * min(step / self.steps, 1.0))
        return self.start + (self.stop - self.start) * share


@dataclass(frozen=True, repr=False)
class Cyclic(Ramp):
    """Cycles of `steps`, linear in the first half, constant in the second (Fu et al. 2019).

    >>> [Cyclic(0, 1, steps=4)(t) for t in (0, 1, 2, 3, 4)]
    [0.0, 0.5, 1.0, 1.0, 0.0]
    """

    def __call__(self, step: int) -> float:
        return self.start + (self.stop - self.start) * min(2 * (step % self.steps) / self.steps, 1.0)


Schedule = float | Annotated[Ramp, Linear, Cosine, Cyclic]


Now = int | Mapping[Ramp, Any]
"""A step, or the values of schedules at a step: tensors where the same operations compute every step."""


class Clocked:
    """A module that reads a schedule: the trainer sets `step` before each batch."""

    step: Now = 0


@overload
def at(schedule: Schedule, step: int) -> float: ...
@overload
def at(schedule: Schedule, step: Now) -> Any: ...
def at(schedule: Schedule, step: Now) -> Any:
    """The value at this step; a number is constant."""
    if not isinstance(schedule, Ramp):
        return schedule
    return step[schedule] if isinstance(step, Mapping) else schedule(step)


def ramps(parts: Iterable[object]) -> list[Ramp]:
    """The schedules among the fields of specs and modules."""
    return [value for part in parts for value in vars(part).values() if isinstance(value, Ramp)]


def clocks(module: Any) -> list[Clocked]:
    """The modules within a torch module that read a schedule."""
    return [each for each in module.modules() if isinstance(each, Clocked)]
