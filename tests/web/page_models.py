"""The models that the page is tried on, each with its data."""

from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from reparam import MLP, VAE, Covariates, Fixed, Gaussian, Local, Sigmoid, Training
from reparam.data.load import Dataset, load
from reparam.recipes import recipe


class Fitted(NamedTuple):
    vae: VAE
    data: Dataset


PIXELS = Gaussian(loc=Local(Sigmoid()), scale=Fixed(0.2))


@cache
def digits() -> Fitted:
    data = load("digits")
    vae = recipe("zeldes").model.set_params(likelihood=PIXELS, training=Training(epochs=12), random_state=0)
    return Fitted(vae.fit(data.X[:900], data.y[:900]), Dataset("data", data.X[:900], data.y[:900]))


@cache
def plane() -> Fitted:
    data = load("digits")
    vae = VAE(2, encoder=MLP((64,)), likelihood=PIXELS, training=Training(epochs=8), random_state=0)
    return Fitted(vae.fit(data.X[:600]), Dataset("data", data.X[:600], data.y[:600]))


@cache
def table() -> Fitted:
    rng = np.random.default_rng(0)
    n = 400
    kind = rng.integers(0, 3, n)
    size = 4.0 + 2.0 * kind + rng.normal(0, 0.4, n)
    frame = pd.DataFrame(
        {
            "size": size.round(2),
            "weight": (3 * size + rng.normal(0, 1, n)).round(1),
            "sort": np.array(["lentil", "bean", "pea"])[kind],
            "count": rng.poisson(3 + 2 * kind),
        }
    )
    frame.loc[rng.random(n) < 0.1, "weight"] = np.nan
    frame.loc[rng.random(n) < 0.1, "sort"] = None
    vae = VAE(2, training=Training(epochs=30), random_state=0)
    return Fitted(vae.fit(frame), Dataset("data", frame))


@cache
def colours() -> Fitted:
    rng = np.random.default_rng(0)
    hue, place = rng.random((300, 3)), rng.random(300)
    rows = np.arange(8)[None, :, None, None] / 8
    X = np.clip(hue[:, None, None, :] * (0.35 + 0.65 * (rows < place[:, None, None, None])), 0, 1)
    X = np.repeat(X, 8, axis=2).astype(np.float32)
    vae = VAE(3, encoder=MLP((32,)), likelihood=PIXELS, training=Training(epochs=10), random_state=0)
    return Fitted(vae.fit(X), Dataset("data", X))


@cache
def series() -> Fitted:
    rng = np.random.default_rng(0)
    t = np.arange(500)
    value = np.sin(t / 6) + 0.4 * np.sin(t / 2.3) + 0.1 * rng.normal(size=500)
    value[330:336] += 2.0
    frame = pd.DataFrame({"timestamp": t * 300, "value": value})
    vae = VAE(3, window=24, training=Training(epochs=10), random_state=0)
    return Fitted(vae.fit(frame), Dataset("data", frame))


@cache
def conditional() -> Fitted:
    rng = np.random.default_rng(0)
    sex = np.array(["f", "m"])[rng.integers(0, 2, 300)]
    given = pd.DataFrame({"age": rng.integers(20, 80, 300), "sex": sex})
    height = (164 + 13 * (sex == "m") + rng.normal(0, 6, 300)).round(1)
    weight = (0.9 * (height - 95) + 0.1 * given["age"] + rng.normal(0, 7, 300)).round(1)
    smokes = np.where(rng.random(300) < 0.3, "yes", "no")
    frame = pd.DataFrame({"height": height, "weight": weight, "smokes": smokes})
    vae = VAE(2, labels=Covariates(), training=Training(epochs=30), random_state=0)
    return Fitted(vae.fit(frame, given), Dataset("data", frame, given))


MODELS = {
    "digits": digits,
    "plane": plane,
    "table": table,
    "colours": colours,
    "series": series,
    "conditional": conditional,
}
