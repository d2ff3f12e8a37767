"""Bounds: gradient estimators are unbiased, bounds are in order, free bits and capacity by hand."""

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reparam import (
    CIWAE,
    ELBO,
    IWAE,
    MIWAE,
    MLP,
    PIWAE,
    VAE,
    Gaussian,
    Linear,
    Renyi,
    Shared,
    StandardNormal,
    Term,
    Training,
)
from reparam.data.load import load
from reparam.model.config import ModelConfig
from reparam.model.model import Model
from reparam.model.trace import Trace
from reparam.specs.schedules import Now
from tests.models import X, small

COPIES, N = 100, 100


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


def test_path_gradient_is_unbiased_with_two_layers() -> None:
    model = small(layers=(2, 2))
    a, b = gradients(model, ELBO(gradient="path"), N, 0), gradients(model, ELBO(), N, 1)
    assert largest_z(a, b) < 4.5


@pytest.mark.slow
def test_the_refused_estimators_are_biased() -> None:
    """What a careless library would offer: STL on IWAE (q's score dropped), DReG on two layers."""

    class Careless(IWAE):
        def __call__(self, trace: Trace, step: Now) -> Tensor:
            log_w = trace.log_w(frozen_q=True)
            return -(torch.logsumexp(log_w, 0) - math.log(self.k)).mean()

    assert largest_z(gradients(small(), Careless(8), N, 0), gradients(small(), IWAE(8), N, 1)) > 8
    model = small(layers=(2, 2))
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


def test_free_bits_and_capacity_by_hand() -> None:
    model = small(layers=(2, 2))
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


def test_free_bits_prevent_a_collapse() -> None:
    """A decoder with its own noise scale and a heavy beta collapses; with free bits it does not."""
    X = load("digits").X[:500]
    training = Training(epochs=20, batch_size=50)
    shared = {"latent_dim": 4, "encoder": MLP((32,)), "training": training, "random_state": 0}
    rates = {}
    for bits in (0.0, 0.5):
        vae = VAE(objective=ELBO(beta=30.0, free_bits=bits), **shared).fit(X)  # type: ignore[arg-type]
        rates[bits] = vae.history_[-1]["rate"]
    assert rates[0.0] < 0.3 and rates[0.5] > 1.2
