"""AnomalyDetector: scikit-learn's contract, its thresholds, reasons, and values never seen."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import check_estimator

from reparam import (
    MLP,
    VAE,
    AnomalyDetector,
    Covariates,
    DataError,
    Gaussian,
    Given,
    Shared,
    SpecError,
    Training,
)
from reparam.estimator import anomaly_detector
from tests.estimator.helpers import RANDOM_BATCHES

BRIEF = Training(epochs=2)
RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=(300, 4)) @ RNG.normal(size=(4, 4))
SPIKED = np.concatenate([NORMAL, NORMAL[:15] + 8 * RNG.choice([-1, 1], size=(15, 4))])
TRUTH = np.arange(315) >= 300


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few training steps, where scores need not be good."""
    monkeypatch.setattr(anomaly_detector, "DEEP_STEPS", 100)


@pytest.mark.parametrize("novelty", [False, True])
def test_check_estimator(novelty: bool) -> None:
    # columns of a frame have likelihoods of their own unless one is given, and scores differ from an array's
    vae = VAE(2, encoder=MLP((8,)), likelihood=Gaussian(scale=Shared()), training=BRIEF)
    detector = AnomalyDetector(vae, novelty=novelty)
    results = check_estimator(detector, on_skip=None, expected_failed_checks=RANDOM_BATCHES)
    others = {r["check_name"] for r in results if r["status"] != "passed"}
    assert others <= {"check_array_api_input", *RANDOM_BATCHES}


def test_it_finds_what_was_added() -> None:
    detector = AnomalyDetector(contamination=15 / 315, random_state=0)
    found = detector.fit_predict(SPIKED)
    assert set(found) == {-1, 1} and (found == -1).sum() == 15
    assert roc_auc_score(TRUTH, -detector.scores_) > 0.98
    np.testing.assert_array_equal(found, np.where(detector.scores_ < detector.offset_, -1, 1))
    usual = AnomalyDetector(random_state=0).fit(NORMAL)
    low, high = np.percentile(usual.scores_, [25, 75])
    assert usual.offset_ == pytest.approx(low - 1.5 * (high - low), abs=1e-3)


def test_new_rows_need_novelty(short: None) -> None:
    with pytest.raises(AttributeError) as refused:
        AnomalyDetector().fit(NORMAL).predict  # noqa: B018
    assert "novelty=True" in str(refused.value.__cause__)
    detector = AnomalyDetector(novelty=True, contamination=0.05, random_state=0).fit(NORMAL)
    far = np.concatenate([NORMAL[:1], NORMAL[:1] + 1e3, np.full((1, 4), 1e17)])
    scores = detector.decision_function(far)
    assert np.isfinite(scores).all() and scores[0] > scores[1] >= scores[2] and scores[0] > scores[2]
    np.testing.assert_array_equal(detector.predict(far), [1, -1, -1])
    np.testing.assert_allclose(scores, detector.score_samples(far) - detector.offset_)
    for wrong in (0, 0.6, "some"):
        with pytest.raises(SpecError, match="contamination"):
            AnomalyDetector(contamination=wrong).fit(NORMAL)


def test_a_changed_constant_is_the_strangest(short: None) -> None:
    rows = np.column_stack([NORMAL, np.full(300, 7.0)])
    new = rows[:3].copy()
    new[1, 4], new[2, 0] = 7.5, 12.0
    scores = AnomalyDetector(novelty=True, random_state=0).fit(rows).score_samples(new)
    assert scores.argmin() == 1 and scores[1] < scores[2] - 100


def table(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "blue"], n)
    size = np.where(colour == "red", 10.0, 20.0) + rng.normal(size=n)
    return pd.DataFrame(
        {"colour": colour, "size": size, "unit": "cm", "weight": 3 * size + rng.normal(size=n)}
    )


def test_a_value_never_seen_lowers_the_score_by_its_probability() -> None:
    frame = table()
    vae = VAE(2, training=Training(epochs=3), random_state=0).fit(frame)
    hole, new, constant = frame.head(1).copy(), frame.head(1).copy(), frame.head(1).copy()
    hole["colour"], new["colour"], constant["unit"] = None, "green", "inch"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        missing, unseen, changed = (vae.score(each) for each in (hole, new, constant))
        cells = vae.score_cells(new).to_numpy()
    assert unseen == pytest.approx(missing - np.log(201))
    assert changed == pytest.approx(vae.score(frame.head(1)) - np.log(201))
    assert cells[0, 0] == pytest.approx(-np.log(201)) and np.isfinite(cells).all()


def test_reasons_name_the_cell_and_what_was_expected() -> None:
    frame = table()
    frame.loc[5, "weight"] = 200.0
    frame.loc[7, "colour"] = "blue" if frame.colour[7] == "red" else "red"
    detector = AnomalyDetector(random_state=0).fit(frame)
    heavy = detector.explain(frame.iloc[[5, 7]])[0][0]
    assert heavy.column == "weight" and heavy.value == 200 and 20 < heavy.expected < 75 and heavy.nats > 5
    assert repr([heavy]).startswith("[<weight=200 (expected ")
    assert str(heavy).startswith("weight=200 (expected ")
    assert set(np.argsort(detector.scores_)[:2]) == {5, 7}
    assert len(detector.explain(frame.head(4), most=2)) == 4


@pytest.mark.parametrize(
    "X", [csr_matrix(RNG.poisson(2.0, (60, 5)).astype(float)), RNG.random((40, 6, 6)) > 0.5]
)
def test_counts_and_pictures(X: Any) -> None:
    X = X if hasattr(X, "tocsr") else X.astype(np.float32)
    detector = AnomalyDetector(VAE(2, encoder=MLP((8,)), training=BRIEF), random_state=0)
    assert detector.fit_predict(X).shape == (X.shape[0],)
    assert all(len(each) <= 3 for each in detector.explain(X[:5]))


def heights() -> tuple[pd.DataFrame, Any]:
    """Rows and ages; row 11 has a height that is common, but not at its age."""
    rng = np.random.default_rng(0)
    old = rng.random(300) < 0.5
    rows = pd.DataFrame({"height": np.where(old, 170.0, 110.0) + rng.normal(0, 4, 300)})
    rows["weight"] = rows["height"] / 3 + rng.normal(0, 2, 300)
    rows.loc[11] = [170.0, 57.0]
    old[11] = False
    return rows, np.where(old, "old", "young")


def test_without_its_covariates_it_is_no_anomaly() -> None:
    scores = AnomalyDetector(random_state=0).fit(heights()[0]).scores_
    assert scores.argsort().tolist().index(11) > 30


@pytest.mark.parametrize("form", ["frame", "mapping", "classes"])
def test_an_anomaly_for_its_covariates(form: str, short: None) -> None:
    """Its reason expects a height of the age."""
    rows, age = heights()
    y: Any = {"frame": pd.DataFrame({"age": age}), "mapping": {"age": age}, "classes": age}[form]
    labels = Given(2) if form == "classes" else Covariates()
    detector = AnomalyDetector(labels=labels, novelty=True, random_state=0).fit(rows, y)
    assert detector.scores_.argmin() == 11
    one: Any = {
        "frame": y[11:12] if form == "frame" else y,
        "mapping": {"age": "young"},
        "classes": ["young"],
    }
    told = one[form]
    assert detector.predict(rows[11:12], told).tolist() == [-1]
    assert detector.decision_function(rows[11:12], told)[0] == pytest.approx(
        detector.score_samples(rows[11:12], told)[0] - detector.offset_
    )
    reason = detector.explain(rows[11:12], y=told)[0][0]
    assert reason.column == "height" and reason.expected < 150
    with pytest.raises(DataError, match=r"conditional on age: y is needed|needs y"):
        detector.predict(rows)
    with pytest.raises(SpecError, match=r"AnomalyDetector\(VAE\(labels=...\)\)"):
        AnomalyDetector(VAE(2), labels=labels).fit(rows, y)


def test_a_frame_without_rows_is_refused() -> None:
    with pytest.raises(DataError):
        AnomalyDetector().fit(table().head(0))


def test_no_row_is_too_far_for_the_encoder() -> None:
    vae = VAE(2, training=Training(epochs=20), random_state=0).fit(
        np.column_stack([NORMAL, np.full(300, -0.06)])
    )
    far = np.column_stack([NORMAL[:3], [-0.06, 13.0, 1e6]])
    scores = vae.score_samples(far)
    assert np.isfinite(scores).all() and scores[0] > scores[1] > scores[2]
    assert np.isfinite(vae.evaluate(far, k=5).log_likelihood.mean)
