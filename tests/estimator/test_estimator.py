"""The scikit-learn contract, determinism, and refusals with their messages."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from reparam import (
    ELBO,
    IWAE,
    MLP,
    VAE,
    Auxiliary,
    Bernoulli,
    Conv,
    CrossEntropy,
    DataError,
    Fixed,
    Gaussian,
    Given,
    Point,
    RMSprop,
    Shared,
    SpecError,
    StandardNormal,
    Training,
)
from reparam.training.trainer import Progress, Trainer
from tests.estimator.helpers import RANDOM_BATCHES

SHORT = Training(epochs=2)
X = np.random.default_rng(0).normal(size=(80, 5))
BITS = (X > 0).astype(float)


def test_check_estimator() -> None:
    results = check_estimator(
        VAE(2, encoder=MLP((16,)), training=SHORT), on_skip=None, expected_failed_checks=RANDOM_BATCHES
    )
    others = {r["check_name"] for r in results if r["status"] != "passed"}
    assert others <= {"check_array_api_input", *RANDOM_BATCHES}


def test_warm_start_goes_on() -> None:
    X = np.random.default_rng(0).normal(size=(80, 1)) + 0.1 * BITS
    vae = VAE(2, training=SHORT, random_state=0).fit(X)
    head: Any = vae.model_.likelihood
    first, units = vae.score(X), head.scale.clone()
    vae.set_params(warm_start=True, training=Training(epochs=20)).fit(X)
    assert vae.score(X) > first and len(vae.history_) == 22
    vae.fit(X * 1.1)
    head = vae.model_.likelihood
    assert torch.equal(units, head.scale)
    vae.set_params(warm_start=False, training=SHORT).fit(X)
    assert vae.score(X) == first and len(vae.history_) == 2


def test_pipeline_and_grid_search() -> None:
    pipe = make_pipeline(StandardScaler(), VAE(2, training=SHORT, random_state=0))
    grid = {"vae__latent_dim": [1, 2], "vae__prior": [StandardNormal(), Gaussian(Fixed(0), Fixed(2))]}
    search = GridSearchCV(pipe, grid, cv=2).fit(X)
    assert search.best_estimator_.transform(X).shape[1] == search.best_params_["vae__latent_dim"]
    assert pipe.set_output(transform="pandas").fit_transform(X).columns.tolist() == ["vae0", "vae1"]


def test_many_rows_are_decoded_pass_by_pass() -> None:
    y = np.repeat([0, 1], 40)
    vae = VAE(2, labels=Given(2), training=Training(epochs=60, batch_size=16), random_state=0)
    vae.fit(X + 20 * y[:, None], y)
    asked = np.tile([0, 1], 1250)
    drawn = vae.sample(2500, label=asked)
    assert drawn.shape == (2500, 5) and len(np.unique(drawn[:, 0])) == 2500
    assert ((drawn.mean(1) > 10) == asked).mean() > 0.98
    Z = np.random.default_rng(1).normal(size=(2500, 2))
    few = vae.inverse_transform(Z[[0, 1023, 1024, 2499]], asked[[0, 1023, 1024, 2499]])
    assert np.allclose(vae.inverse_transform(Z, asked)[[0, 1023, 1024, 2499]], few, atol=1e-4)
    assert vae.inverse_transform(np.empty((0, 2)), 1).shape == (0, 5)


def test_same_seed_same_model_bit_for_bit() -> None:
    a, b = (VAE(2, training=SHORT, random_state=7).fit(X) for _ in range(2))
    for p, q in zip(a.model_.state_dict().values(), b.model_.state_dict().values(), strict=True):
        assert torch.equal(p, q)
    np.testing.assert_array_equal(a.sample(9), b.sample(9))


def test_a_listener_changes_nothing() -> None:
    quiet, heard = VAE(2, training=SHORT, random_state=7), VAE(2, training=SHORT, random_state=7)
    quiet.fit(X)
    for _ in heard.fit_iter(X):
        torch.randn(5)
        heard.sample(3)
    np.testing.assert_array_equal(quiet.score_samples(X), heard.score_samples(X))


def test_a_row_is_scored_alone() -> None:
    vae = VAE(2, training=SHORT, random_state=0).fit(X)
    whole = vae.score_samples(X)
    np.testing.assert_allclose(whole[3:4], vae.score_samples(X[3:4]), rtol=1e-5)
    np.testing.assert_array_equal(vae.reconstruct(X), vae.reconstruct(X))


@pytest.mark.parametrize("shape", [(7, 9), (1, 5, 4), (3, 8, 6), (6, 5, 3), (1, 1)])
@pytest.mark.parametrize("network", [MLP((16,)), Conv((4, 8), hidden=(16,))])
def test_any_picture_shape(shape: tuple[int, ...], network: MLP | Conv) -> None:
    images = np.random.default_rng(0).uniform(size=(40, *shape)).astype(np.float32)
    vae = VAE(3, encoder=network, training=SHORT, random_state=0).fit(images)
    assert vae.sample(2).shape == vae.reconstruct(images[:2]).shape == (2, *shape)
    assert vae.sample(2).dtype == np.float32


def test_ladder_trains_encodes_and_scores() -> None:
    vae = VAE((2, 3), training=SHORT, random_state=0).fit(X)
    assert vae.transform(X).shape == (80, 5) and np.isfinite(vae.score_samples(X)).all()
    assert vae.inverse_transform(vae.transform(X)).shape == X.shape
    np.testing.assert_allclose(vae.inverse_transform(vae.transform(X)), vae.reconstruct(X), rtol=1e-5)


def test_patience_keeps_the_best_epoch() -> None:
    training = Training(epochs=200, batch_size=16, learning_rate=1e-2, validation=0.25, patience=5)
    vae = VAE(2, training=training, random_state=0).fit(X)
    bounds = [row["validation"] for row in vae.history_]
    assert len(bounds) < 200 and len(bounds) - 1 - int(np.argmax(bounds)) == 5


def test_auxiliary_evidence_sums_over_classes() -> None:
    """log sum_y p(y) p(x|y): recomputed with one conditional estimate a class."""
    y = (X[:, 0] > 0).astype(int)
    vae = VAE(2, labels=Auxiliary(2), training=SHORT, random_state=0).fit(X, y)
    x = torch.tensor(X[:4], dtype=torch.float32)
    torch.manual_seed(0)
    trace = vae.model_(x, samples=3)
    each = [vae.model_.decode(trace.state, torch.eye(2)[k].expand(1, 1, 2)).log_prob(x) for k in (0, 1)]
    freq = np.bincount(y) / len(y)
    by_hand = np.log(sum(f * np.exp(e.detach().double().numpy()) for f, e in zip(freq, each, strict=True)))
    np.testing.assert_allclose(trace.log_likelihood.detach().numpy(), by_hand, rtol=1e-4)
    assert vae.predict(X).shape == (80,) and np.allclose(vae.predict_proba(X).sum(1), 1, atol=1e-5)


def test_point_has_no_likelihood() -> None:
    vae = VAE(2, posterior=Point(), objective=ELBO(beta=0), training=SHORT, random_state=0).fit(X)
    result = vae.evaluate(X)
    assert result.log_likelihood is None and result.rate is None and "Point" in result.warnings[0]
    assert vae.history_[-1]["rate"] is None and np.isfinite(vae.score_samples(X)).all()


def test_a_conditional_model_draws_its_class() -> None:
    y = np.repeat(["low", "high"], 40)
    rows = np.where(y == "low", -5.0, 5.0)[:, None] + 0.1 * X
    vae = VAE(1, labels=Given(2), training=Training(epochs=150), random_state=0).fit(rows, y)
    assert vae.sample(50, label="low").mean() < -4 and vae.sample(50, label="high").mean() > 4
    assert np.isfinite(vae.score_samples(rows, y)).all()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: VAE(likelihood=Bernoulli()).fit(X), DataError, r"Bernoulli needs values in \{0, 1\}; X has"),
        (lambda: VAE(likelihood=Bernoulli(grey="expected")).fit(BITS * 255), DataError, "Divide pixels"),
        (lambda: VAE().fit(np.full((5, 2), np.nan)), ValueError, "NaN"),
        (lambda: VAE(labels=Given(3)).fit(X, BITS[:, 0]), DataError, r"2 classes.*Use Given\(2\)"),
        (lambda: VAE(labels=Given(2)).fit(X), DataError, r"needs y"),
        (lambda: VAE(labels=Given(2)).fit(X, [0, 1]), DataError, "X has 80 rows"),
        (lambda: VAE(posterior=Point()).fit(X), SpecError, r"Use ELBO\(beta=0\)"),
        (lambda: VAE(objective=CrossEntropy()).fit(X), SpecError, "exactly one bound"),
        (lambda: VAE(objective=(ELBO(), ELBO(2))).fit(X), SpecError, "exactly one bound"),
        (lambda: VAE(objective=(ELBO(), CrossEntropy())).fit(X), SpecError, "no classifier to train"),
        (lambda: VAE(objective=(ELBO(), IWAE())).fit(X), SpecError, "exactly one bound"),
        (lambda: VAE(encoder=Conv()).fit(X), SpecError, "Conv needs images"),
        (lambda: VAE(latent_dim=0).fit(X), SpecError, r"labels=Given"),
        (lambda: VAE(latent_dim=-1).fit(X), SpecError, "1 or more"),
        (
            lambda: VAE(likelihood=cast(Any, "gaussian")).fit(X),
            SpecError,
            "VAE.likelihood takes Gaussian | Bernoulli",
        ),
        (lambda: VAE(training=SHORT).fit(X).transform(X[:, :3]), ValueError, "features"),
        (lambda: VAE(training=SHORT).fit(X).sample(2, label=1), DataError, "has no labels"),
        (lambda: MLP((0,)), SpecError, "widths of 1 or more"),
        (lambda: Training(epochs=9, patience=3), SpecError, "set validation"),
        (lambda: Training(patience=0, validation=0.1), SpecError, "patience .*1 or more"),
        (lambda: Training(clip=-1.0), SpecError, "must be above 0"),
        (lambda: Training(skip=0.0), SpecError, "must be above 0"),
    ],
)
def test_refusals_name_fault_and_cure(make, error, message) -> None:
    with pytest.raises(error, match=message):
        make()


def test_predict_exists_only_with_a_label_head() -> None:
    assert not hasattr(VAE(), "predict") and hasattr(VAE(labels=Auxiliary(2)), "predict")


def test_images_from_codes_chosen_by_hand() -> None:
    """Article 004: real-valued codes, no encoder; the decoder memorises an image a code."""
    images = np.random.default_rng(0).uniform(size=(3, 6, 6))
    codes = ((3.3, 4.5, 2.1, 9.8), (3.4, 2.1, 6.7, 4.2), (0.1, 7.0, 2.0, 1.0))
    vae = VAE(
        latent_dim=0,
        encoder=MLP((64,), "tanh"),
        likelihood=Gaussian(scale=Fixed(0.5**0.5)),
        labels=Given(3, codes=codes),
        training=Training(epochs=300),
        random_state=0,
    ).fit(images, [0, 1, 2])
    assert np.abs(vae.sample(3, label=[0, 1, 2], mean=True) - images).max() < 0.05
    assert vae.evaluate(images[:1], [0]).log_likelihood.se is None
    exact = -36 * np.log(np.sqrt(np.pi))
    np.testing.assert_allclose(vae.score_samples(images, [0, 1, 2]), exact, atol=0.2)


def test_a_threshold_is_seen_by_every_verb() -> None:
    grey = np.random.default_rng(0).random((60, 6))
    vae = VAE(2, likelihood=Bernoulli(grey="threshold"), labels=Auxiliary(2), training=SHORT, random_state=0)
    vae.fit(grey, np.arange(60) % 2)
    bits = (grey > 0.5).astype(float)
    for verb in (vae.transform, vae.reconstruct, vae.predict_proba, vae.score_samples):
        np.testing.assert_array_equal(verb(grey), verb(bits))


def test_a_refused_fit_changes_nothing() -> None:
    words = pd.DataFrame({"a": list("xyz") * 20, "b": np.arange(60) % 7 + 0.5})
    vae = VAE(2, training=SHORT, random_state=0).fit(words)
    before = vae.transform(words)
    vae.set_params(objective=(ELBO(), ELBO()))
    with pytest.raises(SpecError):
        vae.fit(words.assign(a=list("wvu") * 20))
    np.testing.assert_array_equal(vae.transform(words), before)


def test_who_stops_listening_has_a_model() -> None:
    fixed: dict[str, Any] = {"objective": ELBO(), "random_state": 0}
    vae = VAE(2, training=Training(epochs=50, learning_rate=1e-3, ema=0.9), **fixed)
    for progress in vae.fit_iter(X):
        if progress.epoch == 3:
            break
    short = VAE(2, training=Training(epochs=3, learning_rate=1e-3, ema=0.9), **fixed).fit(X)
    assert not vae.model_.training and not hasattr(vae, "trainer_")
    np.testing.assert_array_equal(vae.transform(X), short.transform(X))


def test_further_training_knows_how_many_rows_there_are(tmp_path: Path) -> None:
    VAE(2, training=SHORT, random_state=0).fit(X).save(tmp_path / "m.safetensors")
    vae = VAE.load(tmp_path / "m.safetensors").set_params(warm_start=True)
    assert vae.fit(np.concatenate([X, X])).model_.n_data == 160


def test_a_long_history_fits_into_a_file(tmp_path: Path) -> None:
    vae = VAE(2, training=SHORT, random_state=0).fit(X)
    vae.history_ = vae.history_[-1:] * 5000
    vae.save(tmp_path / "m.safetensors")
    assert len(VAE.load(tmp_path / "m.safetensors").history_) == 5000


def test_a_column_and_rows_of_nothing() -> None:
    rows = X.copy()
    vae = VAE(2, likelihood=Gaussian(scale=Shared()), training=SHORT, random_state=0).fit(rows)
    rows[:, 1] = np.nan
    table = pd.DataFrame(rows, columns=list("abcde"))
    framed = VAE(2, training=SHORT, random_state=0).fit(table.assign(b=X[:, 1]))
    found = framed.evaluate(table).to_dict()
    assert json.loads(json.dumps(found, allow_nan=False))["distortion_by_column"]["b"] is None
    nothing = vae.evaluate(np.full((3, 5), np.nan))
    assert nothing.log_likelihood.mean == pytest.approx(0, abs=0.1) and nothing.bits_per_dim is None


def test_impute_gives_back_the_type_of_an_array(tmp_path: Path) -> None:
    vae = VAE(2, likelihood=Gaussian(scale=Shared()), training=SHORT, random_state=0).fit(X)
    holes = X[:4].copy()
    holes[1, 2] = np.nan
    filled = vae.impute(holes)
    assert vae.impute(holes.astype(object)).dtype == float
    np.testing.assert_array_equal(vae.impute(np.where(np.isnan(holes), None, holes).tolist()), filled)


def test_annealing_leaves_torchs_random_numbers_alone() -> None:
    vae = VAE(2, training=SHORT, random_state=0).fit(X)
    before = torch.get_rng_state()
    vae.evaluate(X[:4], k=2, ais=2)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_step_that_overflows_can_be_skipped() -> None:
    """The third batch of eight has an infinite loss; the figures are the means of the other seven."""

    def trained(skip: float | None) -> tuple[Progress, list[float]]:
        model = VAE(2, training=SHORT, random_state=0).fit(X).model_
        trainer = Trainer(model, (ELBO(),), Training(epochs=1, batch_size=10, skip=skip), 0)
        step: Any = trainer.step
        own = step.loss
        seen: list[float] = []

        def bursting(x: torch.Tensor, y: None, step: int) -> tuple[torch.Tensor, torch.Tensor, object]:
            loss, figures, trace = own(x, y, step)
            burst = math.inf if len(seen) == 2 else 1.0
            seen.append(float(figures[0]) * burst)
            return loss * burst, figures * burst, trace

        step.loss = bursting
        return next(trainer.run((torch.as_tensor(X, dtype=torch.float32), None))), seen

    progress, losses = trained(skip=1e3)
    assert progress.loss == pytest.approx(np.mean([loss for loss in losses if loss < math.inf]))
    with pytest.warns(UserWarning, match="goes on from the start of epoch 1 with half the learning rate"):
        again, every = trained(skip=None)
    assert again.loss == pytest.approx(np.mean(every[len(every) // 2 :]))


def test_a_training_goes_on_with_its_own_optimiser(tmp_path: Path) -> None:
    vae = VAE(2, training=SHORT, random_state=0)
    for _ in vae.fit_iter(X):
        vae.save_training(tmp_path / "t.safetensors")
    other = VAE(2, training=Training(epochs=4, optimiser=RMSprop()), random_state=0)
    with pytest.raises(SpecError, match=r"training\.optimiser differ"):
        next(other.fit_iter(X, resume=tmp_path / "t.safetensors"))


def test_rows_beyond_every_number_score_lowest_and_are_named() -> None:
    vae = VAE(2, training=Training(epochs=30), random_state=0).fit(X)
    rows = np.concatenate([X, np.full((2, 5), 1e6)])
    assert (vae.score_samples(rows)[-2:] < vae.score_samples(X).min()).all()
    found = vae.evaluate(rows, k=3)
    if not np.isfinite(vae.score_samples(rows)).all():
        assert found.log_likelihood.mean == -math.inf and "2 of 82 rows" in " ".join(found.warnings)
        assert found.to_dict()["log_likelihood"]["mean"] is None
    assert found.elbo < vae.evaluate(X, k=3).elbo


def test_a_file_remembers_the_seed(tmp_path: Path) -> None:
    vae = VAE(2, training=SHORT, random_state=3).fit(X)
    vae.save(tmp_path / "m.safetensors")
    again = VAE.load(tmp_path / "m.safetensors")
    assert again.random_state == 3
    np.testing.assert_array_equal(again.score_samples(X), vae.score_samples(X))
    np.testing.assert_array_equal(clone(again).fit(X).transform(X), vae.transform(X))
    drawn = VAE(2, training=SHORT, random_state=None).fit(X)
    drawn.save(tmp_path / "m.safetensors")
    redone = clone(VAE.load(tmp_path / "m.safetensors")).fit(X)
    np.testing.assert_array_equal(redone.transform(X), drawn.transform(X))


def test_a_fit_that_was_left_open_ends_in_silence() -> None:
    code = "import torch; from reparam import VAE, Training\n"
    code += "left = VAE(1, training=Training(epochs=9)).fit_iter(torch.rand(9, 2).numpy()); next(left)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
