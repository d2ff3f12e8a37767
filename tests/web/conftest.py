"""Fitted models of four kinds of data, and their answers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reparam import MLP, VAE, Auxiliary, Dataset, Training, load
from reparam.web.answers import Answers

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
