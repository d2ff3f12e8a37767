"""Laws of gradients: held densities are held, estimators without bias, PIWAE's two parts.

Every oracle is a closed form, an enumeration, a quadrature or the same draws taken another way; float64.
"""

import math
from typing import Any

import pytest
import torch

from reparam import (
    CIWAE,
    ELBO,
    IAF,
    IWAE,
    MAF,
    MIWAE,
    MLP,
    PIWAE,
    Auxiliary,
    Fixed,
    Flow,
    FullGaussian,
    Gaussian,
    LowRankGaussian,
    Mixture,
    PowerSpherical,
    Renyi,
    Sphere,
    Spline,
    StandardNormal,
    Term,
    VampPrior,
)
from reparam.families import Family
from reparam.model.config import ModelConfig
from reparam.model.hierarchy import replaying
from reparam.model.model import Model
from reparam.tensors import log_mean_exp
from tests.models import IAFS, MAFS, SPLINES, Top, X, flat, small

DENSITIES: list[tuple[Family, Top]] = [
    (Gaussian(), StandardNormal()),
    (Gaussian(), Gaussian()),
    (Gaussian(), FullGaussian()),
    (Gaussian(), Mixture(Gaussian(), 3)),
    (Gaussian(), Mixture(FullGaussian(), 2)),
    (Gaussian(), VampPrior(3)),
    (Gaussian(), MAFS),
    (Gaussian(), Flow(Mixture(Gaussian(), 2), steps=(Spline((6,), bins=4),))),
    (FullGaussian(), FullGaussian()),
    (FullGaussian(), VampPrior(3)),
    (LowRankGaussian(1), LowRankGaussian(1)),
    (PowerSpherical(), Sphere()),
    (PowerSpherical(), Mixture(PowerSpherical(), 3)),
    (PowerSpherical(), VampPrior(3)),
    (IAFS, MAFS),
    (IAFS, VampPrior(2)),
    (Flow(steps=(MAF((6,)), MAF((6,)))), IAFS),
    (SPLINES, SPLINES),
    (Flow(FullGaussian(), steps=(IAF((6,)),)), Mixture(Gaussian(), 3)),
]


@pytest.mark.parametrize(("q", "p"), DENSITIES, ids=repr)
def test_held_densities_are_held(q: Family, p: Top) -> None:
    """At a detached z nothing is left to differentiate; at a free z the slope in z is the live one."""
    model = small(q, p)
    z = model(X, samples=3).layers[0].z.detach()
    trace = model(X, samples=3, draw=replaying([z]))
    layer, ((log_q, log_p),) = trace.layers[0], trace.frozen
    torch.testing.assert_close(log_q, layer.q.log_prob(z), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(log_p, layer.p.log_prob(z), rtol=1e-10, atol=1e-10)
    assert not log_q.requires_grad and not log_p.requires_grad
    free = z.clone().requires_grad_()
    trace = model(X, samples=3, draw=replaying([free]))
    ((log_q, log_p),) = trace.frozen
    every = [free, *model.parameters()]
    for held, live in ((log_q, trace.layers[0].q.log_prob(free)), (log_p, trace.layers[0].p.log_prob(free))):
        if not held.requires_grad:
            assert isinstance(p, Sphere)
            continue
        slope, *others = torch.autograd.grad(held.sum(), every, allow_unused=True, retain_graph=True)
        assert all(g is None for g in others)
        torch.testing.assert_close(slope, torch.autograd.grad(live.sum(), free, retain_graph=True)[0])


def test_held_densities_of_a_ladder_are_held() -> None:
    model = small(layers=(2, 3))
    zs = [layer.z.detach() for layer in model(X, samples=3).layers]
    trace = model(X, samples=3, draw=replaying(zs))
    for layer, z, (log_q, log_p) in zip(trace.layers, zs, trace.frozen, strict=True):
        torch.testing.assert_close(log_q, layer.q.log_prob(z))
        torch.testing.assert_close(log_p, layer.p.log_prob(z))
        assert not log_q.requires_grad and not log_p.requires_grad


Q_BY_P: list[tuple[Family, Top]] = [
    *[
        (q, p)
        for q in (Gaussian(), FullGaussian(), IAFS)
        for p in (StandardNormal(), Gaussian(), Mixture(Gaussian(), 3), VampPrior(3), MAFS)
    ],
    *[(PowerSpherical(), p) for p in (Sphere(), Mixture(PowerSpherical(), 3), VampPrior(3))],
]


def apart(model: Model, term: Term, reference: Term, repeats: int = 30, copies: int = 50) -> float:
    """The largest |z| of the mean difference of two gradients, taken with the same draws."""
    x, found = X.repeat(copies, 1), []
    for seed in range(repeats):
        pair = []
        for each in (term, reference):
            torch.manual_seed(seed)
            pair.append(flat(model, each(model(x, samples=each.draws), 0)))
        found.append(pair[0] - pair[1])
    difference = torch.stack(found)
    error = difference.std(0) / math.sqrt(repeats)
    noisy = error > 1e-12
    assert float(difference[:, ~noisy].abs().sum()) < 1e-8 * repeats
    return float((difference.mean(0)[noisy].abs() / error[noisy]).max())


@pytest.mark.parametrize(("q", "p"), Q_BY_P, ids=repr)
@pytest.mark.parametrize(
    ("term", "reference"),
    [(ELBO(gradient="path"), ELBO()), (IWAE(5, gradient="dreg"), IWAE(5))],
    ids=("path", "dreg"),
)
def test_gradients_of_all_parameters_are_unbiased(q: Family, p: Top, term: Term, reference: Term) -> None:
    model = small(q, p)
    assert apart(model, term, reference) < 5


@pytest.mark.parametrize(
    ("term", "reference"),
    [(ELBO(gradient="path"), ELBO()), (IWAE(5, gradient="dreg"), IWAE(5))],
    ids=("path", "dreg"),
)
@pytest.mark.parametrize("detach", [False, True])
def test_gradients_are_unbiased_beside_a_classifier(detach: bool, term: Term, reference: Term) -> None:
    """The classifier's road from the encoder to the decoder is no draw: it is weighed once."""
    assert apart(small(labels=Auxiliary(3, detach=detach)), term, reference) < 5


def test_estimators_that_hold_q_vanish_at_the_posterior() -> None:
    """x = 2 z + e: where q is the posterior path and DReG give the encoder exactly 0, near it nearly so."""
    parts = ModelConfig((1,), MLP(()), MLP(()), Gaussian(), Gaussian(), Gaussian(scale=Fixed(1.0)))
    model = Model((1,), parts).double()
    inside: Any = model
    top, head, layer = inside.latents.top, inside.latents.q[0].layer, inside.likelihood.layer[-1]
    x = torch.randn(6, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    names = [name for name, _ in model.named_parameters() if name.startswith("latents.q")]
    with torch.no_grad():
        top.layer.raw.zero_()
        layer.weight.fill_(2.0)
        layer.bias.zero_()
        for off in (0.0, 0.02):
            head.weight.copy_(torch.tensor([[0.4 + off], [0.0]], dtype=torch.float64))
            head.bias.copy_(torch.tensor([0.0, math.log(0.2) + off], dtype=torch.float64))
            spread: dict[tuple[type, str], float] = {}
            for term in (ELBO(), ELBO(gradient="path"), IWAE(6), IWAE(6, gradient="dreg")):
                torch.manual_seed(0)
                with torch.enable_grad():
                    g = [flat(model, term(model(x, samples=term.draws), 0), names) for _ in range(100)]
                spread[type(term), term.gradient] = float(torch.stack(g).var(0).sum())
            for kind, held in ((ELBO, "path"), (IWAE, "dreg")):
                assert spread[kind, held] < (0.05 if off else 1e-25) * spread[kind, "total"]
            assert spread[ELBO, "total"] > 1e-2


@pytest.mark.parametrize("p", [Gaussian(), Mixture(Gaussian(), 3), MAFS], ids=repr)
@pytest.mark.parametrize("q", [Gaussian(), FullGaussian(), IAFS], ids=repr)
def test_piwae_parts_the_encoder_from_decoder_and_prior(q: Family, p: Top) -> None:
    model = small(q, p)
    names = [name for name, _ in model.named_parameters()]
    ours = [name for name in names if name.startswith(("latents.top", "likelihood"))]
    found = {}
    for term in (PIWAE(3, 4), IWAE(12), MIWAE(3, 4)):
        torch.manual_seed(0)
        loss = term(model(X, samples=12), 0)
        found[type(term)] = {name: flat(model, loss, [name]) for name in names} | {"": loss.detach()}
        model.zero_grad()
    assert any(name.startswith("latents.top") for name in ours)
    for name in names:
        torch.testing.assert_close(found[PIWAE][name], found[IWAE if name in ours else MIWAE][name])
        assert float((found[IWAE][name] - found[MIWAE][name]).abs().max()) > 1e-6
    torch.testing.assert_close(found[PIWAE][""], found[IWAE][""])


def test_piwae_moves_pseudo_inputs_as_iwae() -> None:
    model, found = small(Gaussian(), VampPrior(3)), []
    for term in (PIWAE(3, 4), IWAE(12)):
        torch.manual_seed(0)
        found.append(flat(model, term(model(X, samples=12), 0), ["pseudo"]))
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("beta", [0.0, 0.1, 0.8, 1.0])
def test_ciwae_is_the_stated_sum(beta: float) -> None:
    """beta ELBO + (1 - beta) IWAE over the same draws, values and gradients."""
    model, sampled = small(Gaussian(), Gaussian()), []
    for term in (CIWAE(7, beta), IWAE(7)):
        torch.manual_seed(0)
        trace = model(X, samples=7)
        loss = term(trace, 0)
        if isinstance(term, IWAE):
            loss = (1 - beta) * loss - beta * trace.log_w().mean()
        sampled.append(torch.cat((loss.detach()[None], flat(model, loss))))
    torch.testing.assert_close(*sampled)


def test_renyi_runs_from_iwae_to_the_elbo() -> None:
    model = small()
    torch.manual_seed(0)
    trace = model(X, samples=9)
    log_w = trace.log_w()
    torch.testing.assert_close(Renyi(0.0, 9)(trace, 0), -log_mean_exp(log_w).mean())
    torch.testing.assert_close(Renyi(1 - 1e-7, 9)(trace, 0), -log_w.mean(), rtol=0, atol=1e-5)
    by_hand = -2 * (log_w.exp().sqrt().mean(0)).log().mean()
    torch.testing.assert_close(Renyi(0.5, 9)(trace, 0), by_hand)
