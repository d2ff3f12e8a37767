"""The verbs of the page give what the methods of the estimator give."""

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from reparam import VAE, Covariates, Dataset, Training
from reparam.errors import DataError
from reparam.web.answers import Answers
from reparam.web.row_format import format_of
from reparam.web.wire import pack, to_json, unpack

Models = Mapping[str, tuple[VAE, Dataset]]


def some(answers: Answers, n: int = 20) -> dict[str, np.ndarray]:
    return {"x": answers.ask("data", options={"start": 0, "stop": n})[0]["x"]}


def test_rows_become_numbers_and_rows_again(kind: str, models: Models) -> None:
    vae, dataset = models[kind]
    rows = format_of(vae)
    x = rows.numbers(dataset.X[:20])
    assert np.array_equal(rows.numbers(rows.rows(x)), x, equal_nan=True)
    assert np.array_equal(vae.transform(rows.rows(x)), vae.transform(dataset.X[:20]))


def test_verbs_give_the_estimators_numbers(kind: str, models: Models, answers: Answers) -> None:
    (vae, dataset), rows = models[kind], format_of(models[kind][0])
    x, X = some(answers), dataset.X[:20]
    assert np.array_equal(answers.ask("encode", x)[0]["mean"], vae.transform(X).astype(np.float32))
    found, info = answers.ask("score", x)
    assert np.array_equal(found["log_px"], vae.score_samples(X), equal_nan=True)
    assert found["cells"].shape == (20, *rows.numbers(vae.reconstruct(X)).shape[1:])
    assert np.nansum(found["cells"]) == pytest.approx(np.nansum(vae.score_cells(X)), rel=1e-5)
    assert ((found["percentile"] >= 0) & (found["percentile"] <= 100)).all() and info["n"] == len(dataset.X)
    assert np.array_equal(answers.ask("reconstruct", x)[0]["x"], rows.numbers(vae.reconstruct(X)))
    z = vae.transform(X).astype(np.float32)
    label = None if vae.classes_ is None else vae.classes_[[3] * 20]
    y = {} if label is None else {"y": np.full(20, 3, np.int32)}
    decoded = rows.numbers(vae.inverse_transform(z, label))
    assert np.array_equal(answers.ask("decode", {"z": z, **y})[0]["x"], decoded)
    drawn = answers.ask("sample", {}, {"n": 5, "seed": 3, "mean": False})[0]["x"]
    assert np.array_equal(drawn, rows.numbers(vae.sample(5, random_state=3)), equal_nan=True)


def test_imputation_fills_only_what_is_missing(kind: str, models: Models, answers: Answers) -> None:
    x = some(answers)["x"].copy()
    x[3:5] = np.nan
    filled = answers.ask("impute", {"x": x}, {"draws": 2, "seed": 1})[0]["x"]
    assert filled.shape == (2, *x.shape) and np.isfinite(filled).all()
    assert np.array_equal(np.where(np.isnan(x), 0, filled[0]), np.nan_to_num(x))
    vae = models[kind][0]
    if kind == "table":
        X = format_of(vae).rows(x)
        assert np.array_equal(filled[1], format_of(vae).numbers(vae.impute(X, draws=2, random_state=1)[1]))


def test_codes_come_in_blocks_with_the_mean_kl_of_the_data(
    answers: Answers, kind: str, models: Models
) -> None:
    vae, dataset = models[kind]
    n = answers.ask("model")[1]["n_data"]
    blocks = [answers.ask("codes", {}, {"start": i, "stop": i + 50}) for i in range(0, n, 50)]
    mean = np.concatenate([arrays["mean"] for arrays, _ in blocks])
    assert np.allclose(mean, vae.transform(dataset.X), atol=1e-6)
    score = np.concatenate([arrays["score"] for arrays, _ in blocks])
    assert np.array_equal(score, vae.score_samples(dataset.X).astype(np.float32), equal_nan=True)
    sd = np.concatenate([arrays["sd"] for arrays, _ in blocks]).astype(float)
    kl = 0.5 * (mean.astype(float) ** 2 + sd**2 - 1 - 2 * np.log(sd))  # Kingma and Welling 2014, appendix B
    assert blocks[-1][1]["kl"] == pytest.approx(kl.mean(0), rel=1e-4) and blocks[-1][1]["kl_rows"] == n
    assert answers.ask("codes", {}, {"start": n, "stop": n + 1, "score": False})[0]["mean"].shape[0] == 0


def test_the_prior_is_a_standard_normal(answers: Answers) -> None:
    z = np.random.default_rng(0).normal(size=(4, answers.models[0].vae.latent_dim_)).astype(np.float32)
    expected = -0.5 * (z**2).sum(1) - z.shape[1] / 2 * np.log(2 * np.pi)
    assert answers.ask("prior", {"z": z})[0]["log_p"] == pytest.approx(expected, rel=1e-5)


def test_temperature_scales_draws_of_the_prior(answers: Answers) -> None:
    whole, half = (
        answers.ask("sample", {}, {"n": 6, "seed": 0, "temperature": t})[0]["z"] for t in (1.0, 0.5)
    )
    assert np.allclose(half, 0.5 * whole, atol=1e-6)


def test_paths_between_two_codes(answers: Answers) -> None:
    size = answers.models[0].vae.latent_dim_
    ends = np.eye(size, dtype=np.float32)[:2]
    y = {"y": np.zeros(1, np.int32)} if answers.models[0].vae.classes_ is not None else {}
    straight, around = (
        answers.ask("interpolate", {"z": ends, **y}, {"steps": 5, "path": path})[0]
        for path in ("linear", "spherical")
    )
    assert np.allclose(straight["z"][2], ends.mean(0)) and len(straight["x"]) == 5
    assert np.allclose(np.linalg.norm(around["z"], axis=1), 1, atol=1e-6)
    assert np.allclose(around["z"][[0, -1]], ends, atol=1e-6)


def test_anomalies_are_the_rows_of_lowest_score(answers: Answers, kind: str, models: Models) -> None:
    vae, dataset = models[kind]
    found, info = answers.ask("anomalies", {}, {"n": 3})
    scores = np.nan_to_num(vae.score_samples(dataset.X), nan=np.inf)
    assert found["index"].tolist() == np.argsort(scores, kind="stable")[:3].tolist()
    if kind == "table":
        assert {"column", "value", "expected", "nats"} == set(info["reasons"][0][0])


def test_cells_given_the_others_are_those_that_imputation_draws(models: Models) -> None:
    """Each column's probabilities add up to 1, and have the shares and mean of many imputations."""
    vae, dataset = models["table"]
    table = Answers({"t": vae}, dataset)
    x = some(table, 3)["x"]
    found, _ = table.ask("conditional", {"x": x})
    values, p = found["values"], found["p"]
    assert p.shape == (3, *values.shape) and p.sum(1) == pytest.approx(np.ones((3, 5)), abs=1e-5)
    for j in (0, 1, 4):
        hidden = x.copy()
        hidden[:, j] = np.nan
        drawn = table.ask("impute", {"x": hidden}, {"draws": 64, "seed": 0})[0]["x"][..., j]
        mean = (p[:, :, j] * values[:, j]).sum(1)
        assert np.abs(drawn.mean(0) - mean) == pytest.approx(np.zeros(3), abs=4 * drawn.std() / 8)


def test_what_a_cell_holds_does_not_change_its_distribution(models: Models) -> None:
    table = Answers({"t": models["table"][0]})
    x = np.array([[5.0, 1.0, 3.0, np.nan, 1.0], [7.5, 1.0, 3.0, np.nan, 1.0]])
    p = table.ask("conditional", {"x": x})[0]["p"]
    assert p[0, :, 0] == pytest.approx(p[1, :, 0], abs=1e-5)
    assert not np.allclose(p[0, :, 2], p[1, :, 2], atol=1e-5)
    with pytest.raises(DataError, match="send 1 to 32 at once"):
        table.ask("conditional", {"x": np.repeat(x, 20, 0)})


def test_erased_pixels_are_left_out_of_the_score(models: Models) -> None:
    """The score of a picture with erased pixels is that of the others: what was erased does not change it."""
    vae, dataset = models["digits"]
    answers = Answers({"m": vae}, dataset)
    x = some(answers, 1)["x"].repeat(2, 0)
    x[:, 2:5] = np.nan
    whole = answers.ask("score", some(answers, 1))[0]
    found = answers.ask("score", {"x": x}, {"missing": True})[0]
    assert np.isnan(found["cells"][0, 2:5]).all() and found["log_px"][0] == found["log_px"][1]
    assert np.nansum(found["cells"][0]) == pytest.approx(whole["cells"][0][~np.isnan(x[0])].sum(), rel=0.3)
    assert np.isfinite(answers.ask("encode", {"x": x}, {"missing": True})[0]["mean"]).all()


def test_covariates_go_with_rows_and_codes() -> None:
    """Given by number or left out, when they are usual ones; each row of the data has its own."""
    rng = np.random.default_rng(0)
    y = pd.DataFrame({"age": rng.integers(20, 80, 100), "sex": np.array(["f", "m"])[np.arange(100) % 2]})
    X = pd.DataFrame({"u": rng.normal(0.1 * y["age"], 1.0), "v": rng.normal(size=100)})
    vae = VAE(1, labels=Covariates(), training=Training(epochs=2), random_state=0).fit(X, y)
    answers = Answers({"m": vae}, Dataset("data", X, y))
    age, sex = answers.ask("model", {}, {"evaluation": True})[1]["covariates"]
    assert age["usual"] == pytest.approx(y["age"].mean()) and sex["categories"] == ["f", "m"]
    rows, _ = answers.ask("data", {}, {"start": 0, "stop": 6})
    assert rows["covariates"].tolist() == [[a, i % 2] for i, a in enumerate(y["age"][:6])]
    for verb, name, expected in (
        ("score", "log_px", vae.score_samples(X[:6], y[:6])),
        ("encode", "mean", vae.transform(X[:6], y[:6])),
    ):
        assert answers.ask(verb, rows)[0][name] == pytest.approx(expected, abs=1e-5)
    z = np.zeros((2, 1), np.float32)
    own = {"z": z, "covariates": np.array([[20.0, 1.0]])}
    expected = vae.inverse_transform(z, {"age": 20.0, "sex": "m"})
    assert answers.ask("decode", own)[0]["x"] == pytest.approx(expected.to_numpy())
    assert answers.ask("decode", {"z": z})[0]["x"].shape == (2, 2)
    assert answers.ask("sample", {}, {"n": 3})[0].keys() == {"z", "x"}
    assert len(answers.ask("anomalies", {}, {"n": 3})[1]["reasons"]) == 3
    assert answers.ask("conditional", rows)[0]["p"].shape[0] == 6
    with pytest.raises(DataError, match="covariate 'sex' takes the index of a category, 0 to 1"):
        answers.ask("decode", {"z": z, "covariates": np.array([[20.0, 2.0]])})
    with pytest.raises(DataError, match="finite numbers for age, sex"):
        answers.ask("decode", {"z": z, "covariates": np.array([[np.nan, 2.0]])})


def test_the_model_describes_itself(answers: Answers, kind: str) -> None:
    info = json.loads(to_json(answers.ask("model", {}, {"evaluation": True})[1]))
    assert info["kind"] == {"digits": "image", "plane": "image"}.get(kind, kind)
    assert set(info["verbs"]) >= {"model", "codes", "decode", "encode", "score"}
    assert sum(layer["size"] for layer in info["latents"]) == info["latent_dim"]
    assert "log-likelihood" in [name for name, _, _ in info["evaluation"]]
    assert info["history"]["epoch"] == [1, 2] and info["models"] == [kind]
    assert (info["labels"] == "Auxiliary") == (kind == "digits")
    assert len(info["classes"]) == (10 if kind in ("digits", "plane") else 0)


def test_keys_and_columns_of_the_data(models: Models) -> None:
    vae, dataset = models["table"]
    table = Answers({"t": vae}, dataset)
    assert table.ask("data", {"index": np.array([4, 2])})[1]["keys"] == ["row 4", "row 2"]
    found, info = table.ask("column", {}, {"name": "group", "stop": 4})
    assert info["categories"] == ["a", "b", "c"] and np.isnan(found["value"][0])
    vae, dataset = models["series"]
    window = Answers({"s": vae}, dataset).ask("data", {"index": np.array([100])})[0]["x"]
    assert window.shape == (1, 12, 1)
    assert np.allclose(window[0, :, 0], dataset.X["value"][89:101], atol=1e-6)


@pytest.mark.parametrize(
    ("verb", "arrays", "options", "words"),
    [
        ("fly", {}, {}, "does not answer 'fly'"),
        ("encode", {}, {}, "array x is missing"),
        ("encode", {"x": np.zeros((1, 7, 8, 1))}, {}, "each image has shape"),
        ("encode", {"x": np.full((1, 8, 8, 1), np.inf)}, {}, "infinity"),
        ("encode", {"x": np.full((1, 8, 8, 1), np.nan)}, {}, "NaN"),
        ("decode", {"z": np.zeros((1, 3))}, {}, "label is needed"),
        ("decode", {"z": np.zeros((1, 3)), "y": np.array([10])}, {}, "index of a class"),
        ("decode", {"z": np.full((1, 3), np.nan)}, {}, "not finite"),
        ("decode", {"z": np.zeros((1, 4))}, {}, "codes of 3 numbers"),
        ("sample", {}, {"n": "many"}, "n takes a whole number"),
        ("sample", {}, {"n": 10**9}, "n takes a whole number"),
        ("codes", {}, {"start": 4, "stop": 2}, "start is 0 or more"),
        ("data", {"index": np.array([-1])}, {}, "the rows are 0 to 359"),
        ("model", {}, {"model": 1}, "model takes a whole number"),
    ],
)
def test_wrong_questions_are_told_so(
    models: Models, verb: str, arrays: dict[str, np.ndarray], options: dict[str, object], words: str
) -> None:
    vae, dataset = models["digits"]
    with pytest.raises(DataError, match=words):
        Answers({"m": vae}, dataset).ask(verb, arrays, options)


def test_wire() -> None:
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([True, False])}
    found, info = unpack(pack(arrays, {"n": np.int64(2), "x": np.float64("nan")}))
    assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
    assert info == {"n": 2, "x": None}
    for blob in (b"", b"nonsense", pack({"a": np.zeros(3, np.int64)}, {}), (9**9).to_bytes(8, "little")):
        with pytest.raises(DataError):
            unpack(blob)


def test_two_models_are_answered_side_by_side(models: Models) -> None:
    (one, data), (two, _) = models["digits"], models["plane"]
    both = Answers({"one": one, "two": two}, data)
    assert both.ask("model")[1]["models"] == ["one", "two"]
    assert both.ask("model", {}, {"model": 1})[1]["latent_dim"] == 2
