"""Drawn rows of a table against real ones: columns, pairs of columns, whether a classifier tells them apart,
what a model learns from them, and how close they lie to the training rows.

Columns are numbers (dates too) or categories. Shares and distances of distributions are between 0 and 1.
"""

from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import NearestNeighbors

from ..errors import DataError
from .column_distances import is_number, kolmogorov_smirnov, numbers, total_variation

Array = NDArray[Any]
BINS = 10
"""Quantile bins of a number beside a category."""
FOLDS = 3
MOST = 10_000
"""The most rows of each kind that are compared."""
COMMON = 250
"""The most frequent values of a category that a tree tells apart; the others are one."""


@dataclass(frozen=True)
class Privacy:
    """How close draws lie to training rows, beside how close other real rows do.

    - `closer_to_training`: the share of draws whose nearest training row is nearer than their nearest
      held-out row, of equally many of each; 0.5 if the model does not reproduce training rows.
    - `distance`, `distance_held_out`: the median distance of draws, and of held-out rows, to the nearest
      training row; each column counts from 0 to 1.
    - `copies`, `copies_held_out`: the share of draws, and of held-out rows, that equal a training row.
    """

    closer_to_training: float
    distance: float
    distance_held_out: float
    copies: float
    copies_held_out: float


@dataclass(frozen=True)
class Efficacy:
    """A target column predicted from the others on held-out rows: trained on real rows and on draws. `metric`
    is "AUC" (one class against the others, averaged) or "R2"."""

    target: str
    metric: str
    real: float
    drawn: float


@dataclass(frozen=True)
class DrawQuality:
    """Drawn rows of a table against real ones.

    - `shapes`: of each column, 1 - the Kolmogorov-Smirnov distance of numbers, or 1 - the total variation
      of categories; `missing`: of each column, the share of missing cells in draws less that in real rows.
    - `pairs`: the mean over pairs of columns of 1 - |r - r'| / 2 with Pearson's r of two numbers, or 1 - the
      total variation of the joint frequencies, numbers in BINS quantile bins.
    - `detection`: the cross-validated AUC of gradient-boosted trees that tell draws from real rows, 0.5 at
      best; `detection_by_column`: by one column alone.
    """

    shapes: dict[str, float]
    missing: dict[str, float]
    pairs: float | None
    detection: float
    detection_by_column: dict[str, float]
    efficacy: Efficacy | None = None
    privacy: Privacy | None = None

    @property
    def shape(self) -> float:
        """The mean over columns of `shapes`."""
        return float(np.mean(list(self.shapes.values())))

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the figures, with `shape`, their mean over columns."""
        return {"shape": self.shape} | asdict(self)


def draw_quality(
    real: pd.DataFrame,
    drawn: pd.DataFrame,
    *,
    training: pd.DataFrame | None = None,
    target: str | None = None,
    seed: int = 0,
) -> DrawQuality:
    """Compare draws with real rows that the model was not trained on; both are cut to equally many rows.

    `training`: the rows that it was trained on, for `privacy`, and for `efficacy` of a `target` column.
    DataError where columns differ or rows are too few. The scores of columns and pairs are those of SDMetrics
    (DataCebo 2023: KSComplement, TVComplement, CorrelationSimilarity, ContingencySimilarity); the distances
    are in the spirit of Platzer and Reutterer (2021), "Holdout-based empirical assessment of synthetic data".
    """
    columns = list(real.columns)
    for other in [drawn] if training is None else [drawn, training]:
        if missing := set(columns) - set(other.columns):
            raise DataError(f"the real rows have the column {min(map(str, missing))!r}, the others do not")
    if target is not None and (target not in columns or training is None):
        raise DataError(f"target={target!r} takes a column of the table, and the training rows beside it")
    n = min(len(real), len(drawn), MOST)
    if n < 2 * FOLDS:
        raise DataError(f"draws are compared on {2 * FOLDS} rows of each kind or more, not {n}")
    kinds = Kinds(real[columns] if training is None else pd.concat([real[columns], training[columns]]))
    a, b = (rows[columns].sample(n, random_state=seed) for rows in (real, drawn))
    x, y = kinds.numbers(a), kinds.numbers(b)
    alone = {
        name: classifier_auc(x[:, [j]], y[:, [j]], kinds.is_category[[j]]) for j, name in enumerate(columns)
    }
    return DrawQuality(
        shapes={name: shape(x[:, j], y[:, j], kinds.is_category[j]) for j, name in enumerate(columns)},
        missing={name: float(b[name].isna().mean() - a[name].isna().mean()) for name in columns},
        pairs=pair_trends(x, y, kinds.is_category),
        detection=classifier_auc(x, y, kinds.is_category),
        detection_by_column=alone,
        efficacy=efficacy(kinds, real, drawn, training, target) if target and training is not None else None,
        privacy=None if training is None else privacy(kinds, real, drawn, training, seed),
    )


class Kinds:
    """Which columns of a table are numbers, and the categories of the others."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.names = list(rows.columns)
        kinds = [is_number(rows[name]) for name in self.names]
        self.is_category: Array = ~np.array(kinds)
        self.values = {
            name: pd.Index(rows[name].dropna().astype(str).value_counts().index)
            for name, number in zip(self.names, kinds, strict=True)
            if not number
        }

    def numbers(self, rows: pd.DataFrame) -> Array:
        """(n, columns) float64: numbers, and codes of categories, -1 for an unseen one; NaN where missing."""
        return np.column_stack([self.column(rows[name], name) for name in self.names])

    def column(self, values: pd.Series, name: str) -> Array:
        if name in self.values:
            codes = self.values[name].get_indexer(values.astype(str)).astype(float)
            return np.where(values.isna(), np.nan, codes)
        return numbers(values)


def shape(x: Array, y: Array, is_category: bool) -> float:
    """The likeness of two columns (n,) and (m,), of known cells."""
    x, y = x[~np.isnan(x)], y[~np.isnan(y)]
    if not len(x) or not len(y):
        return float(len(x) == len(y))
    if is_category:
        return 1 - total_variation(*frequencies(x[:, None], y[:, None]))
    return 1 - kolmogorov_smirnov(x, y)


def frequencies(x: Array, y: Array) -> tuple[Array, Array]:
    """Of each value that a row (n, k) has in x or in y, its share of the rows of x, and of those of y."""
    values, places = np.unique(np.concatenate([x, y]), axis=0, return_inverse=True)
    places = places.reshape(-1)
    p, q = (np.bincount(part, minlength=len(values)) / len(part) for part in np.split(places, [len(x)]))
    return p, q


def pair_trends(x: Array, y: Array, is_category: Array) -> float | None:
    """The mean likeness of pairs of columns; None where there are none."""
    likeness = []
    for i, j in combinations(range(x.shape[1]), 2):
        a, b = (rows[:, [i, j]][~np.isnan(rows[:, [i, j]]).any(1)] for rows in (x, y))
        if len(a) < 2 or len(b) < 2:
            continue
        if not is_category[[i, j]].any():
            r, s = correlation(a), correlation(b)
            if r is not None:
                likeness.append(1 - abs(r - (s or 0.0)) / 2)
            continue
        for column, categorical in enumerate(is_category[[i, j]]):
            if not categorical:
                edges = np.unique(np.quantile(a[:, column], np.linspace(0, 1, BINS + 1)[1:-1]))
                for rows in (a, b):
                    rows[:, column] = np.searchsorted(edges, rows[:, column], side="right")
        likeness.append(1 - total_variation(*frequencies(a, b)))
    return float(np.mean(likeness)) if likeness else None


def correlation(rows: Array) -> float | None:
    """Pearson's r of two columns; None where one is constant."""
    return None if (np.ptp(rows, axis=0) == 0).any() else float(np.corrcoef(rows.T)[0, 1])


def classifier_auc(x: Array, y: Array, is_category: Array) -> float:
    """The cross-validated AUC of trees that tell the rows of y from those of x; 0.5 at best."""
    rows = trees_input(np.concatenate([x, y]), is_category)
    kind = np.repeat([0, 1], [len(x), len(y)])
    order = np.random.default_rng(0).permutation(len(rows))
    trees = HistGradientBoostingClassifier(categorical_features=is_category, random_state=0)
    guess = cross_val_predict(trees, rows[order], kind[order], cv=FOLDS, method="predict_proba")[:, 1]
    return float(roc_auc_score(kind[order], guess))


def trees_input(rows: Array, is_category: Array) -> Array:
    """Rows with categories as trees take them: 0 for an unseen one or a rare one."""
    codes = np.where(rows < COMMON, rows + 1, 0)
    return np.where(is_category & ~np.isnan(rows), codes, rows)


def efficacy(
    kinds: Kinds, real: pd.DataFrame, drawn: pd.DataFrame, training: pd.DataFrame, target: str
) -> Efficacy:
    """Trees that predict the target on real rows, trained on the training rows and on the draws."""
    place = kinds.names.index(target)
    others = np.arange(len(kinds.names)) != place
    categorical = bool(kinds.is_category[place])
    test, *trains = (kinds.numbers(rows[kinds.names]) for rows in (real, training, drawn))
    test = test[~np.isnan(test[:, place])]
    if len(np.unique(test[:, place])) < 2:
        raise DataError(f"the column {target!r} has one value in the real rows: take another target")
    figures = []
    for rows in trains:
        rows = rows[~np.isnan(rows[:, place])]
        inputs = [trees_input(part, kinds.is_category)[:, others] for part in (rows, test)]
        model = HistGradientBoostingClassifier if categorical else HistGradientBoostingRegressor
        trees = model(categorical_features=kinds.is_category[others], random_state=0)
        trees.fit(inputs[0], rows[:, place])
        if not categorical:
            figures.append(float(r2_score(test[:, place], trees.predict(inputs[1]))))
            continue
        odds = dict(zip(trees.classes_, trees.predict_proba(inputs[1]).T, strict=True))
        each = [
            roc_auc_score(test[:, place] == value, odds.get(value, np.zeros(len(test))))
            for value in np.unique(test[:, place])
        ]
        figures.append(float(np.mean(each)))
    return Efficacy(target, "AUC" if categorical else "R2", *figures)


def privacy(
    kinds: Kinds, real: pd.DataFrame, drawn: pd.DataFrame, training: pd.DataFrame, seed: int
) -> Privacy:
    """Distances to the nearest training row: numbers by their rank among the training rows, in [0, 1], a
    different or a missing category by 1; summed over columns."""
    n = min(len(real), len(training), MOST)
    known = kinds.numbers(training[kinds.names])

    def placed(rows: pd.DataFrame) -> Array:
        return distances_input(kinds.numbers(rows[kinds.names]), known, kinds.is_category)

    train, held, made = (
        placed(rows.sample(min(len(rows), n), random_state=seed)) for rows in (training, real, drawn)
    )
    nearest = NearestNeighbors(n_neighbors=1, metric="manhattan")
    to_train, held_to_train = (nearest.fit(train).kneighbors(rows)[0][:, 0] for rows in (made, held))
    to_held = nearest.fit(held).kneighbors(made)[0][:, 0]
    closer = (to_train < to_held).mean() + (to_train == to_held).mean() / 2
    exact = {tuple(row) for row in np.nan_to_num(known, nan=-2.0)}
    copies = [
        np.mean([tuple(row) in exact for row in np.nan_to_num(kinds.numbers(rows[kinds.names]), nan=-2.0)])
        for rows in (drawn, real)
    ]
    return Privacy(
        float(closer),
        float(np.median(to_train)),
        float(np.median(held_to_train)),
        *map(float, copies),
    )


def distances_input(rows: Array, known: Array, is_category: Array) -> Array:
    """(n, F), whose Manhattan distances are those of `privacy`: ranks, and halves of one-hot codes."""
    parts = []
    for column, categorical in enumerate(is_category):
        values, seen = rows[:, column], known[:, column]
        if categorical:
            codes = np.nan_to_num(values, nan=-2.0)[:, None] == np.unique(np.nan_to_num(seen, nan=-2.0))
            parts.append(codes / 2)
            continue
        order = np.sort(seen[~np.isnan(seen)])
        rank = (np.searchsorted(order, values, "left") + np.searchsorted(order, values, "right")) / 2
        gone = np.isnan(values)
        parts.append(np.where(gone, 0.0, rank / max(len(order), 1))[:, None])
        parts.append(gone[:, None] * 1.0)
    return np.hstack(parts)
