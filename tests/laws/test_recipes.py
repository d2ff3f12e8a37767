"""Every recipe: gradients, improvement, spec round-trip, save and load."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone

from tacit import VAE, Training
from tacit.config import parse
from tacit.data.sources import load
from tacit.estimator import KINDS
from tacit.objective import terms_of
from tacit.recipes import RECIPES, recipe
from tacit.spec import text

NAMES = list(RECIPES)


def fitted(name: str, epochs: int) -> tuple[VAE, np.ndarray]:
    r, data = RECIPES[name], load("digits")
    X, y = (data.X[: r.rows], np.arange(r.rows)) if r.rows else (data.X[:500], data.y[:500])
    if r.vae.window:
        X, y = np.sin(np.arange(400) / 5), None
    elif r.data.startswith("a sparse"):
        X = np.floor(16 * X).reshape(len(X), -1)
    vae = clone(r.vae).set_params(training=Training(epochs=epochs, batch_size=50), random_state=0)
    return vae.fit(X, y if vae.labels is not None else None), X


@pytest.mark.parametrize("name", NAMES)
def test_trains_and_improves(name: str) -> None:
    vae, _ = fitted(name, 60 if RECIPES[name].rows else 6)
    assert vae.history_[-1]["loss"] < vae.history_[0]["loss"]
    assert vae.history_[-1]["epoch"] == len(vae.history_)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    vae, X = fitted(name, 1)
    model = vae.model_.train()
    model.zero_grad()
    y = None if vae.labels_ is None else torch.zeros(len(X), dtype=torch.long)
    trace = model(vae.codec_.encode(X), y)
    sum(term(trace, 0) for term in terms_of(vae.objective_, vae._parts())).backward()
    dead = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not dead


@pytest.mark.parametrize("name", NAMES)
def test_spec_round_trips(name: str) -> None:
    for argument, value in RECIPES[name].arguments().items():
        if value is not None and argument in KINDS:
            assert parse(repr(value), KINDS[argument]) == value
            assert parse(text(value, complete=True), KINDS[argument]) == value


@pytest.mark.parametrize("name", NAMES)
def test_save_and_load_agree(name: str, tmp_path: Path) -> None:
    vae, X = fitted(name, 1)
    vae.save(tmp_path / "m.safetensors")
    again = VAE.load(tmp_path / "m.safetensors")
    y = np.arange(len(X)) if RECIPES[name].rows else None
    np.testing.assert_array_equal(vae.score_samples(X, y), again.score_samples(X, y))
    again.save(tmp_path / "n.safetensors")
    assert (tmp_path / "m.safetensors").read_bytes() == (tmp_path / "n.safetensors").read_bytes()


def test_unknown_recipe_suggests() -> None:
    with pytest.raises(ValueError, match="did you mean zeldes"):
        recipe("zeldez")
