"""The page in one file gives the numbers of Python, and reaches nothing outside of it."""

import base64
import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from reparam import VAE, Dataset, SpecError, Training
from reparam.export import export_page
from reparam.export.graphs import Score
from reparam.export.page import LARGEST, with_fewer_rows
from reparam.export.page_contents import checked_or_simpler
from reparam.recipes import RECIPES
from reparam.web.answers import Answers
from reparam.web.bundle import bundle, closed
from reparam.web.wire import unpack
from tests.recipes.test_recipes import digits
from tests.web import page_models
from tests.web.browser import chromium, needs_chromium, opened, until

pytest.importorskip("playwright.sync_api")

ASK = """async ([verb, arrays, options]) => {
  const kinds = { float32: Float32Array, float64: Float64Array, int32: Int32Array };
  const given = {};
  for (const [name, { kind, data, shape }] of Object.entries(arrays))
    given[name] = { data: new kinds[kind](data), shape };
  try {
    const { arrays: found, info } = await window.reparam.ask(verb, given, options);
    for (const each of Object.values(found))
      each.data = Array.from(each.data, (v) => (Number.isNaN(v) ? null : v));
    return { arrays: found, info };
  } catch (error) {
    return { error: error.message };
  }
}"""


class Asked:
    """The verbs of an open page, with arrays of numpy."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def __call__(self, verb: str, options: dict[str, Any] | None = None, **arrays: np.ndarray) -> Any:
        found = self.page.evaluate(ASK, [verb, sent(arrays), options or {}])
        assert "error" not in found, found["error"]
        return {
            name: np.array([np.nan if v is None else v for v in a["data"]], float).reshape(a["shape"])
            for name, a in found["arrays"].items()
        }, found["info"]

    def refused(self, verb: str, **arrays: np.ndarray) -> str:
        return str(self.page.evaluate(ASK, [verb, sent(arrays), {}])["error"])


def sent(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Arrays as the page takes them; a typed array reads the text NaN as the number."""
    return {
        name: {
            "kind": a.dtype.name,
            "shape": a.shape,
            "data": ["NaN" if v != v else v for v in a.ravel().tolist()],
        }
        for name, a in arrays.items()
    }


@contextmanager
def page_of(file: Path) -> Iterator[Asked]:
    faults: list[str] = []
    asked: list[str] = []
    with chromium() as browser, opened(browser, faults) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        until(page, "s.ready", 60)
        yield Asked(page)
        assert {url.partition(":")[0] for url in asked} <= {"file", "blob", "data"}
    assert not faults


@needs_chromium
@pytest.mark.parametrize(
    "name",
    ["plane", *(pytest.param(n, marks=pytest.mark.slow) for n in ("digits", "table", "colours", "series"))],
)
def test_the_page_gives_the_numbers_of_python(name: str, tmp_path: Path) -> None:
    vae, data = page_models.MODELS[name]()
    file = export_page(vae, tmp_path / "page.html", data, name=name)
    assert file.stat().st_size < LARGEST
    python = Answers({name: vae}, data)
    with page_of(file) as ask:
        said, known = ask("model")[1], python.ask("model")[1]
        for key in (
            "kind",
            "shape",
            "columns",
            "classes",
            "latents",
            "n_parameters",
            "n_data",
            "keys",
            "name",
        ):
            assert said[key] == known[key], key
        both = [ask("codes"), python.ask("codes")]
        for key in ("mean", "sd", "score"):
            np.testing.assert_allclose(both[0][0][key], both[1][0][key], atol=1e-5)
        assert both[0][1]["kl"] == pytest.approx(both[1][1]["kl"], rel=1e-5)

        stop = {"start": 0, "stop": 6}
        x, _ = python.ask("data", {}, stop)
        np.testing.assert_array_equal(ask("data", stop)[0]["x"], x["x"])
        rows = np.array([3, 0, 5], np.int32)
        theirs, info = python.ask("data", {"index": rows})
        ours, own = ask("data", index=rows)
        np.testing.assert_allclose(ours["x"], theirs["x"], atol=1e-6)
        assert own["keys"] == info["keys"]

        code, _ = python.ask("encode", {"x": x["x"]})
        found, _ = ask("encode", x=x["x"])
        assert found.keys() == code.keys() - {"kl"}
        for key in found:
            np.testing.assert_allclose(found[key], code[key], atol=1e-4)
        z = code["mean"].astype(np.float32)
        y: dict[str, Any] = {"y": np.full(len(z), 3, np.int32)} if vae.classes_ is not None else {}
        theirs, _ = python.ask("decode", {"z": z, **y})
        ours, _ = ask("decode", z=z, **y)
        assert ours.keys() == theirs.keys()
        for key in theirs:
            np.testing.assert_allclose(ours[key], theirs[key], atol=1e-4, rtol=1e-4)
        path = {"steps": 5, "path": "spherical"}
        one = {"y": y["y"][:1]} if y else {}
        theirs, _ = python.ask("interpolate", {"z": z[:2], **one}, path)
        np.testing.assert_allclose(ask("interpolate", path, z=z[:2], **one)[0]["x"], theirs["x"], atol=1e-3)
        log_p = python.ask("prior", {"z": z})[0]["log_p"]
        np.testing.assert_allclose(ask("prior", z=z)[0]["log_p"], log_p, rtol=1e-4)

        drawn, _ = ask("sample", {"n": 7, "seed": 2})
        again, _ = ask("sample", {"n": 7, "seed": 2})
        np.testing.assert_array_equal(drawn["x"], again["x"])
        assert drawn["x"].shape == python.ask("sample", {}, {"n": 7})[0]["x"].shape
        worst, more = python.ask("anomalies", {}, {"n": 5})
        ours, reasons = ask("anomalies", {"n": 5})
        assert ours["index"].tolist() == worst["index"].tolist()
        assert bool(reasons["reasons"]) == bool(more["reasons"])
        if name == "series":
            x, _ = python.ask("data", {}, {"start": 300, "stop": 345})
            ours, theirs = ask("score", x=x["x"])[0], python.ask("score", {"x": x["x"]})[0]
            a, b = ours["log_px"][24:], theirs["log_px"][24:]
            np.testing.assert_allclose(a, b, rtol=0.1, atol=0.1)  # means over 100 draws each
            assert np.isfinite(ours["log_px"]).all()
            return
        theirs, _ = python.ask("score", {"x": x["x"]})
        ours, _ = ask("score", x=x["x"])
        np.testing.assert_allclose(ours["log_px"], theirs["log_px"], rtol=1e-4)
        np.testing.assert_allclose(ours["percentile"], theirs["percentile"], atol=100 / len(data.X) + 1e-9)
        assert ours["cells"].shape == theirs["cells"].shape
        if name != "table":
            x["x"][:, 2] = np.nan
            mean = python.ask("encode", {"x": x["x"]})[0]["mean"]
            np.testing.assert_allclose(ask("encode", x=x["x"])[0]["mean"], mean, atol=1e-4)
            return
        np.testing.assert_array_equal(np.isnan(ours["cells"]), np.isnan(theirs["cells"]))
        theirs, ours = python.ask("conditional", {"x": x["x"]})[0], ask("conditional", x=x["x"])[0]
        np.testing.assert_array_equal(ours["values"], theirs["values"])
        np.testing.assert_allclose(ours["p"], theirs["p"], atol=1e-3)
        wrong = x["x"].copy()
        wrong[0, 2] = 7
        assert "column sort holds 7: give the index of a category, 0 to 2" in ask.refused("encode", x=wrong)


@needs_chromium
@pytest.mark.slow
def test_covariates_are_given_to_the_graphs(tmp_path: Path) -> None:
    vae, data = page_models.conditional()
    python = Answers({"conditional": vae}, data)
    given = {"covariates": np.array([[61.0, 1.0]])}
    with page_of(export_page(vae, tmp_path / "page.html", data)) as ask:
        assert "sample" not in ask("model")[1]["verbs"]
        rows, _ = python.ask("data", {}, {"start": 0, "stop": 5})
        held = ask("data", {"start": 0, "stop": 5})[0]["covariates"]
        np.testing.assert_array_equal(held, rows["covariates"])
        for verb, name in (("encode", "mean"), ("score", "log_px"), ("conditional", "p")):
            for more in (given, {"covariates": rows["covariates"]}, {}):
                asked = {"x": rows["x"]} | more
                found, expected = ask(verb, None, **asked)[0][name], python.ask(verb, asked)[0][name]
                np.testing.assert_allclose(found, expected, atol=1e-3, rtol=1e-4)
        z = np.linspace(-2, 2, 8, dtype=np.float32).reshape(4, 2)
        decoded = python.ask("decode", {"z": z} | given)[0]["x"]
        np.testing.assert_allclose(ask("decode", None, z=z, **given)[0]["x"], decoded, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("frans-memory", {"codes", "encode", "decode", "interpolate", "prior"}),
        ("ae", {"prior"}),
        ("fsq-vae", {"prior"}),
        ("m2", set()),
        ("vampprior", set()),
    ],
)
def test_models_of_other_kinds_have_a_page(name: str, without: set[str], tmp_path: Path) -> None:
    X, *y = digits(name)
    training = Training(epochs=1, batch_size=50)
    vae = clone(RECIPES[name].model).set_params(training=training, random_state=0).fit(X, *y)
    text = export_page(vae, tmp_path / "page.html", X, *y).read_text(encoding="utf-8")
    (held,) = re.findall(r'id="reparam-contents">([^<]+)<', text)
    arrays, info = unpack(gzip.decompress(base64.b64decode(held)))
    verbs = set(info["models"][0]["model"]["verbs"])
    every = {"codes", "encode", "decode", "interpolate", "prior", "sample", "score", "anomalies", "data"}
    assert every - verbs == without
    assert ("0.pool.z" in arrays) == (name in {"frans-memory", "fsq-vae", "vampprior"})


def test_a_score_whose_cells_differ_is_taken_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    vae = VAE(1, training=Training(epochs=1), random_state=0).fit(np.eye(4))
    score = Score(vae.model_, ("x",), 0, cells=True)

    def checked(name: str, graph: Score, tests: object) -> tuple[bytes, list[str], float]:
        if graph.cells:
            raise SpecError("'cells' differs")
        return b"graph", ["log_px"], 0.0

    monkeypatch.setattr("reparam.export.page_contents.checked_graph", checked)
    assert checked_or_simpler("score", score, []) == (b"graph", ["log_px"], 0.0)


def test_rows_that_do_not_fit_are_left_out_evenly() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 30)).astype(np.float32)
    vae = VAE(2, training=Training(epochs=1), random_state=0).fit(X[:200])
    asked = Answers({"m": vae}, Dataset("data", X)).models[0]
    small = with_fewer_rows(asked, 60_000)
    assert small.view is not None and 200 < small.view.n < 1000
    np.testing.assert_array_equal(small.view.X[[0, -1]], X[[0, -1]])
    assert with_fewer_rows(asked, 10**7).view is asked.view


def test_modules_become_one(tmp_path: Path) -> None:
    text = bundle("page_file.js")
    assert "import {" not in text and "\nexport " not in text and text.count("class Store ") == 1
    module = tmp_path / "a.js"
    module.write_text("const one = 1, two = 2;export{one as a,two as b};")
    assert "return { a: one, b: two };" in closed(module, {})


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize("name", ["plane", "digits", "series"])
def test_the_page_fills_what_is_erased(name: str, tmp_path: Path) -> None:
    """The mean differs from Python's no more than Python's do between seeds, and draws spread as Python's."""
    vae, data = page_models.MODELS[name]()
    python = Answers({name: vae}, data)
    some = {"start": 100, "stop": 140} if name == "series" else {"start": 0, "stop": 8}
    x = python.ask("data", {}, some)[0]["x"].copy()
    x[(slice(30, 34) if name == "series" else (slice(None), slice(3, 6)))] = np.nan
    erased = np.isnan(x)
    with page_of(export_page(vae, tmp_path / "page.html", data, name=name)) as ask:
        ours, theirs = ask("impute", x=x)[0]["x"][0], python.ask("impute", {"x": x})[0]["x"][0]
        np.testing.assert_array_equal(ours[~erased], x[~erased])
        other = python.ask("impute", {"x": x}, {"seed": 1})[0]["x"][0]
        between_seeds = np.abs(other - theirs)[erased].mean()
        assert np.abs(ours - theirs)[erased].mean() < 1.5 * between_seeds
        seeds = [{"draws": 64, "seed": seed} for seed in range(1, 9)]
        drawn = np.concatenate([ask("impute", each, x=x)[0]["x"] for each in seeds])
        again = np.concatenate([python.ask("impute", {"x": x}, each)[0]["x"] for each in seeds])
        assert drawn.shape == (512, *x.shape)
        np.testing.assert_array_equal(drawn[:, ~erased], np.broadcast_to(x[~erased], (512, (~erased).sum())))
        np.testing.assert_allclose(drawn.std(0)[erased].mean(), again.std(0)[erased].mean(), rtol=0.1)
        bias = (drawn.mean(0) - theirs)[erased]
        assert np.abs(bias).mean() < 0.1


@needs_chromium
@pytest.mark.slow
def test_the_page_fills_tables_as_python_does(tmp_path: Path) -> None:
    """Draws of two cells that depend on each other have Python's shares, means and correlation."""
    vae, data = page_models.table()
    python = Answers({"table": vae}, data)
    x = np.full((1, 4), np.nan)
    x[0, 3] = 4
    with page_of(export_page(vae, tmp_path / "page.html", data)) as ask:
        ours = np.concatenate([ask("impute", {"draws": 64, "seed": s}, x=x)[0]["x"] for s in range(4)])[:, 0]
        theirs = np.concatenate(
            [python.ask("impute", {"x": x}, {"draws": 64, "seed": 64 * s})[0]["x"] for s in range(4)]
        )[:, 0]
        best = ask("impute", x=x)[0]["x"][0]
        np.testing.assert_allclose(best[0, :2], python.ask("impute", {"x": x})[0]["x"][0, 0, :2], rtol=0.15)
    assert np.isfinite(ours).all() and (ours[:, 3] == 4).all()
    spread = theirs.std(0) / 16
    np.testing.assert_array_less(np.abs(ours.mean(0) - theirs.mean(0))[:3], 6 * spread[:3])
    correlations = [np.corrcoef(each[:, 0], each[:, 1])[0, 1] for each in (ours, theirs)]
    assert correlations[0] == pytest.approx(correlations[1], abs=0.1)
