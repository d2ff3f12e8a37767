"""Likeness of samples against closed forms and counts by hand."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression

from reparam import DataError
from reparam.evaluation import sample_quality as likeness

rng = np.random.default_rng(0)
X, SAME = rng.normal(size=(400, 4)), rng.normal(size=(400, 4))


def test_counts_by_hand() -> None:
    y, k = 0.7 * rng.normal(size=(150, 4)) + 0.3, 5
    d, r_x, r_y = cdist(y, X), np.sort(cdist(X, X))[:, k], np.sort(cdist(y, y))[:, k]
    found = likeness.likeness(X, y, k)
    assert found.precision == pytest.approx((d <= r_x).any(1).mean())
    assert found.recall == pytest.approx((r_y >= d.T).any(1).mean())
    assert found.density == pytest.approx((d <= r_x).sum() / (k * len(y)))
    assert found.coverage == pytest.approx((d <= r_x).any(0).mean())


def test_the_same_law_is_like_itself_and_a_mode_covers_little() -> None:
    """Coverage of the same law is 1 - (n-1)...(n-k) / ((2n-1)...(2n-k)) (Naeem et al. 2020, lemma 2)."""
    same, far = likeness.likeness(X, SAME), likeness.likeness(X, SAME + 100)
    expected = 1 - np.prod([(400 - i) / (800 - i) for i in range(1, 6)])
    assert same.coverage == pytest.approx(expected, abs=0.04) and same.density == pytest.approx(1, abs=0.1)
    assert tuple(far) == (0, 0, 0, 0)
    mode = likeness.likeness(X, 0.1 * SAME)
    assert mode.precision > 0.95 and mode.recall < 0.2 and mode.coverage < 0.5


def test_frechet_is_the_distance_of_gaussians() -> None:
    y = SAME @ rng.normal(size=(4, 4)) + 2
    a, b = np.cov(X.T), np.cov(y.T)
    by_hand = ((X.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert likeness.frechet(X, y) == pytest.approx(by_hand)
    assert likeness.frechet(X, X) == pytest.approx(0, abs=1e-9)
    assert likeness.frechet(X, X + 1, extractor=lambda rows: rows[:, :2]) == pytest.approx(2)


def test_memories_are_found() -> None:
    made = np.concatenate([X[:10] + 1e-6, SAME[:10]])
    found = likeness.neighbours(X, made, k=2)
    np.testing.assert_array_equal(found.row[:10, 0], range(10))
    by_hand = np.sort(cdist(made, X))[:, :2]
    np.testing.assert_allclose(found.distance, by_hand)
    assert found.ratio[:10].max() < 1e-3 < 0.2 < np.median(found.ratio[10:])


def test_two_samples_are_told_apart_as_far_as_they_differ() -> None:
    """Two Gaussians 2 apart: the best AUC is Phi(2 / sqrt 2) = 0.921."""
    shifted = SAME + np.array([2, 0, 0, 0])
    assert abs(likeness.two_sample(X, SAME).auc - 0.5) < 0.08
    found = likeness.two_sample(X, shifted, LogisticRegression())
    assert found.auc == pytest.approx(0.921, abs=0.03) and found.se < 0.03
    assert likeness.two_sample(X, 3 * SAME).auc > 0.9


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(DataError, match="fill missing"):
        likeness.frechet(X * np.nan, X)
    with pytest.raises(DataError, match="more than 5 rows"):
        likeness.likeness(X[:4], X)
    with pytest.raises(DataError, match="3 numbers, generated rows 4"):
        likeness.frechet(X[:, :3], X)
    with pytest.raises(DataError, match="folds=5"):
        likeness.two_sample(X[:4], X)
    with pytest.raises(DataError, match="k=9 neighbours"):
        likeness.neighbours(X[:8], X, k=9)


def test_where_the_data_lie_does_not_matter() -> None:
    here, there = likeness.likeness(X, SAME), likeness.likeness(X + 1e7, SAME + 1e7)
    np.testing.assert_allclose(there, here, atol=1e-6)
