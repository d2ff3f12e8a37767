"""A training that diverges goes back to its last good state, three times at most, and then says why."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from reparam import MLP, VAE, DivergedError, Fixed, Gaussian, Training
from reparam.training.update import Update

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
GOES_ON = "training goes on from the start of epoch"


def model(**words: Any) -> VAE:
    training = Training(**({"epochs": 4, "batch_size": 10} | words))
    return VAE(2, encoder=MLP((8,)), training=training, random_state=0)


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, int]]:
    """Steps after which the weights are NaN, and how often yet."""
    due: dict[int, int] = {}
    take = Update.__call__

    def step(update: Update, epoch: int) -> bool:
        taken = take(update, epoch)
        if due.get(update.step, 0):
            due[update.step] -= 1
            with torch.no_grad():
                update.parameters[0].fill_(math.nan)
        return taken

    monkeypatch.setattr(Update, "__call__", step)
    yield due


@pytest.mark.parametrize("ema", [None, 0.9])
def test_a_training_that_diverges_once_goes_on_with_half_the_rate(spoil: dict[int, int], ema: Any) -> None:
    spoil[15] = 1
    vae = model(ema=ema)
    with pytest.warns(UserWarning, match=f"in epoch 3: {GOES_ON} 1 with half"):
        list(vae.fit_iter(X))
    assert [row["epoch"] for row in vae.history_] == [1, 2, 3, 4]
    assert np.isfinite(vae.score_samples(X)).all()


@pytest.mark.parametrize("step", [12, 15, 18])
def test_wherever_in_an_epoch_it_diverges(spoil: dict[int, int], step: int) -> None:
    spoil[step] = 3
    vae = model()
    with pytest.warns(UserWarning, match=GOES_ON) as told:
        for _ in vae.fit_iter(X):
            assert vae.trainer_.update.halvings <= 3
    assert len(told) == 3 and len(vae.history_) == 4
    assert all(math.isfinite(row["loss"]) for row in vae.history_)


def test_the_fourth_time_is_an_error(spoil: dict[int, int]) -> None:
    spoil[15] = 9
    with (
        pytest.warns(UserWarning, match=GOES_ON),
        pytest.raises(DivergedError, match="tried 4 times, with half"),
    ):
        model().fit(X)


@pytest.mark.filterwarnings("ignore:the loss becomes")
@pytest.mark.parametrize(
    ("spoilt", "words", "message"),
    [
        (None, {"learning_rate": 1e4}, "give finite numbers. Lower learning_rate"),
        (1e17, {}, r"1 of \d+ rows are the cause; column 2 holds 1e\+17.*correct the data"),
    ],
)
def test_the_cause_is_named(spoilt: float | None, words: Any, message: str) -> None:
    rows = X.copy()
    if spoilt is not None:
        rows[7, 2] = spoilt
    vae = model(**words)
    vae.set_params(likelihood=Gaussian(scale=Fixed(1e-3)))
    with pytest.raises(DivergedError, match=message):
        vae.fit(rows)


@pytest.mark.filterwarnings("ignore:the loss becomes")
def test_a_cell_that_becomes_nan_in_mid_training_is_named() -> None:
    vae = model()
    with pytest.raises(DivergedError, match="column 1 holds nan: correct the data"):
        for progress in vae.fit_iter(rows := torch.tensor(X)):
            if progress.epoch == 2:
                rows[20, 1] = math.nan


def test_a_state_that_is_not_finite_is_not_saved(spoil: dict[int, int]) -> None:
    """A stop in such an epoch saves the training as it was before."""
    saved: list[int] = []

    class AtOnce:
        def wanted(self) -> tuple[bool, bool]:
            return True, vae.trainer_.update.step == 17

        def __call__(self, stop: bool) -> None:
            assert vae.trainer_.is_sound()
            saved.append(vae.trainer_.update.step)
            if stop:
                raise KeyboardInterrupt

    vae = model()
    spoil[15] = 1
    with pytest.raises(KeyboardInterrupt):
        list(vae.fit_iter(X, pause=AtOnce()))
    assert saved == [*range(1, 15), 0]
