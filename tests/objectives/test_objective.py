"""Terms: estimators of the gradient are unbiased, penalties meet closed forms, refusals are refused."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reparam import (
    CIWAE,
    ELBO,
    IWAE,
    MIWAE,
    MLP,
    MMD,
    PIWAE,
    VAE,
    Auxiliary,
    Bernoulli,
    CrossEntropy,
    Decorrelation,
    Enumerated,
    FactorTC,
    Gaussian,
    GradientPenalty,
    LatentCritic,
    LatentNorm,
    Linear,
    Point,
    Renyi,
    Shared,
    Sparsity,
    StandardNormal,
    Term,
    Training,
)
from reparam.data.load import load
from reparam.model.config import ModelConfig
from reparam.model.model import Model, Trace
from reparam.objectives import decomposition


def small(dims: tuple[int, ...] = (2,), **parts: Any) -> Model:
    """A model whose q is far from the posterior, in float64."""
    torch.manual_seed(1)
    held = {"posterior": Gaussian(), "prior": StandardNormal(), "likelihood": Bernoulli()} | parts
    model = Model((5,), ModelConfig(dims, MLP((6,), "tanh"), MLP((6,), "tanh"), **held)).double()
    for p in model.parameters():
        p.data.add_(0.3 * torch.randn_like(p))
    return model


X = (torch.rand(3, 5, generator=torch.Generator().manual_seed(0)) < 0.5).double()


COPIES = 100


def gradients(model: Model, term: Term, repeats: int, seed: int) -> Tensor:
    """(repeats, n) gradients of the encoder's parameters, each over COPIES of the data."""
    torch.manual_seed(seed)
    assert isinstance(model.encoder, nn.Module)
    parameters = [*model.encoder.parameters(), *model.latents.parameters()]
    found = []
    x = X.repeat(COPIES, 1)
    for _ in range(repeats):
        loss = term(model(x, samples=term.draws), 0)
        found.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)]))
    return torch.stack(found)


def largest_z(a: Tensor, b: Tensor) -> float:
    """How many standard errors the two means are apart, at worst; n large enough to be normal."""
    error = (a.var(0) / len(a) + b.var(0) / len(b)).sqrt()
    moving = error > 1e-12
    return float(((a.mean(0) - b.mean(0)).abs() / error)[moving].max())


N = 100


@pytest.mark.parametrize(
    "estimator, reference",
    [
        (ELBO(gradient="path"), ELBO()),
        (ELBO(gradient="path", samples=3), ELBO(samples=3)),
        (IWAE(8, gradient="dreg"), IWAE(8)),
    ],
)
def test_gradient_is_unbiased(estimator: Term, reference: Term) -> None:
    model = small()
    assert largest_z(gradients(model, estimator, N, 0), gradients(model, reference, N, 1)) < 4.5


def test_path_gradient_is_unbiased_on_a_ladder() -> None:
    model = small((2, 2))
    a, b = gradients(model, ELBO(gradient="path"), N, 0), gradients(model, ELBO(), N, 1)
    assert largest_z(a, b) < 4.5


def force(term: Term, **fields: object) -> Term:
    """The term with fields that its own check would refuse."""
    for name, value in fields.items():
        object.__setattr__(term, name, value)
    return term


def test_the_refused_estimators_are_biased() -> None:
    """What a careless library would offer: STL on IWAE (q's score dropped), DReG on two layers."""

    class Careless(IWAE):
        def __call__(self, trace: Trace, step: int) -> Tensor:
            log_w = trace.log_w(frozen_q=True)
            return -(torch.logsumexp(log_w, 0) - math.log(self.k)).mean()

    assert largest_z(gradients(small(), Careless(8), N, 0), gradients(small(), IWAE(8), N, 1)) > 8
    model = small((2, 2))
    dreg = IWAE(8, gradient="dreg")
    assert largest_z(gradients(model, dreg, 5 * N, 0), gradients(model, IWAE(8), 5 * N, 1)) > 6


def test_better_estimators_vary_less() -> None:
    """At the exact posterior the path gradient vanishes; DReG's relative noise stays below the score's."""
    torch.manual_seed(0)
    parts = ModelConfig((1,), MLP(()), MLP(()), Gaussian(), StandardNormal(), Gaussian(scale=Shared()))
    model = Model((1,), parts).double()
    with torch.no_grad():
        likelihood: Any = model.likelihood
        likelihood.layer[-1].weight.fill_(1.0)
        likelihood.layer[-1].bias.zero_()
        likelihood.floor = 0.0
        head: Any = model.latents.q[0].layer
        head.weight.copy_(torch.tensor([[0.5], [0.0]]))
        head.bias.copy_(torch.tensor([0.0, math.log(0.5)]))
    x = torch.randn(4, 1, dtype=torch.float64)
    spread = {}
    for term in (ELBO(), ELBO(gradient="path")):
        g = []
        for _ in range(200):
            loss = term(model(x), 0)
            g.append(torch.autograd.grad(loss, head.weight)[0].flatten())
        spread[term.gradient] = float(torch.stack(g).var(0).max())
    assert spread["path"] < 1e-15 < 1e-4 < spread["total"]
    model = small()
    variance = {
        kind: float(gradients(model, IWAE(64, gradient=kind), N, 0).var(0).sum())
        for kind in ("total", "dreg")
    }
    assert variance["dreg"] < 0.7 * variance["total"]


def test_piwae_moves_the_decoder_as_iwae_and_the_encoder_as_miwae() -> None:
    model = small()
    decoder = list(model.likelihood.parameters())
    encoder = [*model.encoder.parameters(), *model.latents.parameters()]
    for reference, parameters in ((IWAE(12), decoder), (MIWAE(3, 4), encoder)):
        found = []
        for term in (PIWAE(3, 4), reference):
            torch.manual_seed(0)
            loss = term(model(X, samples=12), 0)
            found.append(torch.autograd.grad(loss, parameters))
        for a, b in zip(*found, strict=True):
            torch.testing.assert_close(a, b)


def test_bounds_are_ordered_and_meet() -> None:
    """ELBO <= MIWAE(4, 4) <= IWAE(16), CIWAE between, Renyi from one to the other; the same draws."""
    model = small()
    torch.manual_seed(0)
    trace = model(X.repeat(50, 1), samples=16)
    value = {term: float(term(trace, 0).detach()) for term in (MIWAE(4, 4), IWAE(16), CIWAE(16, 0.5))}
    elbo = -float(trace.log_w().mean().detach())
    assert elbo > value[MIWAE(4, 4)] > value[IWAE(16)]
    assert value[CIWAE(16, 0.5)] == pytest.approx((elbo + value[IWAE(16)]) / 2)
    renyi = [float(Renyi(alpha, 16)(trace, 0).detach()) for alpha in (0.0, 0.5, 0.999)]
    assert renyi[0] == pytest.approx(value[IWAE(16)])
    assert all(a < b for a, b in pairwise(renyi)) and renyi[2] == pytest.approx(elbo, abs=0.01)


def test_rate_is_information_plus_correlation_plus_dimension_wise_kl() -> None:
    model = small((3,))
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
    trace = model(X[:1].expand(2000, 5))
    trace.layers = (trace.layers[0]._replace(z=q.sample((1,)), q=q, p=p),)
    widened = R + 0.01 * np.eye(2)
    exact = -0.5 * np.linalg.slogdet(widened / 1.01)[1]
    assert float(decomposition(trace)[1].mean().detach()) == pytest.approx(exact, abs=0.12)


def test_mmd_is_zero_for_the_prior_and_positive_beyond() -> None:
    model = small((2,))
    trace = model(X[:1].expand(1000, 5))
    layer = trace.layers[0]
    for kernel in ("imq", "rbf"):
        values = {}
        for shift in (0.0, 1.0):
            torch.manual_seed(0)
            trace.layers = (layer._replace(z=torch.randn(1, 1000, 2, dtype=torch.float64) + shift),)
            values[shift] = float(MMD(1.0, kernel)(trace, 0).detach())
        assert abs(values[0.0]) < 0.01 < 0.05 < values[1.0]


def test_decorrelation_by_hand() -> None:
    model = small((3,))
    trace = model(X)
    q = trace.layers[0].q
    for of in ("means", "samples"):
        C = np.cov(q.mean.detach().numpy().T, bias=True)
        C = C + np.diag(q.variance.mean(0).detach().numpy()) * (of == "samples")
        off = (C**2).sum() - (np.diag(C) ** 2).sum()
        by_hand = 2 * off + 3 * ((np.diag(C) - 1) ** 2).sum()
        assert float(Decorrelation(2.0, 3.0, of)(trace, 0).detach()) == pytest.approx(by_hand)


def test_gradient_penalty_is_the_squared_jacobian() -> None:
    model = small((2,), likelihood=Gaussian())
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


def test_free_bits_and_capacity_by_hand() -> None:
    model = small((2, 2))
    torch.manual_seed(0)
    trace = model(X)
    distortion = trace.distortion.mean()
    layers = [layer.rates()[0].mean(0) for layer in trace.layers]
    by_dimension = distortion + sum(r.clamp_min(0.6).sum() for r in layers)
    kl_by_layer = distortion + sum(r.sum().clamp_min(1.2) for r in layers)
    torch.testing.assert_close(ELBO(free_bits=0.6)(trace, 0), by_dimension)
    torch.testing.assert_close(ELBO(free_bits=1.2, free_per="layer")(trace, 0), kl_by_layer)
    capacity = distortion + 10 * (trace.rate.mean() - 2.5).abs()
    torch.testing.assert_close(ELBO(10, capacity=Linear(0, 5, 10))(trace, 5), capacity)


def digits(n: int = 500) -> tuple[np.ndarray, np.ndarray]:
    data = load("digits")
    return data.X[:n], data.y[:n]


def test_free_bits_prevent_a_collapse() -> None:
    """A decoder with its own noise scale and a heavy beta collapses; with free bits it does not."""
    X, _ = digits()
    training = Training(epochs=20, batch_size=50)
    shared = {"latent_dim": 4, "encoder": MLP((32,)), "training": training, "random_state": 0}
    rates = {}
    for bits in (0.0, 0.5):
        vae = VAE(objective=ELBO(beta=30.0, free_bits=bits), **shared).fit(X)  # type: ignore[arg-type]
        rates[bits] = vae.history_[-1]["rate"]
    assert rates[0.0] < 0.3 and rates[0.5] > 1.2


@pytest.mark.parametrize("term", [FactorTC(5.0), LatentCritic(1.0)])
def test_critics_learn_beside_the_model(term: Term) -> None:
    X, _ = digits(200)
    vae = VAE(3, objective=(ELBO(), term), training=Training(epochs=8, batch_size=50), random_state=0)
    seen = []
    for _ in vae.fit_iter(X):
        seen.append(
            torch.cat([p.detach().flatten() for p in vae.trainer_.adversary.critics[term].parameters()])
        )
    assert vae.history_[-1]["distortion"] < vae.history_[0]["distortion"]
    assert not torch.equal(seen[0], seen[-1])
    assert not any("critic" in name for name in vae.model_.state_dict())


def test_factor_critic_finds_the_total_correlation() -> None:
    """Trained on a fixed correlated Gaussian its log-odds estimate TC = -1/2 log(1 - rho^2)."""
    torch.manual_seed(0)
    term, rho = FactorTC(1.0, (64, 64), learning_rate=1e-3), 0.8
    model = small((2,))
    critic = term.build(model.config)
    optimiser = torch.optim.Adam(critic.parameters(), 2e-3)

    class Drawn(Trace):
        def __init__(self, n: int) -> None:
            a, b = torch.randn(2, n)
            z = torch.stack((a, rho * a + (1 - rho**2) ** 0.5 * b), -1)[None]
            self.layers = (model(X).layers[0]._replace(z=z),)
            self.x, self.critics = z[0], {term: critic}

    for _ in range(600):
        optimiser.zero_grad()
        term.critic_loss(Drawn(512)).backward()
        optimiser.step()
    with torch.no_grad():
        found = float(term(Drawn(20_000), 0))
    assert found == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.08)


def test_enumerated_evidence_by_hand() -> None:
    """log p(x) = log sum_y p(y) p(x|y), and -log p(x, y) where y is known: bounds below, and they meet."""
    model = small((1,), labels=Enumerated(3, network=MLP((4,))))
    model.log_prior_y.copy_(torch.tensor([0.5, 0.3, 0.2]).log())
    z = torch.linspace(-9, 9, 4001, dtype=torch.float64)
    normal = torch.distributions.Normal(0, 1).log_prob(z)[:, None]
    codes = torch.eye(3, dtype=torch.float64)
    with torch.no_grad():
        each = torch.stack(
            [
                torch.logsumexp(model.decode(z[:, None, None], c[None, None]).log_prob(X) + normal, 0)
                + math.log(float(z[1] - z[0]))
                for c in codes
            ]
        )
        joint = each + model.log_prior_y[:, None]
        exact = torch.logsumexp(joint, 0)
        y = torch.tensor([2, -1, 0])
        torch.manual_seed(0)
        for labels, truth in (
            (None, exact),
            (y, torch.where(y < 0, exact, joint.gather(0, y.clamp_min(0)[None])[0])),
        ):
            trace = model(X, labels, samples=20_000)
            estimate = torch.logsumexp(trace.log_w(), 0) - math.log(3 * 20_000)
            torch.testing.assert_close(estimate, truth, atol=0.03, rtol=0)
            assert (trace.bound <= truth + 0.02).all()


def test_semi_supervised_labels_help() -> None:
    """With 50 labels of 1,437 digits M2's classifier beats logistic regression on the 50."""
    from sklearn.linear_model import LogisticRegression

    data, test = load("digits:train"), load("digits:test")
    rng = np.random.default_rng(0)
    known = np.concatenate([rng.choice(np.flatnonzero(data.y == k), 5, replace=False) for k in range(10)])
    y = np.full(len(data.y), -1)
    y[known] = data.y[known]
    vae = VAE(
        8,
        labels=Enumerated(10, network=MLP((128,))),
        encoder=MLP((128,)),
        objective=(ELBO(), CrossEntropy(300.0)),
        training=Training(epochs=60, batch_size=100, learning_rate=2e-3),
        random_state=0,
    ).fit(data.X, y)
    alone = LogisticRegression(max_iter=2000).fit(data.X[known].reshape(50, -1), y[known])
    ours, theirs = (
        (vae.predict(test.X) == test.y).mean(),
        alone.score(test.X.reshape(len(test.X), -1), test.y),
    )
    assert ours > theirs + 0.02
    assert vae.sample(3, label=7).shape == (3, 8, 8)
    assert np.isfinite(vae.score_samples(test.X[:5])).all()


@pytest.mark.parametrize(
    "training",
    [
        Training(epochs=4, ema=0.9, clip=1.0),
        Training(epochs=4, learning_rate=Linear(1e-3, 0, 20), skip=1e4),
        Training(epochs=6, validation=0.2, patience=3, ema=0.9),
    ],
)
def test_training_options_resume(training: Training, tmp_path: object) -> None:
    X, _ = digits(200)
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
    X, _ = digits(100)
    vae = VAE(2, training=Training(epochs=3, batch_size=50, ema=0.5), random_state=0)
    seen = []
    for _ in vae.fit_iter(X):
        seen.append([p.detach().clone() for p in vae.model_.parameters()])
    kept = list(vae.model_.parameters())
    assert any(not torch.equal(a, b) for a, b in zip(kept, seen[-1], strict=True))


def test_skipped_steps_change_nothing() -> None:
    X, _ = digits(100)
    frozen = VAE(2, training=Training(epochs=2, skip=1e-9), random_state=0)
    weights = []
    for _ in frozen.fit_iter(X):
        head: Any = frozen.model_.latents.q[0].layer
        weights.append(head.weight.detach().clone())
    torch.testing.assert_close(weights[0], weights[1], atol=0, rtol=0)


def test_reconstruction_free_terms_run_with_a_point() -> None:
    """RAE, WAE and an adversarial autoencoder: a Point posterior with each penalty."""
    X, _ = digits(200)
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


def test_auxiliary_with_iwae() -> None:
    X, y = digits(200)
    vae = VAE(3, labels=Auxiliary(10), objective=(IWAE(3), CrossEntropy(10)), training=Training(epochs=3))
    vae.set_params(random_state=0).fit(X, y)
    assert vae.history_[-1]["bound"] > vae.history_[0]["bound"]
