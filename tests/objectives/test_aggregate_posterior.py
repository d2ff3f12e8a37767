"""Penalties on the aggregate posterior and on the decoder, against closed forms."""

import numpy as np
import pytest
import torch

from reparam import (
    ELBO,
    MMD,
    VAE,
    Decorrelation,
    Gaussian,
    GradientPenalty,
    LatentCritic,
    LatentNorm,
    Point,
    Sparsity,
    Training,
)
from reparam.objectives import decomposition
from tests.models import DIGITS, X, small


def test_rate_is_information_plus_correlation_plus_dimension_wise_kl() -> None:
    model = small(layers=(3,))
    model.n_data = 500
    trace = model(X.repeat(20, 1))
    sampled = trace.layers[0].q.log_prob(trace.layers[0].z) - trace.layers[0].p.log_prob(trace.layers[0].z)
    torch.testing.assert_close(sum(decomposition(trace)), sampled[0])


def test_total_correlation_of_a_correlated_gaussian() -> None:
    """A narrow q around correlated means: TC -> -1/2 log det R. The whole data are the batch."""
    rng = np.random.default_rng(0)
    R = np.array([[1.0, 0.8], [0.8, 1.0]])
    means = torch.tensor(rng.multivariate_normal(np.zeros(2), R, 2000))
    q = torch.distributions.Independent(torch.distributions.Normal(means, 0.1), 1)
    p = torch.distributions.Independent(torch.distributions.Normal(torch.zeros(2), 1.0), 1)
    model = small()
    model.n_data = 2000
    trace = model(X[:1].expand(2000, 4))
    trace.layers = (trace.layers[0]._replace(z=q.sample((1,)), q=q, p=p),)
    widened = R + 0.01 * np.eye(2)
    exact = -0.5 * np.linalg.slogdet(widened / 1.01)[1]
    assert float(decomposition(trace)[1].mean().detach()) == pytest.approx(exact, abs=0.12)


def test_mmd_is_zero_for_the_prior_and_positive_beyond() -> None:
    model = small(layers=(2,))
    trace = model(X[:1].expand(1000, 4))
    layer = trace.layers[0]
    for kernel in ("imq", "rbf"):
        values = {}
        for shift in (0.0, 1.0):
            torch.manual_seed(0)
            trace.layers = (layer._replace(z=torch.randn(1, 1000, 2, dtype=torch.float64) + shift),)
            values[shift] = float(MMD(1.0, kernel)(trace, 0).detach())
        assert abs(values[0.0]) < 0.01 < 0.05 < values[1.0]


def test_decorrelation_by_hand() -> None:
    model = small(layers=(3,))
    trace = model(X)
    q = trace.layers[0].q
    for of in ("means", "samples"):
        C = np.cov(q.mean.detach().numpy().T, bias=True)
        C = C + np.diag(q.variance.mean(0).detach().numpy()) * (of == "samples")
        off = (C**2).sum() - (np.diag(C) ** 2).sum()
        by_hand = 2 * off + 3 * ((np.diag(C) - 1) ** 2).sum()
        assert float(Decorrelation(2.0, 3.0, of)(trace, 0).detach()) == pytest.approx(by_hand)


def test_gradient_penalty_is_the_squared_jacobian() -> None:
    model = small(layers=(2,), likelihood=Gaussian())
    trace = model(X[:1])
    z = trace.layers[0].z
    J = torch.autograd.functional.jacobian(lambda z: model.decode(z).mean.squeeze(), z.detach()).reshape(
        -1, 2
    )
    torch.manual_seed(0)
    estimates = [
        float(GradientPenalty(1.0)(model(X[:1], draw=lambda i, q, p: z), 0).detach()) for _ in range(2000)
    ]
    assert np.mean(estimates) == pytest.approx(float(J.square().sum()), abs=4 * np.std(estimates) / 2000**0.5)


def test_reconstruction_free_terms_run_with_a_point() -> None:
    """RAE, WAE and an adversarial autoencoder: a Point posterior with each penalty."""
    X = DIGITS[:200]
    for term in (
        LatentNorm(0.1),
        Sparsity(0.1),
        MMD(10.0),
        LatentCritic(1.0),
        GradientPenalty(1e-2),
        Decorrelation(1.0, 1.0),
    ):
        training = Training(epochs=4, batch_size=50)
        vae = VAE(3, posterior=Point(), objective=(ELBO(0), term), training=training, random_state=0).fit(X)
        assert vae.history_[-1]["loss"] < vae.history_[0]["loss"]
