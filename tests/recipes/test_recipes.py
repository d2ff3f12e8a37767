"""Every recipe: gradients, improvement, spec round-trip, save and load."""

import copy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from reparam import ELBO, VAE, DiscretizedLogistic, SpecError, Training
from reparam.compilation.recorded import is_known
from reparam.data.load import load
from reparam.estimator.validation import KINDS
from reparam.objectives import terms_of
from reparam.recipes import RECIPES, recipe, references
from reparam.specs.parse import parse
from reparam.specs.spec import text
from reparam.training.trainer import Trainer

NAMES = [name for name, r in RECIPES.items() if isinstance(r.model, VAE)]
BRIEF = Training(epochs=6, batch_size=50)


def digits(name: str) -> tuple[np.ndarray, Any]:
    """300 digits as the recipe reads them, and labels or covariates where it wants them."""
    r, data = RECIPES[name], load("digits")
    X, y = (data.X[: r.rows], np.arange(r.rows)) if r.rows else (data.X[:300], data.y[:300])
    if r.model.window:
        return np.sin(np.arange(400) / 5), None
    if isinstance(r.model.likelihood, DiscretizedLogistic):
        X = (255 * X).round()
    if r.model.likelihood is not None and r.model.likelihood.measurement == "count":
        X = np.floor(16 * X).reshape(len(X), -1)
    if r.model.labels is not None and r.model.labels.measured:
        return X, pd.DataFrame({"batch": np.where(y < 5, "A", "B")})
    return X, y if r.model.labels is not None else None


@cache
def fitted(name: str) -> VAE:
    """Forty steps of the recipe."""
    r = RECIPES[name]
    epochs = 40 if r.rows else 4
    vae = clone(r.model).set_params(training=replace(r.model.training or BRIEF, epochs=epochs, batch_size=30))
    return vae.set_params(random_state=0).fit(*digits(name))


@pytest.mark.parametrize("name", NAMES)
def test_trains_and_improves(name: str) -> None:
    """The minimised number falls; where its terms change meanwhile (beta, a critic), the distortion does."""
    vae = fitted(name)
    first, last = vae.history_[0], vae.history_[-1]
    figure = "distortion" if name in ("annealed", "capacity", "aae") else "loss"
    assert last[figure] < first[figure]
    assert last["epoch"] == len(vae.history_)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("aae", "factor")])
@pytest.mark.usefixtures("graphs")
def test_a_recorded_step_is_the_plain_one(name: str) -> None:
    """The operations that `compile` hands to torch's compiler, as they are: same figures, same gradients."""
    found = []
    for compile in (False, True):
        training = replace(RECIPES[name].model.training or BRIEF, epochs=1, batch_size=50, compile=compile)
        X, y = digits(name)
        vae = clone(RECIPES[name].model).set_params(training=training, random_state=0)
        vae.fit(X[:100], None if y is None else y[:100])
        assert is_known(vae.model_, vae.config_.model, *terms_of(vae.objective_, vae.config_.model))
        weights = torch.cat([p.flatten() for p in vae.model_.parameters()]).detach()
        found.append((weights, [row["loss"] for row in vae.history_]))
    torch.testing.assert_close(found[0], found[1])


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    vae, (X, given) = fitted(name), digits(name)
    model = copy.deepcopy(vae.model_).train()
    model.zero_grad()
    y = None if vae.labels_ is None else torch.zeros(len(X), dtype=torch.long)
    if vae.labels_.measured:
        y = vae.preprocessor_.targets.truth(given, len(X))
    torch.manual_seed(0)
    terms = [
        replace(term, free_bits=0) if isinstance(term, ELBO) else term
        for term in terms_of(vae.objective_, vae.config_.model)
    ]
    trainer = Trainer(model, tuple(terms), vae.training_, 0)
    trace = model(vae.codec_.encode(X), y, samples=max(term.draws for term in terms))
    trace.critics = trainer.adversary.critics
    sum(term(trace, 0) for term in terms).backward()
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
    vae, (X, _) = fitted(name), digits(name)
    vae.save(tmp_path / "m.safetensors")
    again = VAE.load(tmp_path / "m.safetensors")
    X, y = X[:20], digits(name)[1]
    y = None if y is None else y[:20]
    np.testing.assert_array_equal(vae.score_samples(X, y, 20), again.score_samples(X, y, 20))
    again.save(tmp_path / "n.safetensors")
    assert (tmp_path / "m.safetensors").read_bytes() == (tmp_path / "n.safetensors").read_bytes()


def test_unknown_recipe_suggests() -> None:
    with pytest.raises(ValueError, match="did you mean zeldes"):
        recipe("zeldez")


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in NAMES])
def test_two_steps_learn_the_labels(name: str) -> None:
    data = load("digits")
    steps = RECIPES[name].model.named_steps
    models = [step for step, model in steps.items() if isinstance(model, VAE)]
    brief = {f"{step}__training": BRIEF for step in models} | {f"{step}__random_state": 0 for step in models}
    y = np.where(np.arange(1000) < 500, data.y[:1000], -1)
    model = clone(RECIPES[name].model).set_params(**brief).fit(data.X[:1000], y)
    assert set(model.classes_) == set(range(10))
    assert (model.predict(data.X[1000:1300]) == data.y[1000:1300]).mean() > 0.6
    with pytest.raises(SpecError, match="two steps"):
        RECIPES[name].arguments()


def test_prior_is_refitted_where_the_recipe_says_so() -> None:
    brief = RECIPES["fsq-vae"]
    model = clone(brief.model).set_params(training=BRIEF, random_state=0)
    vae = replace(brief, model=model).fit(load("digits").X[:200])
    assert vae.prior_ == brief.then


def test_every_source_stands_in_the_bibliography() -> None:
    assert {r.key for r in RECIPES.values()} <= set(references())
    assert all(entry.count("{") == entry.count("}") for entry in references().values())
    assert RECIPES["iwae"].source == "Burda et al. (2016), Importance Weighted Autoencoders"
