"""Fitted models of four kinds of data, and their answers; pages of models in a browser."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reparam import MLP, VAE, Auxiliary, Dataset, Training, load
from reparam.web.answers import Answers

from . import page_models
from .browser import chromium, opened, until
from .driving import ANSWERERS

KINDS = ("digits", "plane", "table", "series")
SHORT = Training(epochs=2)


def table(n: int = 120) -> pd.DataFrame:
    """Every kind of column, with holes."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "key": [f"row {i}" for i in range(n)],
            "real": rng.normal(5.0, 1.0, n),
            "group": np.array(["a", "b", "c"])[rng.integers(0, 3, n)],
            "count": rng.poisson(3.0, n),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 100, n), unit="D"),
            "yes": rng.random(n) < 0.5,
            "constant": 1,
        }
    )
    frame.loc[::7, "real"] = np.nan
    frame.loc[::5, "group"] = None
    frame.loc[::9, "day"] = pd.NaT
    return frame


def series(n: int = 150) -> pd.DataFrame:
    values = np.sin(np.arange(n) / 5.0)
    values[7] = np.nan
    return pd.DataFrame({"timestamp": np.arange(n) * 60, "value": values})


def fitted(kind: str) -> tuple[VAE, Dataset]:
    small: dict[str, Any] = {"encoder": MLP((16,)), "training": SHORT, "random_state": 0}
    digits = load("digits:test")
    if kind == "digits":
        return VAE(3, labels=Auxiliary(10), **small).fit(digits.X, digits.y), digits
    if kind == "plane":
        return VAE(2, **small).fit(digits.X), digits
    if kind == "table":
        return VAE(2, **small).fit(table()), Dataset("table", table())
    return VAE(2, window=12, **small).fit(series()), Dataset("series", series())


@pytest.fixture(scope="session")
def models() -> Mapping[str, tuple[VAE, Dataset]]:
    return {kind: fitted(kind) for kind in KINDS}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def answers(kind: str, models: Mapping[str, tuple[VAE, Dataset]]) -> Answers:
    vae, dataset = models[kind]
    return Answers({kind: vae}, dataset)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module", params=ANSWERERS)
def address(request: pytest.FixtureRequest) -> Iterator[Callable[..., str]]:
    """The address of the page of named models, each served once."""
    opened: dict[tuple[str, ...], tuple[Any, str]] = {}

    def of(*names: str) -> str:
        if names not in opened:
            fitted = [page_models.MODELS[name]() for name in names]
            answers = Answers(
                dict(zip(names, (f.vae for f in fitted), strict=True)), [f.data for f in fitted]
            )
            context = request.param(answers)
            opened[names] = context, context.__enter__()
        return opened[names][1]

    yield of
    for context, _ in opened.values():
        context.__exit__(None, None, None)


@pytest.fixture
def visit(browser: Any, address: Callable[..., str]) -> Iterator[Callable[..., Any]]:
    """Opens the page of some models at a view; the page's own errors fail the test."""
    faults: list[str] = []
    with ExitStack() as stack:

        def go(*names: str, view: str = "map", more: str = "", **options: Any) -> Any:
            page = stack.enter_context(opened(browser, faults, **options))
            page.goto(f"{address(*names)}#view={view}{more}")
            until(page, "s.ready", 60)
            return page

        yield go
    assert not faults
