"""Weights of rows: how often each is drawn, and what the fitted model then is."""

import numpy as np
import pytest
import torch

import reparam
from reparam import MLP, VAE, AnomalyDetector, DataError, Training
from reparam.data.batching import Weighted, digest_of, part

RNG = np.random.default_rng(0)
SMALL = MLP((8,))
BRIEF = Training(epochs=3)


def test_rows_are_drawn_in_proportion_to_their_weights() -> None:
    weights = torch.tensor([0.0, 1.0, 2.0, 0.5, 1.5])
    rows = Weighted(torch.arange(5.0)[:, None], weights)
    torch.manual_seed(0)
    draws = torch.stack([rows.drawn().bincount(minlength=5) for _ in range(4000)]).double()
    expected = 5 * weights / weights.sum()
    assert bool((draws >= expected.floor()).all() and (draws <= expected.ceil()).all())
    torch.testing.assert_close(draws.mean(0), expected.double(), atol=0.03, rtol=0)
    some = part(rows, torch.tensor([4, 1]))
    assert isinstance(some, Weighted) and some.weights.tolist() == [1.5, 1.0]
    assert digest_of((rows, None)) != digest_of((Weighted(rows.rows, weights + 1), None))


def test_equal_weights_change_nothing() -> None:
    X = RNG.normal(size=(130, 3))
    plain = VAE(2, encoder=SMALL, training=BRIEF, random_state=0).fit(X)
    for weight in (np.full(130, 0.3), 7):
        same = VAE(2, encoder=SMALL, training=BRIEF, random_state=0).fit(X, sample_weight=weight)
        np.testing.assert_allclose(same.transform(X), plain.transform(X), atol=0.05)


def test_a_model_of_weighted_rows_is_one_of_the_rows_with_weight() -> None:
    """Two groups: with weights 3 to 1 the mean of the model is the weighted one, with 1 to 0 the first's."""
    X = np.r_[RNG.normal(-2, 0.3, size=(100, 2)), RNG.normal(2, 0.3, size=(100, 2))]
    training = Training(epochs=120, batch_size=50)
    for weights, mean in (((1, 0), -2.0), ((3, 1), -1.0)):
        each = np.repeat(weights, 100)
        vae = VAE(1, encoder=SMALL, training=training, random_state=0).fit(X, sample_weight=each)
        drawn = vae.sample(4000, random_state=0)
        assert drawn.mean() == pytest.approx(mean, abs=0.35)
    assert vae.score(X, sample_weight=each) == pytest.approx(
        np.average(vae.score_samples(X), weights=each), rel=1e-5
    )


def test_held_out_rows_are_weighted_too_and_others_are_refused() -> None:
    X = RNG.normal(size=(90, 3))
    weights = np.r_[np.zeros(45), np.ones(45)]
    X[:45] = 1e6
    stops = Training(validation=0.5, patience=5, epochs=5)
    vae = VAE(2, encoder=SMALL, training=stops, random_state=0).fit(X, sample_weight=weights)
    assert all(row["validation"] > -100 for row in vae.history_)
    detector = AnomalyDetector(vae=VAE(2, encoder=SMALL, training=BRIEF), random_state=0)
    assert (detector.fit(X, sample_weight=weights).scores_[:45] < detector.scores_[45:].min()).all()
    for wrong in (np.ones(3), -np.ones(90), np.zeros(90), np.full(90, np.nan), ["a"] * 90):
        with pytest.raises(DataError, match="sample_weight"):
            VAE(2, training=BRIEF).fit(X, sample_weight=wrong)


def test_weights_are_routed_by_scikit_learn() -> None:
    import sklearn
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X = RNG.normal(size=(60, 3))
    with sklearn.config_context(enable_metadata_routing=True):
        vae = VAE(2, encoder=SMALL, training=BRIEF, random_state=0).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        weights = np.r_[np.zeros(30), np.ones(30)]
        found = make_pipeline(scaler, vae).fit(X, sample_weight=weights)
    alone = VAE(2, encoder=SMALL, training=BRIEF, random_state=0).fit(
        StandardScaler().fit(X, sample_weight=weights).transform(X), sample_weight=weights
    )
    np.testing.assert_allclose(found.transform(X), alone.transform(found[0].transform(X)), atol=1e-6)
    assert reparam.VAE is VAE
