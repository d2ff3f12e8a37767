"""One question, asked of Python, the command line, HTTP and the exported page: the same numbers."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reparam.export import export_page
from reparam.web.answers import Answers
from reparam.web.requests import records_or_lists
from reparam.web.row_format import RowFormat, format_of
from reparam.web.server import create_app
from tests.cli.helpers import run
from tests.web import page_models
from tests.web.browser import needs_chromium
from tests.web.test_server import post

ROWS, CLASS = 30, 3
MODELS = [name for name in page_models.MODELS if name != "conditional"]  # its rows need covariates
Numbers = dict[str, np.ndarray]
Ask = Callable[[str], np.ndarray]
"""A verb -> its main array: rows as `row_format` has them, codes, or scores."""


class Question:
    """The first rows of a model's data, their codes, and what Python says of both."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.vae, self.data = page_models.MODELS[name]()
        self.form: RowFormat = format_of(self.vae)
        self.X = self.data.X[:ROWS]
        self.z = self.vae.transform(self.X)
        self.label = None if self.vae.labels_ is None or self.vae.classes_ is None else CLASS

    def python(self) -> Numbers:
        vae = self.vae
        return {
            "encode": self.z,
            "decode": self.form.numbers(vae.inverse_transform(self.z, self.label)),
            "reconstruct": self.form.numbers(vae.reconstruct(self.X)),
            "score": vae.score_samples(self.X),
        }


@contextmanager
def command_line(asked: Question, folder: Path) -> Iterator[Ask]:
    """The verbs of `reparam`, over files."""
    asked.vae.save(model := folder / "model.safetensors")
    table = isinstance(asked.X, pd.DataFrame)
    rows, codes = folder / ("rows.csv" if table else "rows.npy"), folder / "codes.npy"
    if table:
        asked.X.to_csv(rows, index=False)
    else:
        np.save(rows, asked.X)
    np.save(codes, asked.z)

    def ask(verb: str) -> np.ndarray:
        of_rows = verb in ("decode", "reconstruct")
        as_csv = verb == "score" or (of_rows and asked.form.kind == "table")
        out = folder / f"{verb}.{'csv' if as_csv else 'npy'}"
        words = ["--label", CLASS] if verb == "decode" and asked.label is not None else []
        assert run(verb, model, codes if verb == "decode" else rows, *words, "-o", out) == 0
        found: Any = pd.read_csv(out) if as_csv else np.load(out)
        if verb == "score":
            return np.asarray(found["score"])
        return asked.form.numbers(found) if of_rows else np.asarray(found)

    yield ask


@contextmanager
def http(asked: Question, folder: Path) -> Iterator[Ask]:
    """The public interface, in JSON."""
    app = create_app(Answers({asked.name: asked.vae}, asked.data), hosts=["127.0.0.1"])
    text = json.dumps(records_or_lists(asked.X), default=str).replace("NaN", "null")
    main = {"encode": "mean", "score": "log_px"}

    def ask(verb: str) -> np.ndarray:
        label = {} if asked.label is None else {"y": asked.label}
        body = {"z": asked.z.tolist(), **label} if verb == "decode" else {"x": json.loads(text)}
        answer = post(app, f"/api/v1/{verb}", json=body)
        assert answer.status_code == 200, answer.text
        found = answer.json()[main.get(verb, "x")]
        if verb in main:
            return np.array(found, float)
        frame = pd.DataFrame.from_records(found) if asked.form.kind == "table" else np.array(found, float)
        return asked.form.numbers(frame)

    yield ask


@contextmanager
def exported_page(asked: Question, folder: Path) -> Iterator[Ask]:
    """The page in one file, from file://, which knows no server."""
    from tests.export.test_page import page_of

    file = export_page(asked.vae, folder / "page.html", asked.data, name=asked.name)
    with page_of(file) as page:
        verbs = page("model")[1]["verbs"]

        def ask(verb: str) -> np.ndarray:
            if verb not in verbs:
                pytest.skip(f"the page of {asked.name} does not answer {verb}")
            given: dict[str, Any] = {"x": asked.form.numbers(asked.X)}
            if verb == "decode":
                given = {"z": asked.z.astype(np.float32)}
                given |= {} if asked.label is None else {"y": np.full(len(asked.z), CLASS, np.int32)}
            key = {"encode": "mean", "score": "log_px"}.get(verb, "x")
            return np.asarray(page(verb, None, **given)[0][key])

        yield ask


@pytest.mark.parametrize(
    "answerer",
    [
        pytest.param(command_line, id="cli"),
        pytest.param(http, id="http"),
        pytest.param(exported_page, id="page", marks=[needs_chromium, pytest.mark.slow]),
    ],
)
@pytest.mark.parametrize(
    "name", ["plane", *(pytest.param(n, marks=pytest.mark.slow) for n in MODELS if n != "plane")]
)
def test_the_same_numbers(name: str, answerer: Any, tmp_path: Path) -> None:
    asked = Question(name)
    wanted = asked.python()
    with answerer(asked, tmp_path) as ask:
        for verb, numbers in wanted.items():
            found = ask(verb)
            if answerer is exported_page and name == "series" and verb == "score":
                whole = slice(asked.vae.window_, None)  # the page has other noise: means over 100 draws each
                np.testing.assert_allclose(found[whole], numbers[whole], rtol=0.1, atol=0.1)
                continue
            np.testing.assert_allclose(found, numbers, rtol=1e-4, atol=1e-4, err_msg=verb)
