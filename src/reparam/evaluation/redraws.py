"""What is computed from new draws of z, by a compiled graph where there are so many that they pay for it."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Size, Tensor

from ..compilation.recorded import Recorded, is_known
from ..model.hierarchy import Draw
from ..model.model import Model
from ..model.trace import Trace

PAYS, CONVOLUTIONS_PAY = 4e12, 5e13
"""Multiplications, of all rows and draws, that pay for compilation: about a minute on two threads. Those of
convolutions are counted too high, and a compiled one gains less."""


class Redraws:
    """Trace -> what `of` computes from the trace with new draws of z, which `draw` draws.

    `work`: rows x draws. Where that pays, it is compiled for traces of the first one's shapes: on a
    processor, without the columns of a table and parts of the user's own. Others, and what torch cannot
    compile, run as they are. It depends on the work alone, so the same call gives the same numbers.
    """

    def __init__(self, model: Model, draw: Draw, of: Callable[[Trace], Tensor], work: int) -> None:
        self.draw, self.of = draw, of
        parameters = list(model.parameters())
        least = PAYS if all(p.dim() <= 2 for p in parameters) else CONVOLUTIONS_PAY
        pays = work * model.config.labels.decodings * model.products >= least
        able = not model.likelihood.family.by_column and not any(p.is_cuda for p in parameters)
        self.recorded = (
            Recorded(self._found, [model]) if pays and able and is_known(model, model.config) else None
        )
        self.first: Trace | None = None

    def __call__(self, trace: Trace) -> Tensor:
        if self.recorded is not None and (self.first is None or shapes(trace) == shapes(self.first)):
            begins, self.first = self.first is None, self.first or trace
            try:
                found: Tensor = self.recorded(*tensors_of(trace).values())[0]
                return found
            except Exception as error:
                if not begins:
                    raise
                logging.getLogger("reparam").info("the draws are not compiled: %s", error)
                self.recorded = None
        return self.of(trace.redrawn(self.draw))

    @torch.no_grad()
    def _found(self, *inputs: Tensor) -> tuple[Tensor]:
        assert self.first is not None
        given: dict[str, Any] = dict(zip(tensors_of(self.first), inputs, strict=True))
        labels = self.first.conditioning
        labels = labels._replace(**{name: given.pop(name) for name in labels._fields if name in given})
        return (self.of(replace(self.first, conditioning=labels, **given).redrawn(self.draw)),)


def tensors_of(trace: Trace) -> dict[str, Tensor]:
    """What new draws of z are computed from, by name."""
    found = {"x": trace.x, "mask": trace.mask, "pseudo": trace.pseudo, "missing": trace.missing}
    return {name: t for name, t in (found | trace.conditioning._asdict()).items() if t is not None}


def shapes(trace: Trace) -> dict[str, Size]:
    return {name: t.shape for name, t in tensors_of(trace).items()}
