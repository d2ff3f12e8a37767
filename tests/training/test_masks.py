"""Cells hidden in training, so that a model of whole rows reads rows with gaps."""

import numpy as np
import pandas as pd
import pytest
import torch

from reparam import MLP, VAE, Masks, SpecError, Training
from reparam.training.config import Training as Settings
from reparam.training.step import Loss

SMALL = MLP((16,))


def test_half_of_the_rows_are_whole_and_the_others_lose_a_uniform_share() -> None:
    torch.manual_seed(0)
    shares = Masks(rows=0.5, most=0.6).shares(torch.zeros(20_000, 3))
    assert shares.shape == (20_000, 1)
    some = shares[shares > 0]
    assert len(some) / 20_000 == pytest.approx(0.5, abs=0.02)
    assert float(some.mean()) == pytest.approx(0.3, abs=0.01)
    assert float(some.std()) == pytest.approx(0.6 / 12**0.5, abs=0.01)


def test_as_many_cells_are_hidden_as_said() -> None:
    torch.manual_seed(0)
    x = torch.zeros(5_000, 2, 4)
    for missing, expected in ((0.2, 0.2), (Masks(0.5, 0.6), 0.15), (0.0, 0.0)):
        loss = Loss.__new__(Loss)
        loss.training = Settings(missing=missing)
        assert float(loss.mask(x).isnan().double().mean()) == pytest.approx(expected, abs=0.01)


def test_tables_are_masked_and_arrays_are_not() -> None:
    X = np.random.default_rng(0).normal(size=(60, 3))
    frame = pd.DataFrame(X, columns=list("abc"))
    brief = Training(epochs=1)
    assert VAE(2, training=brief).fit(frame).training_.missing == Masks()
    assert VAE(2, training=brief).fit(X).training_.missing == 0
    assert VAE(2, training=Training(epochs=1, missing=0.0)).fit(frame).training_.missing == 0
    again = VAE(2, training=brief, warm_start=True).fit(frame).fit(frame)
    assert again.training_.missing == Masks()
    for wrong in ({"rows": 0.0}, {"most": 1.0}):
        with pytest.raises(SpecError, match="Masks takes"):
            Masks(**wrong)


@pytest.mark.slow
def test_whole_rows_are_enough_to_learn_to_fill_gaps() -> None:
    """Columns that are linear in four Gaussian factors: the best guess is the conditional mean of a normal
    distribution, with covariance C and cells m missing of o observed: C_mo C_oo^-1 x_o."""
    rng = np.random.default_rng(0)
    weights, n, columns = rng.normal(size=(4, 10)), 700, list("abcdefghij")
    rows = rng.normal(size=(n, 4)) @ weights + 0.2 * rng.normal(size=(n, 10))
    covariance = weights.T @ weights + 0.04 * np.eye(10)
    train, test = (pd.DataFrame(part, columns=columns) for part in (rows[:500], rows[500:]))
    hidden = rng.random(test.shape) < 0.3

    ideal = test.to_numpy().copy()
    for row, gone in zip(ideal, hidden, strict=True):
        seen = ~gone
        row[gone] = covariance[np.ix_(gone, seen)] @ np.linalg.solve(
            covariance[np.ix_(seen, seen)], row[seen]
        )

    def error(filled: np.ndarray) -> float:
        return float(np.sqrt(((filled - test.to_numpy())[hidden] ** 2).mean()))

    def ours(missing: float | None) -> float:
        training = Training(epochs=200, batch_size=64, missing=missing)
        vae = VAE(4, encoder=MLP((64,), "silu"), training=training, random_state=0).fit(train)
        return error(vae.impute(test.mask(hidden)).to_numpy())

    assert ours(None) < min(1.4 * error(ideal), 0.75 * ours(missing=0.0))
