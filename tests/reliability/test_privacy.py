"""A saved model holds no rows of the training data but what docs/formats.md says."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reparam import MLP, VAE, Training, VampPrior
from reparam.serialization.model_file import read
from tests.torture.models import frame, kinds

TRAINING = Training(epochs=2, batch_size=20)


def rows_in(X: np.ndarray, path: Path, within: float = 1e-3) -> int:
    """The rows of X (n, d) that stand in a tensor of a file, as they are or standardised by column."""
    tensors, _ = read(path)
    standard = (X - X.mean(0)) / X.std(0)
    found = 0
    for tensor in tensors.values():
        held = tensor.double().numpy().reshape(-1)
        if len(held) < X.shape[1]:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(held, X.shape[1])
        for row in (*X, *standard):
            found += int((np.abs(windows - row).max(1) < within).any())
    return found


@pytest.mark.parametrize("kind", ["labels", "images", "covariates", "codes"])
def test_no_tensor_holds_a_row(kind: str, tmp_path: Path) -> None:
    words, X, y = kinds()[kind]
    vae = VAE(4 if kind == "codes" else 2, encoder=MLP((4,)), training=TRAINING, random_state=0, **words)
    vae.fit(X, y).save(tmp_path / "m")
    flat = np.asarray(X, dtype=float).reshape(len(X), -1)
    assert rows_in(flat, tmp_path / "m") == 0


def test_pseudo_inputs_begin_as_rows_and_the_search_finds_them(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    still = Training(epochs=1, batch_size=40, learning_rate=1e-9, ema=None)
    vae = VAE(2, encoder=MLP((4,)), prior=VampPrior(5), training=still, random_state=0)
    vae.fit(X).save(tmp_path / "m")
    assert rows_in(X.astype(float), tmp_path / "m", within=0.05) >= 5  # with noise of 0.01


def test_a_header_has_of_each_column_its_range_and_categories_alone(tmp_path: Path) -> None:
    table = frame()
    VAE(2, encoder=MLP((4,)), training=TRAINING, random_state=0).fit(table).save(tmp_path / "m")
    text = json.dumps(read(tmp_path / "m")[1])
    assert not any(key in text for key in table["key"])
    for name in ("real", "positive"):
        values = table[name].drop_duplicates()
        inside = values[(values > values.min()) & (values < values.max()) & (values.abs() > 0.05)]
        assert len(inside) > 20
        assert not [value for value in inside if f" {value!r}," in text]
    assert pd.Series(["low", "mid", "high"]).map(lambda word: word in text).all()
