"""Anomaly scores of a time series, and detection metrics against known anomalies."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..distributions import elementwise_log_prob
from ..errors import DataError
from ..model.model import Model
from ..tensors import numel, random_from
from .passes import CELLS, over_rows

Array = np.ndarray[Any, Any]
MCMC = 10
"""MCMC steps that fill missing points before a window is scored (Xu et al. 2018, section 4)."""


@torch.no_grad()
def reconstruction_log_prob(model: Model, x: Tensor, k: int, seed: int, steps: int = MCMC) -> Tensor:
    """E_q(z|x) log p(x_j | z) of each number in nats, NaN where missing: (n, *E).

    Missing numbers are first filled by `steps` of z ~ q(z|x), x_miss ~ p(x_miss|z), a Markov chain
    towards p(x_miss | x_obs) (Rezende et al. 2014, appendix F). The noise of a row depends on its position
    in x, so later rows do not change it. Source: Xu et al., "Unsupervised Anomaly Detection via
    Variational Auto-Encoder for Seasonal KPIs in Web Applications" (2018), section 3.3.
    """

    def judged(batch: Tensor, _: Tensor | None) -> Tensor:
        hole, full = batch.isnan(), batch
        with random_from(seed):
            for _step in range(steps if hole.any() else 0):
                full = torch.where(hole, model(model.observe(full)).px.sample().reshape(batch.shape), batch)
        with random_from(seed + 1):
            each = elementwise_log_prob(model(model.observe(full), samples=k).px, full)
        return each.reshape(k, *batch.shape).mean(0).masked_fill(hole, torch.nan)

    return over_rows(judged, x, rows=max(1, CELLS // (k * numel(model.event))))


def segments(labels: Array) -> Iterator[tuple[int, int]]:
    """Runs of ones, as (start, stop).

    >>> list(segments(np.array([1, 1, 0, 0, 1])))
    [(0, 2), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([0], labels, [0]))))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def adjusted(scores: Array, labels: Array, delay: int) -> Array:
    """Every point of an anomalous segment gets the largest value of its first delay + 1 points.

    A segment is then detected as a whole if the threshold is exceeded within `delay` steps of its start,
    and missed as a whole otherwise (Xu et al. 2018, section 4).

    >>> adjusted(np.array([0.1, 0.2, 0.9, 0.3]), np.array([0, 1, 1, 1]), delay=1)
    array([0.1, 0.9, 0.9, 0.9])
    """
    scores = scores.copy()
    for start, stop in segments(labels):
        scores[start:stop] = scores[start : min(start + delay + 1, stop)].max()
    return scores


@dataclass(frozen=True)
class Detection:
    """The best F1 over all thresholds of the score, its threshold, precision and recall, and the area under
    the precision-recall curve (average precision)."""

    f1: float
    precision: float
    recall: float
    threshold: float
    pr_auc: float

    def to_dict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


def detection(scores: Array, labels: Array, delay: int | None = None) -> Detection:
    """How well low `scores` (n,), sorted by time, detect anomalies (labels 1); NaN scores are left out.

    With a `delay` segments are `adjusted`. F1 = 2 precision recall / (precision + recall).
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve

    labels = np.asarray(labels)
    if labels.shape != scores.shape or not np.isin(labels, (0, 1)).all() or not labels.any():
        raise DataError("labels are 0 or 1, one per time step, and at least one is 1, an anomaly")
    known = ~np.isnan(scores)
    anomaly = np.where(known, -scores, -np.nanmax(scores))
    anomaly = anomaly if delay is None else adjusted(anomaly, labels, delay)
    anomaly, labels = anomaly[known], labels[known]
    precision, recall, thresholds = precision_recall_curve(labels, anomaly)
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    i = int(f1[:-1].argmax())
    area = float(average_precision_score(labels, anomaly))
    return Detection(float(f1[i]), float(precision[i]), float(recall[i]), -float(thresholds[i]), area)
