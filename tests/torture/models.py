"""One small fitted model of each kind of data, and rows that it takes, in a folder."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reparam import MLP, VAE, VQ, Auxiliary, Covariates, Given, Training, VampPrior

N = 40
KINDS = ("table", "labels", "images", "series", "covariates", "codes", "pseudo")


def frame() -> pd.DataFrame:
    """A column of each kind: real, positive, count, boolean, text, ordinal, date, constant, key."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "real": rng.normal(size=N).round(3),
            "positive": np.exp(2 * rng.normal(size=N)).round(4),
            "count": rng.poisson(4, N) * (rng.random(N) < 0.7),
            "boolean": rng.random(N) < 0.5,
            "text": rng.choice(["low", "mid", "high"], N),
            "ordinal": rng.integers(1, 6, N),
            "date": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, N), unit="D"),
            "constant": 7,
            "key": [f"row {i}" for i in range(N)],
        }
    )


def kinds() -> dict[str, tuple[dict[str, Any], Any, Any]]:
    """Arguments of a model, X and y by the name of the kind."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(N, 3)).astype(np.float32)
    time = pd.DataFrame({"timestamp": np.arange(N) * 60, "value": rng.normal(size=N)})
    given = pd.DataFrame({"age": rng.normal(40, 9, N).round(1), "batch": rng.choice(["A", "B"], N)})
    return {
        "table": ({}, frame(), None),
        "labels": ({"labels": Auxiliary(2)}, X, np.array(["u", "v"])[np.arange(N) % 2]),
        "images": ({"labels": Given(3)}, rng.random((N, 6, 6)).astype(np.float32), np.arange(N) % 3),
        "series": ({"window": 4}, time, None),
        "covariates": ({"labels": Covariates()}, pd.DataFrame(X, columns=["u", "v", "w"]), given),
        "codes": ({"posterior": VQ(4, 2)}, X, None),
        "pseudo": ({"prior": VampPrior(3)}, X, None),
    }


def write_models(folder: Path) -> None:
    """NAME.safetensors, and its rows as NAME.csv or NAME.npy."""
    training = Training(epochs=2, batch_size=20)
    for name, (words, X, y) in kinds().items():
        latent = 4 if name == "codes" else 2
        vae = VAE(latent, encoder=MLP((4,)), training=training, random_state=0, **words).fit(X, y)
        vae.save(folder / f"{name}.safetensors")
        if y is not None and hasattr(y, "columns"):
            X = pd.concat([X, y], axis=1)
        if hasattr(X, "columns"):
            X.to_csv(folder / f"{name}.csv", index=False)
        else:
            np.save(folder / f"{name}.npy", X)
