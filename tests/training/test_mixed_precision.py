"""A step in mixed precision is finite for all models and objectives, with about the loss of float32."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from reparam import (
    ELBO,
    IWAE,
    MLP,
    PIWAE,
    VAE,
    FullGaussian,
    Gaussian,
    LowRankGaussian,
    Mixture,
    PowerSpherical,
    Shared,
    Sphere,
    StandardNormal,
    Term,
    Training,
    VampPrior,
)
from reparam.families import Family
from reparam.nn.products import Linear
from reparam.training.precision import Precision
from reparam.training.trainer import Trainer
from tests.models import DIGITS, IAFS, MAFS, Top, X, small
from tests.parts import CODES, FAMILIES, NETWORKS, TERMS


@pytest.mark.parametrize(
    ("q", "p"),
    [
        (Gaussian(), StandardNormal()),
        (Gaussian(), VampPrior(3)),
        (Gaussian(), MAFS),
        (FullGaussian(), FullGaussian()),
        (FullGaussian(), Mixture(FullGaussian(), 2)),
        (LowRankGaussian(1), StandardNormal()),
        (PowerSpherical(), Sphere()),
        (PowerSpherical(), VampPrior(3)),
        (PowerSpherical(), Mixture(PowerSpherical(), 2)),
        (IAFS, StandardNormal()),
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    "objective", [ELBO(), IWAE(3), ELBO(gradient="path"), IWAE(3, "dreg"), PIWAE(2, 2)], ids=repr
)
def test_a_step_in_mixed_precision(q: Family, p: Top, objective: Term) -> None:
    model = small(q, p, (3,)).float()
    x = X.repeat(4, 1).float()
    training = Training(epochs=1, batch_size=6, precision="bf16-mixed")
    (progress,) = Trainer(model, (objective,), training, 0).run((x, None))
    assert math.isfinite(progress.loss) and all(bool(w.isfinite().all()) for w in model.parameters())


@pytest.fixture(autouse=True)
def layers_that_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor on which "medium" is the layers' work, of the smallest too."""
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(Linear, "least", 0)


def losses(X: np.ndarray, y: np.ndarray | None = None, **parts: Any) -> list[float]:
    """The loss of the first batch in float32, in mixed precision and with rounded products."""
    found: list[float] = []
    held: dict[str, Any] = {"latent_dim": 4, "encoder": MLP((16,)), "random_state": 0} | parts
    precisions: tuple[Precision, ...] = ("32-true", "bf16-mixed", "medium")
    for precision in precisions:
        training = Training(epochs=1, batch_size=len(X), precision=precision, device="cpu")
        vae = VAE(**held, training=training).fit(X, y)
        assert all(bool(w.isfinite().all()) for w in vae.model_.parameters())
        found.append(vae.history_[0]["loss"])
    return found


def close(found: list[float]) -> bool:
    true, *rounded = found
    return all(math.isclose(each, true, rel_tol=0.02, abs_tol=0.05) for each in rounded)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_likelihood(name: str) -> None:
    row = FAMILIES[name]
    X = row.draw(np.random.default_rng(0), (64, 5)).astype(np.float32)
    assert close(losses(X, likelihood=row.family))


@pytest.mark.parametrize("name", TERMS)
def test_every_term(name: str) -> None:
    term, _, parts, holes = TERMS[name]
    X, y = DIGITS[:60].reshape(60, -1).copy(), np.arange(60) % 3 if "labels" in parts else None
    parts = dict(parts, objective=term if term.is_bound else (ELBO(), term))
    if holes:
        X[::2, :2], parts["likelihood"] = np.nan, Gaussian(scale=Shared())
    assert close(losses(X, y, **parts))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network(name: str) -> None:
    assert close(losses(DIGITS[:60], encoder=NETWORKS[name]))


@pytest.mark.parametrize(("code", "latent"), CODES, ids=repr)
def test_every_code(code: Family, latent: int) -> None:
    assert close(losses(DIGITS[:60], latent_dim=latent, posterior=code))
