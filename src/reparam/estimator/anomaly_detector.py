"""AnomalyDetector: scikit-learn's interface of outlier detection around a VAE."""

import math
from typing import Any, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ..data.codecs.base import is_frame
from ..data.codecs.choose import learn
from ..data.stream import typical_rows
from ..errors import SpecError
from ..families import Family, StudentT
from ..model.label_head import LabelHead
from ..nn.networks import MLP
from ..training.config import BATCH, Training
from .reasons import Reason, reasons, usual
from .vae import VAE

Array = np.ndarray[Any, Any]
TYPICAL = 50_000
"""Rows of a stream from which the likelihood is chosen."""
ROUNDING = 1e-4
"""Nats by which equal rows may differ in float32."""
LINEAR_STEPS, DEEP_STEPS = 400, 1600
"""Training steps; with more a model fits the anomalies too (docs/results.md)."""
FENCE = 1.5
"""Without a contamination, rows below the lower quartile by this many interquartile ranges are anomalies."""


def scores_new_rows(detector: "AnomalyDetector") -> bool:
    if detector.novelty:
        return True
    raise AttributeError(
        "this detector judges the rows that it is fitted to: use fit_predict and scores_, or "
        "novelty=True to judge new rows by a training set without anomalies"
    )


class AnomalyDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Rows with a low log p(x) under a VAE are anomalies.

    - vae: the model, which is cloned and fitted. Default: a linear VAE of five dimensions that is trained
      for 400 steps, so that it cannot memorise the anomalies in X; with `novelty` also one with hidden
      layers for 1,600, and the score is the mean of both. Real numbers have a Student-t likelihood, whose
      heavy tails keep anomalies from moving the rest of the model.
    - contamination: the fraction of anomalies in (0, 0.5], which sets `offset_`; "auto": Tukey's fence, the
      lower quartile of the scores less 1.5 interquartile ranges.
    - novelty: as in LocalOutlierFactor. False: X is searched for its own anomalies, by `fit_predict`; True:
      X is normal, and `predict`, `decision_function` and `score_samples` judge new rows.
    - labels: `Covariates()` or `Given(K)`, what the default models are conditional on: rows are anomalies
      for their y, and each method needs it. A VAE of your own has its own labels.
    - random_state: that of the VAE; None: its own.

    Fitted: `scores_` (n,), log p(x) of the rows of X in nats; `offset_`, the threshold; `vaes_`.

    >>> X = np.r_[np.random.default_rng(0).normal(size=(200, 3)), [[9.0, -9.0, 9.0]]]
    >>> AnomalyDetector(contamination=0.01, random_state=0).fit_predict(X)[-3:].tolist()
    [1, 1, -1]
    """

    def __init__(
        self,
        vae: VAE | None = None,
        *,
        contamination: float | str = "auto",
        novelty: bool = False,
        labels: LabelHead | None = None,
        random_state: Any = None,
    ) -> None:
        self.vae = vae
        self.contamination = contamination
        self.novelty = novelty
        self.labels = labels
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the VAE to X (n, *E), with `sample_weight` (n,) as in `VAE.fit`, score its rows and set the
        threshold. y is what the model is conditional on, a frame of covariates or classes (n,); a model
        without labels ignores it. Returns self."""
        share = self.contamination
        if share != "auto" and not (isinstance(share, int | float) and 0 < share <= 0.5):
            raise SpecError(f"contamination takes 'auto' or a fraction in (0, 0.5], not {share!r}")
        if self.vae is not None and self.labels is not None:
            raise SpecError(
                "labels are those of the default models: AnomalyDetector(VAE(labels=...)) instead"
            )
        self.vaes_ = default_vaes(X, self.novelty, self.labels) if self.vae is None else [clone(self.vae)]
        for vae in self.vaes_:
            reads_y = vae.labels is not None and vae.labels.reads_y
            if self.random_state is not None:
                vae.set_params(random_state=self.random_state)
            vae.fit(X, y if reads_y else None, sample_weight=sample_weight)
        self.scores_ = self._scores(X, y)
        self.usual_ = usual(vae, X, y)
        self.n_features_in_ = vae.n_features_in_
        if hasattr(vae, "feature_names_in_"):
            self.feature_names_in_ = vae.feature_names_in_
        self.offset_ = threshold(self.scores_, None if share == "auto" else float(share))
        return self

    def fit_predict(self, X: Any, y: Any = None) -> Array:
        """Fit, and -1 for the anomalies among the rows of X, 1 for the others (n,)."""
        return judged(self.fit(X, y).scores_, self.offset_)

    @available_if(scores_new_rows)  # type: ignore[untyped-decorator]
    def predict(self, X: Any, y: Any = None) -> Array:
        """-1 for anomalies, 1 for the other rows (n,)."""
        return judged(self.score_samples(X, y), self.offset_)

    @available_if(scores_new_rows)  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any, y: Any = None) -> Array:
        """`score_samples` less the threshold (n,), nats: negative for anomalies."""
        scores: Array = self.score_samples(X, y)
        return scores - self.offset_

    @available_if(scores_new_rows)  # type: ignore[untyped-decorator]
    def score_samples(self, X: Any, y: Any = None) -> Array:
        """log p(x) of each row (n,), nats, by importance sampling; always finite. log p(x | y) for a model
        that is conditional on y."""
        check_is_fitted(self)
        return self._scores(X, y)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.vae is None or self.vae.likelihood is not None
        return tags

    def _scores(self, X: Any, y: Any) -> Array:
        scores: Array = np.mean([vae.score_samples(X, y) for vae in self.vaes_], 0)
        finite = np.isfinite(scores)
        return np.where(finite, scores, scores.min(where=finite, initial=-1e30) - 1.0)

    def explain(self, X: Any, most: int = 3, y: Any = None) -> list[list[Reason]]:
        """Of each row of X its `most` strangest cells, the strangest first: those whose log-probability is
        furthest below what is usual in their column, with the value that the other cells (and y, where the
        model is conditional on it) let expect."""
        check_is_fitted(self)
        return reasons(self.vaes_[-1], X, y, self.usual_, most)


def default_vaes(X: Any, novelty: bool, labels: LabelHead | None = None) -> list[VAE]:
    """The models of `AnomalyDetector`; for pictures the default VAE."""
    n, some = X.shape[0] if hasattr(X, "shape") else len(X), typical_rows(X, TYPICAL)
    if not is_frame(some) and np.ndim(some) > 2:
        return [VAE(labels=labels)]
    parts: dict[str, Any] = {"likelihood": heavy_tailed(some), "labels": labels}
    linear = VAE(5, encoder=MLP(()), training=of_steps(LINEAR_STEPS, n), **parts)
    deep = VAE(encoder=MLP((64, 64), "silu"), training=of_steps(DEEP_STEPS, n), **parts)
    return [linear, deep] if novelty else [linear]


def of_steps(steps: int, n: int) -> Training:
    """Training for at least so many steps."""
    return Training(epochs=math.ceil(steps / math.ceil(n / BATCH)), batch_size=BATCH, missing=0.0)


def heavy_tailed(X: Any) -> Family | dict[str, Family] | None:
    """StudentT for real numbers, and for others the family of their kind: the margin of data that contain
    outliers does not find them far away."""
    if is_frame(X):
        columns = [column for column in getattr(learn(X), "modelled", []) if column.quantile]
        real = {column.name: StudentT() for column in columns if column.measurement == "real"}
        return {column.name: column.parametric_family() for column in columns} | real
    return None if issparse(X) or np.isin(np.asarray(X), (0, 1)).all() else StudentT()


def threshold(scores: Array, share: float | None) -> float:
    """The score below which that share of the rows lies, or Tukey's fence."""
    if share is not None:
        return float(np.percentile(scores, 100 * share))
    low, high = np.percentile(scores, [25, 75])
    return float(low - FENCE * (high - low) - ROUNDING)


def judged(scores: Array, offset: float) -> Array:
    return np.where(scores < offset, -1, 1)
