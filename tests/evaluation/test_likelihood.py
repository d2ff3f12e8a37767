"""The importance-weighted estimate against closed forms, and in the units of the data."""

import math
import os

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from reparam import ELBO, IWAE, VAE, Adam, Bernoulli, Gaussian, Training
from reparam.data.load import load
from reparam.evaluation.likelihood import log_likelihood
from reparam.families import Local, StandardNormal
from reparam.model.config import ModelConfig
from reparam.model.hierarchy import LatentLayer, inferring, replaying
from reparam.model.model import Model
from reparam.nn.networks import MLP
from tests.models import linear_gaussian

MNIST = [
    pytest.mark.slow,
    pytest.mark.skipif("REPARAM_DATA" not in os.environ, reason="no MNIST in $REPARAM_DATA"),
]


@pytest.mark.parametrize("latent", [2, 10, 50])
def test_estimate_meets_closed_form(latent: int) -> None:
    model, x, exact, _ = linear_gaussian(latent, max(24, latent), seed=latent, centred=False)
    torch.manual_seed(0)
    estimate, ess = log_likelihood(model, x, None, 5000, None)
    assert abs(float(estimate.mean()) - exact.mean()) < 0.01
    assert float(ess.min()) > 50
    with torch.no_grad():
        elbo = model(x, samples=2000).bound.numpy()
    gap = exact - elbo
    assert gap.mean() > -2 * gap.std() / math.sqrt(len(gap))
    per_dimension = 0.5 * (1.2**2 + 0.1**2 - 1) - math.log(1.2)
    assert gap.mean() == pytest.approx(latent * per_dimension, abs=0.02)


def by_numpy(model: Model, x: np.ndarray, k: int) -> np.ndarray:
    """log p(x) of each row by k draws, in float64 from the weights alone: one tanh layer each way, on and off
    pixels, draws of numpy's."""
    w = {name: t.detach().numpy().astype(np.float64) for name, t in model.state_dict().items()}

    def dense(name: str, h: np.ndarray) -> np.ndarray:
        return h @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    rng, x = np.random.default_rng(7), x.reshape(len(x), -1).astype(np.float64)
    mean, log_variance = np.split(dense("latents.q.0.layer", np.tanh(dense("encoder.blocks.0.0", x))), 2, -1)
    log_w = []
    for _ in range(k):
        noise = rng.standard_normal(mean.shape)
        z = mean + np.exp(0.5 * log_variance) * noise
        logit = dense("likelihood.layer.1", np.tanh(dense("likelihood.layer.0.0", z)))
        log_px = (x * logit - np.logaddexp(0, logit)).sum(-1)
        log_w.append(log_px + 0.5 * (noise**2 - z**2 + log_variance).sum(-1))
    return np.asarray(logsumexp(log_w, axis=0) - math.log(k))


@pytest.mark.parametrize("name", ["digits", pytest.param("mnist", marks=MNIST)])
def test_estimate_of_a_trained_model_meets_brute_force(name: str) -> None:
    """Within 0.1 nat, the mean and the middle row, of rows for which 50 of 20,000 codes count: of some odd
    digits one does, and neither estimate holds. Both draw codes of their own."""
    X = (load(name).X[:6000] > 0.5).astype(np.float32)
    training = Training(epochs=20)
    vae = VAE(8, encoder=MLP((64,), "tanh"), objective=IWAE(10), training=training, random_state=0).fit(X)
    torch.manual_seed(0)
    ours, counted = log_likelihood(vae.model_, torch.tensor(X[:50]), None, 20_000, None)
    off = (ours.numpy() - by_numpy(vae.model_, X[:50], 20_000))[counted.numpy() > 50]
    assert len(off) > 20
    assert np.median(np.abs(off)) < 0.1 and abs(off.mean()) < 0.1


def test_sample_count_is_exactly_k() -> None:
    """The mean over k=1 runs of w is the k-sample mean: logs of averages, recomputed by hand in float64."""
    model, x, _, _ = linear_gaussian(3, 6, seed=1, centred=False)
    x = x[:5]
    for k in (1, 99, 100, 101, 250):
        torch.manual_seed(3)
        ours, _ = log_likelihood(model, x, None, k, None)
        torch.manual_seed(3)
        log_w: list[torch.Tensor] = []
        while len(log_w) < k:
            log_w += list(model(x, samples=min(100, k - len(log_w))).log_w())
        assert len(log_w) == k
        by_hand = np.log(np.mean(np.exp(torch.stack(log_w).detach().numpy()), axis=0))
        np.testing.assert_allclose(ours.numpy(), by_hand, rtol=1e-10)


def test_bound_rises_with_samples() -> None:
    model, x, exact, _ = linear_gaussian(5, 10, seed=2, centred=False)
    torch.manual_seed(0)
    bounds = [float(log_likelihood(model, x, None, k, None)[0].mean()) for k in (1, 3, 10, 100, 1000)]
    assert bounds == sorted(bounds) and bounds[-1] < exact.mean() + 0.01


def test_bound_meets_quadrature_in_one_dimension() -> None:
    torch.manual_seed(0)
    parts = ModelConfig((1,), MLP((8,)), MLP((8,), "tanh"), Gaussian(), StandardNormal(), Bernoulli())
    model = Model((5,), parts).double()
    x = (torch.rand(20, 5) < 0.5).double()
    z = torch.linspace(-10, 10, 20001, dtype=torch.float64)
    with torch.no_grad():
        log_joint = (
            model.decode(z[:, None, None]).log_prob(x) + torch.distributions.Normal(0, 1).log_prob(z)[:, None]
        )
        exact = torch.logsumexp(log_joint, 0) + math.log(float(z[1] - z[0]))
    estimate, _ = log_likelihood(model, x, None, 20_000, None)
    np.testing.assert_allclose(estimate.numpy(), exact.numpy(), atol=0.02)


def test_score_is_in_the_units_of_the_data() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4)) @ rng.normal(size=(4, 4)) + rng.normal(size=4)
    scales = np.array([1e-3, 0.1, 10.0, 1e3])
    vae = VAE(2, training=Training(epochs=5), random_state=0)
    plain = vae.fit(X).score_samples(X)
    scaled = vae.fit(X * scales).score_samples(X * scales)
    np.testing.assert_allclose(scaled, plain - np.log(scales).sum(), atol=2e-3)


def test_elbo_of_the_log_is_the_one_recomputed_by_hand() -> None:
    """One full batch, learning rate so small that nothing moves: the log is the trace's own sum."""
    X = np.random.default_rng(0).normal(size=(64, 3))
    training = Training(epochs=1, batch_size=64, learning_rate=1e-12, optimiser=Adam())
    vae = VAE(2, objective=ELBO(), training=training, random_state=0).fit(X)
    row = vae.history_[0]
    torch.manual_seed(vae.seed_ * 1_000_003)
    order = torch.randperm(64)
    x = torch.tensor(X, dtype=torch.float32)[order]
    trace = vae.model_(x)
    (layer,) = trace.layers
    loc, scale = layer.q.mean, layer.q.stddev
    kl = (0.5 * (scale**2 + loc**2 - 1) - scale.log()).sum(-1).mean()
    mean, sd = trace.px.mean, trace.px.stddev
    log_px = -0.5 * ((x - mean) / sd) ** 2 - sd.log() - 0.5 * math.log(2 * math.pi)
    assert row["rate"] == pytest.approx(float(kl.detach()), rel=1e-5)
    assert row["distortion"] == pytest.approx(-float(log_px.sum(-1).mean().detach()), rel=1e-5)
    assert row["bound"] == pytest.approx(-row["rate"] - row["distortion"])
    assert row["loss"] == pytest.approx(-row["bound"], rel=1e-6)


def test_analytic_kl_equals_sampled() -> None:
    torch.manual_seed(0)
    q = Gaussian().build((3,), lambda n: torch.nn.Linear(4, n))(torch.randn(6, 4))
    p = StandardNormal().build((3,), lambda n: torch.nn.Identity())(None)
    z = q.rsample(torch.Size((200_000,)))
    sampled = q.log_prob(z) - p.log_prob(z)
    error = sampled.std(0) / math.sqrt(len(z))
    z_scores = (LatentLayer(z, q, p).rate()[0] - sampled.mean(0)) / error
    assert float(z_scores.detach().abs().max()) < 4


def test_replay_gives_the_same_ladder() -> None:
    torch.manual_seed(0)
    parts = ModelConfig((3, 2), MLP((8,)), MLP((8,)), Gaussian(), StandardNormal(), Gaussian(scale=Local()))
    model = Model((4,), parts)
    h = model.conditioning(torch.randn(5, 4)).features
    state, layers = model.latents(h, inferring(7))
    again, replayed = model.latents(h, replaying([layer.z for layer in layers]))
    assert state.shape == (7, 5, 8)
    torch.testing.assert_close(state, again)
    for a, b in zip(layers, replayed, strict=True):
        torch.testing.assert_close(a.rate(), b.rate())
        assert a.rate().shape == (7, 5)
