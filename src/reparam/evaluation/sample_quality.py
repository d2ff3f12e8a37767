"""Sample quality: functions of real rows (n, ...) and generated rows (m, ...), as numpy arrays.

Distances are Euclidean, between the rows themselves (e.g. pixels) or between features (n, F), which an
`extractor`, a function of rows, computes.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from ..threads import threads_for

Array = NDArray[Any]
TREES = 50
"""Trees of the classifier that tells generated rows from real ones."""
Extractor = Callable[[Any], ArrayLike]


class Likeness(NamedTuple):
    """Fractions in [0, 1], except `density`, which is 1 if both distributions are equal."""

    precision: float
    recall: float
    density: float
    coverage: float


class TwoSample(NamedTuple):
    """The area under the curve, 0.5 if real and generated rows do not differ; mean over folds, and its se."""

    auc: float
    se: float


class Neighbours(NamedTuple):
    """The nearest training rows of each generated row: distances (m, k), nearest first, and row numbers.

    `ratio` (m,) is the first distance over that of the training row to its own nearest neighbour: far below
    1 the generated row is a copy of training data.
    """

    distance: Array
    row: Array
    ratio: Array


def features(X: ArrayLike, extractor: Extractor | None = None) -> Array:
    """(n, F) float64."""
    try:
        rows = np.asarray(X if extractor is None else extractor(X), dtype=np.float64)
    except (ValueError, TypeError):
        raise DataError(
            "samples are compared as numbers, and some columns are text or dates: use numeric columns, or an "
            "extractor, e.g. vae.transform"
        ) from None
    if len(rows) < 2 or not np.isfinite(rows).all():
        raise DataError("likeness needs 2 or more rows of finite numbers: fill missing cells first")
    return rows.reshape(len(rows), -1)


def centred(X: ArrayLike, made: ArrayLike, extractor: Extractor | None) -> tuple[Array, Array]:
    """The features of real and generated rows, less the mean of the real ones; distances do not change."""
    x, y = features(X, extractor), features(made, extractor)
    if x.shape[1] != y.shape[1]:
        raise DataError(
            f"real rows have {x.shape[1]} numbers, generated rows {y.shape[1]}: use the same columns"
        )
    return x - x.mean(0), y - x.mean(0)


def _distances(a: Array, b: Array) -> Iterator[Array]:
    """Distances of a's rows to all of b's, in blocks (some, len(b))."""
    from sklearn.metrics import pairwise_distances_chunked

    yield from pairwise_distances_chunked(a, b, working_memory=64)


def _radii(a: Array, k: int) -> Array:
    """The distance of each row to its k-th nearest neighbour, (n,)."""
    if len(a) <= k:
        raise DataError(f"k={k} neighbours need more than {k} rows; there are {len(a)}")
    return np.concatenate([np.partition(d, k, 1)[:, k] for d in _distances(a, a)])


def likeness(X: ArrayLike, made: ArrayLike, k: int = 5, extractor: Extractor | None = None) -> Likeness:
    """How alike are rows X (n, *E) and generated rows `made` (m, *E), by their features?

    Precision and recall (Kynkaanniemi et al. 2019, equations 1 and 2), density and coverage (Naeem et
    al. 2020, equations 4 and 6), r_k(x) the distance of x to its k-th nearest neighbour in its own set:

    - precision  1/m sum_j 1[exists i: |y_j - x_i| <= r_k(x_i)]
    - recall     1/n sum_i 1[exists j: |x_i - y_j| <= r_k(y_j)]
    - density    1/(k m) sum_ij 1[|y_j - x_i| <= r_k(x_i)]
    - coverage   1/n sum_i 1[exists j: |y_j - x_i| <= r_k(x_i)]
    """
    x, y = centred(X, made, extractor)
    of_x, of_y = _radii(x, k), _radii(y, k)
    inside, recalled, covered = [], [], np.zeros(len(x), dtype=bool)
    for d in _distances(y, x):
        balls = d <= of_x
        inside.append(balls.sum(1))
        covered |= balls.any(0)
    recalled = [(d <= of_y).any(1) for d in _distances(x, y)]
    count = np.concatenate(inside)
    return Likeness(
        precision=float((count > 0).mean()),
        recall=float(np.concatenate(recalled).mean()),
        density=float(count.mean() / k),
        coverage=float(covered.mean()),
    )


def frechet(X: ArrayLike, made: ArrayLike, extractor: Extractor | None = None) -> float:
    """Of rows X (n, *E) and generated rows `made` (m, *E),

    |m_x - m_y|^2 + tr(C_x + C_y - 2 (C_x C_y)^(1/2)), in squared units of the features: the Frechet
    distance of two Gaussians (Dowson and Landau 1982); of Inception's features the FID (Heusel et al. 2017).
    """
    x, y = centred(X, made, extractor)
    cx, cy = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (x, y))
    values, vectors = np.linalg.eigh(cx)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    both = np.sqrt(np.linalg.eigvalsh(root @ cy @ root).clip(0)).sum()
    return float(np.square(x.mean(0) - y.mean(0)).sum() + np.trace(cx) + np.trace(cy) - 2 * both)


def neighbours(
    train: ArrayLike, made: ArrayLike, k: int = 1, extractor: Extractor | None = None
) -> Neighbours:
    """The `k` nearest training rows (n, *E) of each generated row (m, *E): does the model copy its data (Alaa
    et al. 2022)?"""
    from sklearn.neighbors import NearestNeighbors

    x, y = centred(train, made, extractor)
    if len(x) < max(k, 2):
        raise DataError(f"k={k} neighbours need as many training rows; there are {len(x)}")
    search = NearestNeighbors(n_neighbors=max(k, 2)).fit(x)
    distance, index = search.kneighbors(y, k)
    own = search.kneighbors(x[index[:, 0]], 2)[0][:, 1]
    return Neighbours(distance, index, distance[:, 0] / np.maximum(own, np.finfo(float).tiny))


def two_sample(
    X: ArrayLike, made: ArrayLike, classifier: Any = None, folds: int = 5, extractor: Extractor | None = None
) -> TwoSample:
    """The cross-validated AUC of a classifier of rows X (n, *E) against generated rows (m, *E), 0.5 at best
    (Lopez-Paz and Oquab 2017).

    `classifier` is any scikit-learn classifier with probabilities; by default boosted trees.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    x, y = centred(X, made, extractor)
    if min(len(x), len(y)) < folds:
        raise DataError(f"folds={folds} need as many rows of each kind; there are {len(x)} and {len(y)}")
    classifier = classifier or HistGradientBoostingClassifier(max_iter=TREES, random_state=0)
    truth = np.repeat([1, 0], [len(x), len(y)])
    split = StratifiedKFold(folds, shuffle=True, random_state=0)
    both = np.concatenate([x, y])
    with threadpool_limits(threads_for(both.size * TREES)):
        each = cross_val_score(classifier, both, truth, scoring="roc_auc", cv=split)
    return TwoSample(float(each.mean()), float(each.std(ddof=1) / np.sqrt(folds)))
