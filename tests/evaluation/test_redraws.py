"""Compiled draws of importance sampling give the numbers of those that are not compiled."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import Distribution

from reparam import (
    MLP,
    VAE,
    Auxiliary,
    Conv,
    Enumerated,
    Flow,
    Gaussian,
    Given,
    Shared,
    StudentT,
    Training,
    VampPrior,
)
from reparam.compilation.recorded import Recorded
from reparam.evaluation import redraws

N = 150
X = np.random.default_rng(0).normal(size=(N, 6)).astype(np.float32)
Y = np.arange(N) % 3
HOLES = np.where(np.random.default_rng(1).random(X.shape) < 0.2, np.nan, X)
HOLES[-30:] = X[-30:]  # the last batch has no holes
MODELS: dict[str, tuple[dict[str, Any], np.ndarray, np.ndarray | None]] = {
    "plain": ({}, X, None),
    "holes": ({"likelihood": Gaussian(scale=Shared())}, HOLES, None),
    "a prior of pseudo-inputs": ({"prior": VampPrior(5)}, X, None),
    "a flow": ({"posterior": Flow()}, X, None),
    "two layers": ({"latent_dim": (3, 2)}, X, None),
    "heavy tails": ({"likelihood": StudentT()}, X, None),
    "a classifier": ({"labels": Auxiliary(3)}, X, Y),
    "classes": ({"labels": Enumerated(3)}, X, np.where(np.arange(N) % 2, Y, -1)),
    "a condition": ({"labels": Given(3)}, X, Y),
}


def fitted(parts: dict[str, Any], data: np.ndarray, y: np.ndarray | None) -> VAE:
    start: dict[str, Any] = {"latent_dim": 2, "encoder": MLP((8,)), "training": Training(epochs=1)}
    return VAE(**(start | parts), random_state=0).fit(data, y)


def found(vae: VAE, data: np.ndarray, y: np.ndarray | None) -> list[np.ndarray]:
    """Scores with noise that rows share, and those of an evaluation."""
    told = y if vae.labels and vae.labels.observed else None
    by_row = vae.evaluate(data, told, k=25).log_likelihood_by_row
    assert by_row is not None
    return [vae.score_samples(data, told, n_samples=25), by_row.numpy()]


def completed(vae: VAE, y: np.ndarray | None) -> list[np.ndarray]:
    """What fills the gaps, two draws of it, and the scores of cells."""
    told = y if vae.labels and vae.labels.observed else None
    filled = [vae.impute(HOLES, told, n_samples=25), *vae.impute(HOLES, told, draws=2, n_samples=25)]
    return [*filled, vae.score_cells(HOLES, told, n_samples=25)]


@pytest.fixture
def recorded(graphs: list[object], monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The recorded graphs, which are not compiled. Draws and rows are few at once."""
    monkeypatch.setattr("reparam.evaluation.likelihood.samples_at_once", lambda model, k: 5)
    monkeypatch.setattr("reparam.evaluation.imputation.CELLS", 25 * X[:40].size)
    return graphs


@pytest.mark.parametrize("name", MODELS)
def test_recorded_draws_give_the_same_numbers(
    name: str, recorded: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, data, y = MODELS[name]
    vae = fitted(parts, data, y)
    plain = found(vae, data, y)
    assert not recorded
    monkeypatch.setattr(redraws, "PAYS", 1)
    for a, b in zip(plain, found(vae, data, y), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    assert len(recorded) == 2


@pytest.mark.parametrize("name", MODELS)
def test_recorded_imputations_are_the_same(
    name: str, recorded: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, _, y = MODELS[name]
    vae = fitted({"likelihood": Gaussian(scale=Shared())} | parts, HOLES, y)
    plain = completed(vae, y)
    assert not recorded
    monkeypatch.setattr(redraws, "PAYS", 1)
    for a, b in zip(plain, completed(vae, y), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    assert len(recorded) == 3


@pytest.mark.parametrize("parts", [{"encoder": Conv((4,))}, {"latent_dim": 2}])
def test_convolutions_and_small_work_are_not_compiled(
    parts: dict[str, Any], recorded: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = np.random.default_rng(0).random((20, 8, 8)).astype(np.float32)
    monkeypatch.setattr(redraws, "PAYS", 1 if "encoder" in parts else 4e12)
    vae = fitted(parts, pictures, None)
    plain = vae.score_samples(pictures, n_samples=25)
    assert not recorded
    monkeypatch.setattr(redraws, "CONVOLUTIONS_PAY", 1)
    np.testing.assert_allclose(plain, vae.score_samples(pictures, n_samples=25), rtol=1e-5)
    assert len(recorded) == ("encoder" in parts)


def test_where_it_fails_the_draws_run_as_they_are(
    monkeypatch: pytest.MonkeyPatch, recorded: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    vae = fitted({}, X, None)
    plain = found(vae, X, None)
    monkeypatch.setattr(redraws, "PAYS", 1)
    monkeypatch.setattr(Recorded.__init__, "__defaults__", (1,))
    with caplog.at_level("INFO", "reparam"):
        np.testing.assert_array_equal(plain, found(vae, X, None))
    assert not recorded and "the draws are not compiled" in caplog.text


def test_checks_of_distributions_stay_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's compiler turns them off for all."""

    def library(listed: object, *_: object) -> object:
        Distribution.set_default_validate_args(False)
        return listed

    monkeypatch.setattr("reparam.compilation.recorded.library", library)
    assert Recorded(lambda x: (x + 1,), [])(torch.ones(1))[0] == 2
    assert Distribution._validate_args


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch's compiler wants one of C++")
def test_compiled_draws_agree(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("reparam.evaluation.likelihood.samples_at_once", lambda model, k: 5)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    vae = fitted({}, X, None)
    plain = vae.score_samples(X, n_samples=25)
    monkeypatch.setattr(redraws, "PAYS", 1)
    np.testing.assert_allclose(plain, vae.score_samples(X, n_samples=25), rtol=1e-5)
    assert len(list(tmp_path.glob("reparam/*.so"))) == 1
