"""Averaged weights, skipped steps, and training options across a stop."""

from typing import Any

import numpy as np
import pytest
import torch

from reparam import ELBO, VAE, FactorTC, Linear, Training
from tests.models import DIGITS


@pytest.mark.parametrize(
    "training",
    [
        Training(epochs=4, ema=0.9, clip=1.0),
        Training(epochs=4, learning_rate=Linear(1e-3, 0, 20), skip=1e4),
        Training(epochs=6, validation=0.2, patience=3, ema=0.9),
    ],
)
def test_training_options_resume(training: Training, tmp_path: object) -> None:
    X = DIGITS[:200]
    arguments = {"objective": (ELBO(), FactorTC(2.0)), "training": training, "random_state": 0}
    whole = VAE(2, **arguments).fit(X)  # type: ignore[arg-type]
    broken = VAE(2, **arguments)  # type: ignore[arg-type]
    for progress in broken.fit_iter(X):
        if progress.epoch == 2:
            broken.save_training(f"{tmp_path}/t.safetensors")
            break
    again = VAE(2, **arguments)  # type: ignore[arg-type]
    for _ in again.fit_iter(X, resume=f"{tmp_path}/t.safetensors"):
        pass
    np.testing.assert_array_equal(whole.transform(X), again.transform(X))


def test_averaged_weights_are_the_average() -> None:
    """mean <- r mean + (1 - r) w after each step, r = min(ema, (1 + step) / (10 + step))."""
    X = DIGITS[:100]
    vae = VAE(2, training=Training(epochs=3, batch_size=100, ema=0.2), random_state=0)
    weights = []
    for _ in vae.fit_iter(X):
        weights.append([p.detach().clone() for p in vae.model_.parameters()])
    first = VAE(2, training=Training(epochs=1, batch_size=100, learning_rate=1e-30), random_state=0).fit(X)
    mean = [p.detach().clone() for p in first.model_.parameters()]
    for step, new in enumerate(weights, 1):
        r = min(0.2, (1 + step) / (10 + step))
        mean = [r * m + (1 - r) * w for m, w in zip(mean, new, strict=True)]
    for kept, average in zip(vae.model_.parameters(), mean, strict=True):
        torch.testing.assert_close(kept.detach(), average, rtol=1e-5, atol=1e-7)


def test_skipped_steps_change_nothing() -> None:
    X = DIGITS[:100]
    frozen = VAE(2, training=Training(epochs=2, skip=1e-9), random_state=0)
    weights = []
    for _ in frozen.fit_iter(X):
        head: Any = frozen.model_.latents.q[0].layer
        weights.append(head.weight.detach().clone())
    torch.testing.assert_close(weights[0], weights[1], atol=0, rtol=0)
