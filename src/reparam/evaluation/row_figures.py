"""The metrics of each row, whose means an evaluation reports."""

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from ..data.batching import Rows
from ..model.model import Model
from ..tensors import log_mean_exp, nan_to_neginf
from .importance import ImportanceWeights
from .likelihood import LogWeights
from .metrics import distortion_by_cell, kl_by_layer, residuals
from .passes import each_row, rows_when_sampled


@dataclass(frozen=True)
class RowFigures:
    """Metrics of n rows, in nats; None where a metric is not defined."""

    known: Tensor  # number of observed cells, (n,)
    distortion: Tensor  # (n,)
    code: Tensor  # posterior means, (n, L)
    logits: Tensor | None = None  # of the classifier, (n, K)
    misfit: Tensor | None = None  # mean square of the residuals over a fixed scale, (n,)
    cells: Tensor | None = None  # distortion of each cell, (n, *E), NaN where missing
    rate: Tensor | None = None  # (n,)
    layers: Tensor | None = None  # rate of each layer, (n, layers)
    dimensions: Tensor | None = None  # rate of each latent dimension, (n, L)
    log_likelihood: Tensor | None = None  # the importance-weighted bound, (n,)
    bounds: Tensor | None = None  # the bound with fewer samples (`importance.group_sizes`), (n, sizes)
    sample_size: Tensor | None = None  # effective, of the weights, (n,)
    pareto_k: Tensor | None = None  # (n,)

    def means(self) -> dict[str, float | list[float] | None]:
        """The mean over rows of each metric, without NaN."""
        held = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: None if t is None else t.double().nanmean(0).tolist() for name, t in held.items()}


def row_figures(model: Model, rows: Rows, k: int, *, cells: bool) -> RowFigures:
    """Every metric of rows (x, y) with k importance samples; `cells`: also the distortion of each cell."""
    weights = LogWeights(model, k, rows=len(rows[0]))
    found = each_row(lambda x, y: of_batch(weights, x, y, cells), *rows, rows_when_sampled(model))
    return RowFigures(**found)


def of_batch(each: LogWeights, x: Tensor, y: Tensor | None, cells: bool) -> dict[str, Tensor]:
    model, k = each.model, each.k
    trace = model(model.observe(x), y, samples=each.step)
    found = {
        "known": (~x.isnan()).flatten(1).sum(1).double(),
        "distortion": -nan_to_neginf(trace.average(trace.log_likelihood)),
        "code": model.encode(x, y),
    }
    if trace.logits is not None:
        found["logits"] = trace.logits
    if (misfit := residuals(trace)) is not None:
        found["misfit"] = misfit
    if cells:
        by_cell = distortion_by_cell(trace)
        found["cells"] = by_cell if trace.mask is None else by_cell.masked_fill(~trace.mask, math.nan)
    if not model.config.has_density:
        return found
    layers, dimensions = kl_by_layer(trace)
    found["rate"] = -nan_to_neginf(-trace.rate)
    found["layers"] = torch.stack(layers, -1) if layers else trace.rate[:, None][:, :0]
    if dimensions:
        found["dimensions"] = torch.cat(dimensions, -1)
    weights, classes = ImportanceWeights(k), len(model.log_prior_y) if model.config.labels.enumerated else 1
    for log_w in each(model.observe(x, for_likelihood=True), y):
        weights.add(log_mean_exp(log_w.reshape(-1, classes, len(x)), 1))
    return found | {
        "log_likelihood": weights.sums.log_mean,
        "sample_size": weights.sums.size,
        "pareto_k": weights.shape,
        "bounds": torch.stack(list(weights.by_k().values()), -1),
    }
