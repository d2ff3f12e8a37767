"""New draws of z for the same rows, by a compiled graph where there are so many that they pay for it."""

import logging
from dataclasses import replace
from typing import Any

import torch
from torch import Size, Tensor

from ..compilation import Recorded
from ..model.hierarchy import Draw
from ..model.model import Model
from ..model.trace import Trace

PAYS = 1e12
"""Multiplications, of all rows and draws, that pay for compilation: about a minute on one thread."""


class Redraws:
    """Trace -> the log-weights (S, B) of new draws of z for its rows, which `draw` draws.

    `work`: rows x draws. Where that pays, the draws are compiled for traces of the first one's shapes: on a
    processor, of networks without convolutions and without the columns of a table. Others, and what torch
    cannot compile, run as they are. It depends on the work alone, so the same call gives the same numbers.
    """

    def __init__(self, model: Model, draw: Draw, work: int) -> None:
        self.draw = draw
        dense = all(p.dim() <= 2 and not p.is_cuda for p in model.parameters())
        pays = dense and not model.likelihood.family.by_column and work * model.products >= PAYS
        self.recorded = Recorded(self._log_w, [model]) if pays else None
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
        return trace.redrawn(self.draw).log_w()

    @torch.no_grad()
    def _log_w(self, *inputs: Tensor) -> tuple[Tensor]:
        assert self.first is not None
        given: dict[str, Any] = dict(zip(tensors_of(self.first), inputs, strict=True))
        labels = self.first.conditioning
        labels = labels._replace(**{name: given.pop(name) for name in labels._fields if name in given})
        return (replace(self.first, conditioning=labels, **given).redrawn(self.draw).log_w(),)


def tensors_of(trace: Trace) -> dict[str, Tensor]:
    """What new draws of z are computed from, by name."""
    found = {"x": trace.x, "mask": trace.mask, "pseudo": trace.pseudo, "missing": trace.missing}
    return {name: t for name, t in (found | trace.conditioning._asdict()).items() if t is not None}


def shapes(trace: Trace) -> dict[str, Size]:
    return {name: t.shape for name, t in tensors_of(trace).items()}
