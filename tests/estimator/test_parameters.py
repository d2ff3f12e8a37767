"""Arguments by name: fields of specs in get_params and set_params, and names that VAE does not have."""

import inspect
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from reparam import (
    ELBO,
    L2,
    MLP,
    VAE,
    Adam,
    Auxiliary,
    Conv,
    Gaussian,
    Local,
    LogScale,
    RMSprop,
    Shared,
    SpecError,
    Training,
)

X = np.random.default_rng(0).normal(size=(40, 3))
MADE: Any = VAE

UNKNOWN: list[tuple[dict[str, Any], str]] = [
    ({"epochs": 5}, "VAE has no argument epochs; write training=Training(epochs=5)"),
    (
        {"epochs": 5, "learning_rate": np.float64(0.1)},
        "VAE has no argument epochs, learning_rate; write training=Training(epochs=5, learning_rate=0.1)",
    ),
    (
        {"epochs": 5, "training": Training(validation=0.1)},
        "VAE has no argument epochs; write training=Training(validation=0.1, epochs=5)",
    ),
    ({"device": "cpu"}, "VAE has no argument device; write training=Training(device='cpu')"),
    ({"beta": 4}, "VAE has no argument beta; write objective=ELBO(beta=4)"),
    (
        {"hidden": (8,), "encoder": Conv((4,))},
        "VAE has no argument hidden; write encoder=Conv(channels=(4,), hidden=(8,))",
    ),
    ({"latent_dims": 5}, "VAE has no argument latent_dims; did you mean latent_dim?"),
    ({"n_epochs": 5}, "VAE has no argument n_epochs; did you mean training=Training(epochs=...)?"),
    (
        {"training__epochs": 5},
        "VAE has no argument training__epochs; set_params has. VAE(**vae.get_params(deep=False)) is a copy",
    ),
]


@pytest.mark.parametrize(("words", "message"), UNKNOWN, ids=[str(words) for words, _ in UNKNOWN])
def test_an_unknown_argument_says_what_to_write(words: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        MADE(**words)
    assert str(caught.value) == message


def test_every_setting_of_the_training_says_where_it_belongs() -> None:
    for name in inspect.signature(Training).parameters:
        with pytest.raises(TypeError, match=rf"no argument {name}; write training=Training\({name}=1\)"):
            MADE(**{name: 1})


def test_a_name_like_no_other_gets_the_list() -> None:
    with pytest.raises(
        TypeError, match=r"no argument zzz; it takes latent_dim, .*in training=Training\(\.\.\."
    ):
        MADE(zzz=1)


def test_the_signature_is_that_of_the_arguments() -> None:
    names = list(inspect.signature(VAE).parameters)
    assert names[0] == "latent_dim" and sorted(names) == sorted(VAE().get_params(deep=False))
    assert inspect.signature(VAE).parameters["training"].default is None


def test_fields_of_specs_are_parameters() -> None:
    deep = VAE(likelihood=Gaussian(scale=Local(LogScale())), objective=(ELBO(), L2())).get_params()
    assert deep["likelihood__scale"] == Local(LogScale()) and "likelihood__scale__link" in deep
    assert deep["training"] is None and deep["training__batch_size"] is None
    assert deep["training__optimiser__beta1"] == Adam().beta1
    assert not any(name.startswith(("objective__", "encoder__")) for name in deep)


def test_set_params_replaces_the_spec() -> None:
    training = Training(validation=0.1)
    vae = VAE(training=training, encoder=MLP((8,)), likelihood=Gaussian())
    held = clone(vae).set_params(
        training__epochs=3,
        training__patience=np.int64(2),
        training__optimiser=RMSprop(),
        training__optimiser__alpha=0.5,
        encoder__hidden=[4, 4],
        likelihood__scale=Shared(),
        latent_dim=3,
    )
    assert held.training == Training(epochs=3, validation=0.1, patience=2, optimiser=RMSprop(0.5))
    assert held.encoder == MLP((4, 4)) and held.likelihood == Gaussian(scale=Shared())
    assert held.latent_dim == 3 and vae.training is training
    assert VAE().set_params(training__epochs=3).training == Training(epochs=3)
    assert VAE().set_params(training__epochs=3, training=Training(batch_size=9)).training == Training(3, 9)


def test_what_get_params_gives_set_params_takes() -> None:
    vae = VAE(2, training=Training(epochs=3), likelihood=Gaussian(scale=Shared()))
    assert VAE().set_params(**vae.get_params()).get_params() == vae.get_params()
    assert clone(vae).get_params() == vae.get_params()


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"epochs": 5}, "VAE has no argument epochs; write training__epochs=5"),
    ({}, {"n_epochs": 5}, "VAE has no argument n_epochs; did you mean training__epochs?"),
    ({}, {"latent_dims": 5}, "VAE has no argument latent_dims; did you mean latent_dim?"),
    ({}, {"training__epoch": 5}, "Training has no argument epoch; did you mean epochs?"),
    ({}, {"training__epochs": 0}, "Training.epochs must be 1 or more, not 0"),
    (
        {},
        {"encoder__hidden": (5,)},
        "encoder is None and has no argument hidden: set encoder=MLP(hidden=(5,))",
    ),
    (
        {},
        {"labels__classes": 3},
        "labels is None and has no argument classes: set labels=Auxiliary(classes=3)",
    ),
    (
        {},
        {"prior__scale__value": 3},
        "prior is None and has no argument scale: set prior=Gaussian(scale=...)",
    ),
    (
        {},
        {"training__decay__factor": 0.5},
        "decay is None and has no argument factor: set decay=Decay(factor=0.5)",
    ),
    ({}, {"latent_dim__x": 3}, "latent_dim=None has no argument x: set latent_dim as a whole"),
    ({}, {"window__x": 3}, "window=None has no argument x: set window as a whole"),
    (
        {"objective": (ELBO(), L2())},
        {"objective__beta": 3},
        "objective=(ELBO(), L2()) has no argument beta: set objective as a whole",
    ),
]


@pytest.mark.parametrize(("held", "words", "message"), REFUSED, ids=[str(words) for _, words, _ in REFUSED])
def test_set_params_refuses_and_changes_nothing(
    held: dict[str, Any], words: dict[str, Any], message: str
) -> None:
    vae = VAE(**held)
    before = vae.get_params()
    with pytest.raises(SpecError) as caught:
        vae.set_params(warm_start=True, **words)
    assert str(caught.value) == message and vae.get_params() == before


def test_a_grid_over_fields_of_specs() -> None:
    y = (X[:, 0] > 0).astype(int)
    vae = VAE(2, encoder=MLP((4,)), labels=Auxiliary(2), training=Training(epochs=1), random_state=0)
    grid = {"vae__training__epochs": [1, 2], "vae__encoder__hidden": [(4,), (6,)]}
    search = GridSearchCV(make_pipeline(vae), grid, cv=2).fit(X, y)
    best = search.best_estimator_.named_steps["vae"]
    assert len(best.history_) == search.best_params_["vae__training__epochs"]
    assert best.encoder_.hidden == search.best_params_["vae__encoder__hidden"]
    assert len(search.cv_results_["params"]) == 4 and np.isfinite(search.cv_results_["mean_test_score"]).all()
