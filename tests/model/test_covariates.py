"""Covariates: a model told of numbers and categories, against closed forms and against `Given`."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from reparam import (
    ELBO,
    MLP,
    VAE,
    Category,
    Covariates,
    DataError,
    Gaussian,
    Given,
    Number,
    Shared,
    SpecError,
    Training,
)
from reparam.recipes import recipe
from reparam.specs.parse import parse

RNG = np.random.default_rng(0)
N = 300
TOLD = pd.DataFrame({"age": RNG.normal(40, 10, N), "batch": RNG.choice(["A", "B", "C"], N)})
X = RNG.normal(size=(N, 3)) + TOLD["age"].to_numpy()[:, None] / 10
SHORT = Training(epochs=2)
SMALL: dict[str, Any] = {"encoder": MLP((8,)), "training": SHORT, "random_state": 0}


@pytest.fixture(scope="module")
def fitted() -> VAE:
    return VAE(2, labels=Covariates(), **SMALL).fit(X, TOLD)


def test_classes_as_a_covariate_are_given_classes() -> None:
    batch = TOLD["batch"].to_numpy()
    given = VAE(2, labels=Given(3), **SMALL).fit(X, batch)
    told = VAE(2, labels=Covariates(), **SMALL).fit(X, TOLD[["batch"]])
    np.testing.assert_array_equal(given.score_samples(X, batch), told.score_samples(X, TOLD[["batch"]]))
    np.testing.assert_array_equal(given.sample(5, label="B"), told.sample(5, label={"batch": "B"}))
    assert given.history_[-1]["bound"] == told.history_[-1]["bound"]


def test_a_told_model_agrees_with_the_density_of_each_group_in_closed_form() -> None:
    """x = m_g + w_g z + noise with a linear decoder that reads the group: log p(x|g) is a normal's."""
    group = np.arange(1000) % 2
    mean = np.array([[0.0, 0.0], [6.0, -4.0]])[group]
    rng = np.random.default_rng(1)
    x = mean + rng.normal(size=(1000, 1)) * [2.0, 1.0] + 0.5 * rng.normal(size=(1000, 2))
    y = pd.DataFrame({"group": np.where(group == 1, "old", "new")})
    linear: dict[str, Any] = {"encoder": MLP(()), "posterior": Gaussian(scale=Shared()), "objective": ELBO()}
    brief = Training(epochs=100, learning_rate=1e-2)
    vae = VAE(1, labels=Covariates(), training=brief, random_state=0, **linear).fit(x, y)
    told = vae.score_samples(x, y)
    covariance = torch.tensor([[4.25, 2.0], [2.0, 1.25]], dtype=torch.float64)
    density = torch.distributions.MultivariateNormal(torch.tensor(mean), covariance)
    exact = density.log_prob(torch.tensor(x)).numpy()
    for g in (0, 1):
        own = group == g
        assert abs(told[own].mean() - exact[own].mean()) < 0.05


def test_units_and_categories_are_those_of_training(fitted: VAE) -> None:
    age = TOLD["age"]
    columns = (Number("age", age.mean(), float(age.std(ddof=0))), Category("batch", ("A", "B", "C")))
    found = fitted.labels_.known
    assert found[1] == columns[1] and found[0].name == "age" and found[0].mean == pytest.approx(age.mean())  # type: ignore[attr-defined]
    assert parse(repr(fitted.labels_), Covariates | None) == fitted.labels_
    assert fitted.labels_.to_encoder == 4 and fitted.classes_ is None


def test_a_file_holds_the_covariates(fitted: VAE, tmp_path: Path) -> None:
    fitted.save(tmp_path / "m.safetensors")
    again = VAE.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.score_samples(X, TOLD), fitted.score_samples(X, TOLD))
    assert again.labels_ == fitted.labels_
    np.testing.assert_array_equal(again.reconstruct(X, TOLD), fitted.reconstruct(X, TOLD))


def test_every_method_takes_them(fitted: VAE) -> None:
    one = {"age": 60, "batch": "B"}
    assert fitted.transform(X, TOLD).shape == (N, 2)
    assert fitted.sample(4, label=one).shape == fitted.sample(4, label=TOLD[:4]).shape == (4, 3)
    assert fitted.inverse_transform(np.zeros((2, 2)), label=TOLD.iloc[0]).shape == (2, 3)
    assert fitted.interpolate(X[0], X[1], 5, label=one).shape == (5, 3)
    assert fitted.interpolate(X[0], X[1], 2, label=TOLD[:2]).shape == (2, 3)
    assert fitted.traverse(X[0], 0, 3, label=one).shape == (3, 3)
    assert fitted.evaluate(X, TOLD, 5).n == N
    holes = pd.DataFrame(X, columns=["a", "b", "c"])
    holes.loc[::7, "a"] = np.nan
    partly = VAE(2, labels=Covariates(), **SMALL).fit(holes, TOLD)
    assert not partly.impute(holes, TOLD).isna().any().any()
    assert partly.score_cells(holes, TOLD, 5).shape == (N, 3)


def test_reconstruct_as_if_another_batch(fitted: VAE) -> None:
    same = fitted.reconstruct(X, TOLD, label=TOLD)
    np.testing.assert_allclose(same, fitted.reconstruct(X, TOLD), rtol=1e-5)
    moved = fitted.reconstruct(X, TOLD, label={"batch": "B"})
    kept = (TOLD["batch"] == "B").to_numpy()
    np.testing.assert_allclose(moved[kept], same[kept], rtol=1e-5)
    assert (np.abs(moved[~kept] - same[~kept]).max(1) > 1e-6).all()
    given = VAE(2, labels=Given(3), **SMALL).fit(X, TOLD["batch"])
    told = given.reconstruct(X, TOLD["batch"], label="B")
    assert np.abs(told - given.reconstruct(X, TOLD["batch"]))[~kept].max() > 1e-6


def test_scvi_with_batches_keeps_them_out_of_the_code() -> None:
    """Two kinds of cells in two batches that count some genes three times as often. The code of `scvi` tells
    the batch, that of `scvi-batch` the kind alone, and decoded as if all were of one batch, all are alike."""
    rng = np.random.default_rng(0)
    n, kind = 600, np.arange(600) % 2
    batch = rng.integers(2, size=n)
    means = np.exp(rng.normal(size=(2, 20)))[kind] * np.where(np.arange(20) < 7, 3.0, 1.0) ** batch[:, None]
    counts = rng.poisson(10 * means / means.mean(1, keepdims=True))
    told = pd.DataFrame({"batch": batch})

    def fit(name: str, y: Any) -> tuple[VAE, Any]:
        brief = Training(epochs=60, learning_rate=2e-3)
        vae = clone(recipe(name).model).set_params(latent_dim=3, training=brief, random_state=0)
        return vae, vae.fit(counts, y).transform(counts, y)

    def found(codes: Any, truth: Any) -> float:
        return float(cross_val_score(LogisticRegression(), codes, truth, cv=3).mean())

    alone, corrected = fit("scvi", None)[1], fit("scvi-batch", told)
    assert corrected[0].labels_.known == (Category("batch", (0, 1)),)
    assert found(alone, batch) > 0.9 > 0.65 > found(corrected[1], batch)
    assert found(alone, kind) > 0.95 < found(corrected[1], kind)
    as_if = corrected[0].reconstruct(counts, told, label={"batch": 1})
    shares = as_if[:, :7].sum(1) / as_if.sum(1)
    for k in (0, 1):
        a, b = (shares[(kind == k) & (batch == b)].mean() for b in (0, 1))
        assert abs(a - b) < 0.1 * b


def test_a_conditional_table_draws_what_is_asked_for() -> None:
    rng = np.random.default_rng(0)
    told = pd.DataFrame({"sex": rng.choice(["f", "m"], 400), "age": rng.uniform(5, 18, 400)})
    height = 70 + 5 * told["age"] + 8 * (told["sex"] == "m") + rng.normal(0, 2, 400)
    table = pd.DataFrame(
        {"height": height, "club": np.where(rng.random(400) < told["age"] / 20, "yes", "no")}
    )
    table.loc[::8, "height"] = np.nan
    r = recipe("conditional-table")
    vae = r.model.set_params(training=Training(epochs=80, learning_rate=3e-3), random_state=0).fit(
        table, told
    )
    for sex, age in (("f", 8), ("m", 16)):
        drawn = vae.sample(400, label={"sex": sex, "age": age}, missing=False)
        assert drawn["height"].mean() == pytest.approx(70 + 5 * age + 8 * (sex == "m"), abs=2)
        assert (drawn["club"] == "yes").mean() == pytest.approx(age / 20, abs=0.15)
    filled = vae.impute(table, told)["height"][::8]
    assert np.corrcoef(filled, height[::8])[0, 1] > 0.97
    assert vae.score(table[1:8], told[1:8]) > vae.score(table[1:8], told[1:8].assign(age=told["age"] + 6)) + 1


def test_kinds_of_columns() -> None:
    y = pd.DataFrame(
        {
            "whole": pd.array([1, 2] * (N // 2), dtype="Int64"),
            "flag": np.arange(N) % 2 == 0,
            "level": pd.Categorical([3, 7] * (N // 2)),
        }
    )
    vae = VAE(2, labels=Covariates(), **SMALL).fit(X, y)
    assert vae.labels_.known == (
        Number("whole", 1.5, 0.5),
        Category("flag", (False, True)),
        Category("level", (3, 7)),
    )
    arrays = VAE(2, labels=Covariates(), **SMALL).fit(X, TOLD[["age"]].to_numpy())
    assert arrays.sample(2, label=50.0).shape == (2, 3)
    chosen = VAE(2, labels=Covariates((Category("year"),)), **SMALL).fit(X, {"year": np.arange(N) % 3 + 2000})
    assert chosen.labels_.known == (Category("year", (2000, 2001, 2002)),)


def test_training_goes_on_and_stops_early() -> None:
    vae = VAE(2, labels=Covariates(), warm_start=True, **SMALL).fit(X, TOLD).fit(X, TOLD)
    assert len(vae.history_) == 4
    stopped = VAE(
        2, labels=Covariates(), encoder=MLP((8,)), training=Training(epochs=3, validation=0.2), random_state=0
    )
    assert stopped.fit(X, TOLD).history_[-1]["validation"] is not None
    assert VAE(0, labels=Covariates(), **SMALL).fit(X, TOLD).score(X, TOLD) < 0


def with_fourth(column: str, value: Any) -> pd.DataFrame:
    return TOLD.astype(object).assign(**{column: [*TOLD[column][:3], value, *TOLD[column][4:]]})


def fit(**y: Any) -> VAE:
    return VAE(2, labels=Covariates(), **SMALL).fit(X, y)


DAYS = pd.Series(pd.date_range("2020-01-01", periods=N))
FAULTS: list[tuple[Any, str]] = [
    (lambda vae: vae.sample(3), r"label is needed: \{'age': .*'batch': 'A'\} for example"),
    (lambda vae: vae.score(X), "this model is conditional on age, batch: y is needed"),
    (lambda vae: vae.score(X, TOLD["age"]), "the covariate 'batch' is needed, and age is given"),
    (
        lambda vae: vae.score(X, TOLD.assign(c=1)),
        "y has 'c', which is no covariate of this model: age",
    ),
    (lambda vae: vae.score(X, with_fourth("age", None)), "covariate 'age' is missing in row 3"),
    (lambda vae: vae.score(X, with_fourth("batch", pd.NA)), "covariate 'batch' is missing in row 3"),
    (lambda vae: vae.score(X, with_fourth("age", "old")), r"is a finite number, not 'old' \(row 3\)"),
    (lambda vae: vae.score(X, with_fourth("batch", "Z")), "is 'Z' in row 3; training had 'A', 'B', 'C'"),
    (lambda vae: vae.score(X, TOLD[:5]), r"y has shape \(5,\) for 'age': give one value"),
    (lambda vae: vae.score(X, np.zeros(N)), "covariates are age, batch: give a frame or a mapping"),
    (lambda vae: vae.score(X, np.zeros((N, 3))), "2 columns, age, batch are needed"),
    (lambda vae: vae.reconstruct(X, TOLD, label={"bach": "B"}), "label has 'bach', which is no covariate"),
    (lambda vae: VAE(labels=Covariates()).fit(X), r"labels=Covariates\(\) needs y, a frame of covariates"),
    (lambda vae: fit(), "y has no columns"),
    (lambda vae: fit(day=DAYS), "'day' is a time"),
    (lambda vae: fit(id=list(map(str, range(N)))), "'id' differs in every row: it is a key"),
    (lambda vae: fit(mix=[1, "a"] * (N // 2)), "'mix' mixes text and numbers"),
]


@pytest.mark.parametrize(("ask", "message"), FAULTS)
def test_faults_are_named(fitted: VAE, ask: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ask(fitted)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Covariates(()), "one or more columns of different names"),
        (lambda: Covariates((Number("a"), Number("a"))), "different names"),
        (lambda: Number("a", 0.0, 0.0), "sd must be above 0"),
        (lambda: Category("a", ("x", "x")), "different values"),
        (lambda: Covariates().to_encoder, "has not seen data"),
    ],
)
def test_wrong_columns_are_refused(make: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make()
