"""Diagnosis of a divergence: which batch, layer and cell become non-finite."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ..data.stream import LocalBatch
from ..model.model import Model


def diagnose_divergence(
    model: Model, steps: Iterable[tuple[LocalBatch, Tensor, bool]], y: Tensor | None
) -> str:
    """The first batch, layer and extreme value where the numbers become non-finite; "" where none does.

    `steps` continues training: each batch, its metrics, the loss first, and whether the step was taken.
    """
    kept = {name: t.clone() for name, t in model.state_dict().items()}
    for batch, (local, figures, taken) in enumerate(steps):
        slopes = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        broken = [name for name, slope in slopes.items() if not slope.isfinite().all()]
        if taken and (broken or not figures[0].isfinite()):
            model.load_state_dict(kept)
            labels = None if y is None else y[local.rows]
            layer = first_nonfinite(model, local.x, labels) or [*broken, "the loss"][0]
            return f": batch {batch + 1} becomes non-finite in {layer}; {widest(local.x)}"
        kept = {name: t.clone() for name, t in model.state_dict().items()}
    return ""


def first_nonfinite(model: Model, x: Tensor, y: Tensor | None) -> str | None:
    """The first layer with non-finite output on that batch."""
    found: list[str] = []
    names = {module: name for name, module in model.named_modules() if not list(module.children())}

    def look(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and not bool(output.isfinite().all()):
            found.append(names[module])

    hooks = [module.register_forward_hook(look) for module in names]
    try:
        with torch.no_grad():
            _ = model(model.observe(x), y).px
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else None


def widest(x: Tensor) -> str:
    """The value of a batch (B, *E) that is furthest from its column's median, as text."""
    known = x.flatten(1)
    middle = known.nanmedian(0).values
    off = (known - middle).abs().nan_to_num(0.0, posinf=math.inf)
    finite = off.nan_to_num(posinf=0.0)
    usual = torch.where(off.median(0).values > 0, off.median(0).values, finite.mean(0)).clamp_min(1e-12)
    row, column = divmod(int((off / usual).argmax()), off.shape[1])
    value, times = float(known[row, column]), float((off / usual)[row, column])
    return f"column {column} holds {value:.4g}, {times:.3g} times the usual distance from its median"
