"""Diagnosis of a divergence: which batch, layer and cell become non-finite."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..data.stream import LocalBatch
from ..model.model import Model


def diagnose_divergence(
    model: Model,
    steps: Iterable[tuple[LocalBatch, Tensor, bool]],
    y: Tensor | None,
    is_finite: Callable[[LocalBatch], bool],
) -> str:
    """The first batch and layer where the numbers become non-finite, and why; "" where none does.

    `steps` continues training: each batch, its metrics, the loss first, and whether the step was taken.
    `is_finite`: whether a batch has a finite loss and gradient with the weights from which they began.
    """
    kept = {name: t.clone() for name, t in model.state_dict().items()}
    for batch, (local, figures, taken) in enumerate(steps):
        slopes = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        broken = [name for name, slope in slopes.items() if not slope.isfinite().all()]
        if taken and (broken or not figures[0].isfinite()):
            model.load_state_dict(kept)
            labels = None if y is None else y[local.rows]
            layer = first_nonfinite(model, local.x, labels) or [*broken, "the loss"][0]
            return f": batch {batch + 1} becomes non-finite in {layer}; {cause(model, local, is_finite)}"
        kept = {name: t.clone() for name, t in model.state_dict().items()}
    return ""


def cause(model: Model, local: LocalBatch, is_finite: Callable[[LocalBatch], bool]) -> str:
    """What makes a batch non-finite, and what to do: a cell, some rows, or the learning rate, where the
    weights from which training began give finite numbers."""
    x = local.x.flatten(1)
    odd = x.isinf() if model.config.has_missing else ~x.isfinite()
    if odd.any():
        row, column = (int(i) for i in odd.nonzero()[0])
        return f"column {column} holds {float(x[row, column])}: correct the data"
    if is_finite(local):
        return "the weights of a few steps before give finite numbers. Lower learning_rate, or set clip"
    alone = [local._replace(rows=local.rows[i : i + 1], x=local.x[i : i + 1]) for i in range(len(x))]
    rows = [i for i, each in enumerate(alone) if not is_finite(each)]
    found = f"{widest(local.x, rows)}: correct the data, or scale the column"
    return f"{len(rows)} of {len(x)} rows are the cause; {found}" if rows else found


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


def widest(x: Tensor, rows: Sequence[int] = ()) -> str:
    """The value of a batch (B, *E), or of some of its `rows`, that is furthest from its column's median, as
    text."""
    known = x.flatten(1)
    middle = known.nanmedian(0).values
    off = (known - middle).abs().nan_to_num(0.0, posinf=math.inf)
    finite = off.nan_to_num(posinf=0.0)
    usual = torch.where(off.median(0).values > 0, off.median(0).values, finite.mean(0)).clamp_min(1e-12)
    far, chosen = off / usual, list(rows) or list(range(len(x)))
    place, column = divmod(int(far[chosen].argmax()), off.shape[1])
    value, times = float(known[chosen[place], column]), float(far[chosen[place], column])
    return f"column {column} holds {value:.4g}, {times:.3g} times the usual distance from its median"
