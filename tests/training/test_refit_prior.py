"""Laws of a prior that is refitted to the codes."""

import copy
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from reparam import (
    ELBO,
    MAF,
    MLP,
    VAE,
    Auxiliary,
    Enumerated,
    Fixed,
    Flow,
    FullGaussian,
    Gaussian,
    Given,
    Mixture,
    Point,
    SpecError,
    Sphere,
    StandardNormal,
    Training,
    VampPrior,
)
from reparam.data.load import load
from reparam.families import Family
from reparam.model.label_head import LabelHead
from tests.models import DIGITS

FAST = Training(epochs=40, batch_size=50, learning_rate=5e-3)


@pytest.fixture(scope="module")
def trained() -> VAE:
    X = load("digits").X
    training = Training(epochs=40, batch_size=50)
    return VAE(5, encoder=MLP((64,)), training=training, random_state=0).fit(X[:600])


@pytest.mark.parametrize(
    "prior", [Mixture(Gaussian(), 10), VampPrior(30), Flow(steps=(MAF((16,)),))], ids=repr
)
def test_refit_raises_the_held_out_bound(prior: Family | VampPrior, trained: VAE, tmp_path: Path) -> None:
    X, vae = load("digits").X, copy.deepcopy(trained)
    vae.refit_prior(X[:600], prior, training=FAST)
    before, after = trained.evaluate(X[1000:], k=50), vae.evaluate(X[1000:], k=50)
    assert after.elbo > before.elbo + 0.1
    assert after.log_likelihood.mean > before.log_likelihood.mean + 0.1
    assert vae.prior_ == prior and vae.prior is None
    np.testing.assert_allclose(vae.transform(X[:5]), trained.transform(X[:5]), rtol=1e-5)
    np.testing.assert_allclose(vae.reconstruct(X[:5]), trained.reconstruct(X[:5]), rtol=1e-5)
    vae.save(tmp_path / "m.safetensors")
    again = VAE.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(vae.score_samples(X[:5]), again.score_samples(X[:5]))
    np.testing.assert_array_equal(vae.sample(4), again.sample(4))


def test_refit_is_reproducible_and_leaves_no_trace(trained: VAE) -> None:
    a, b = (
        copy.deepcopy(trained).refit_prior(DIGITS, Mixture(Gaussian(), 3), training=FAST) for _ in range(2)
    )
    for p, q in zip(a.model_.state_dict().values(), b.model_.state_dict().values(), strict=True):
        assert torch.equal(p, q)
    assert all(p.requires_grad for p in a.model_.parameters())


def test_refit_keeps_the_better_prior(trained: VAE) -> None:
    vae = copy.deepcopy(trained)
    with pytest.warns(UserWarning, match="no more likely under .* than under Gaussian"):
        vae.refit_prior(DIGITS, Gaussian(Fixed(3.0), Fixed(0.1)), training=FAST)
    assert vae.prior_ == StandardNormal()


def test_refit_makes_an_autoencoder_draw_digits() -> None:
    """Draws come nearer to held-out digits, in the root mean square distance to the nearest."""
    X = load("digits").X
    training = Training(epochs=40, batch_size=50)
    vae = VAE(
        5, encoder=MLP((64,)), posterior=Point(), objective=ELBO(0), training=training, random_state=0
    ).fit(X[:600])

    def distance() -> float:
        drawn = vae.sample(200, mean=True).reshape(200, 1, -1)
        return float(np.sqrt(((drawn - X[1000:].reshape(1, -1, 64)) ** 2).sum(-1)).min(1).mean())

    before = distance()
    vae.refit_prior(X[:600], Mixture(FullGaussian(), 10), training=FAST)
    assert distance() < 0.8 * before


@pytest.mark.parametrize("labels", [Given(2), Auxiliary(2), Enumerated(2)], ids=repr)
def test_refit_with_labels_and_rungs(labels: LabelHead) -> None:
    dims = 2 if isinstance(labels, Enumerated) else (3, 2)
    y = np.arange(300) % 2
    training = Training(epochs=4, batch_size=50)
    vae = VAE(dims, labels=labels, encoder=MLP((32,)), training=training, random_state=0).fit(DIGITS, y)
    before = vae.evaluate(DIGITS, y, k=20).elbo
    vae.refit_prior(DIGITS, Mixture(Gaussian(), 3), y, training=FAST)
    assert vae.prior_ == Mixture(Gaussian(), 3)
    assert vae.evaluate(DIGITS, y, k=20).elbo > before


def test_refit_refuses(trained: VAE) -> None:
    vae = copy.deepcopy(trained)
    with pytest.raises(SpecError, match=r"refit_prior takes Gaussian \| .*, not 3"):
        vae.refit_prior(DIGITS, cast(Any, 3))
    with pytest.raises(SpecError, match="KL is infinite"):
        vae.refit_prior(DIGITS, Sphere())
    with pytest.raises(ValueError, match="holds out part of X"):
        vae.refit_prior(DIGITS[:9], Mixture())
    with pytest.raises(SpecError, match=r"takes no Training\.clip"):
        vae.refit_prior(DIGITS, Mixture(), training=Training(clip=1.0))
