"""Models of a posterior and a prior: gradients, bounds by quadrature, training, files and refusals."""

import math
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from reparam import (
    ELBO,
    IAF,
    IWAE,
    MLP,
    PIWAE,
    VAE,
    Auxiliary,
    Bernoulli,
    Enumerated,
    Family,
    Flow,
    FullGaussian,
    Gaussian,
    Given,
    Mixture,
    Planar,
    Point,
    PowerSpherical,
    SpecError,
    Sphere,
    StandardNormal,
    TotalCorrelation,
    Training,
    VampPrior,
)
from reparam.evaluation.likelihood import log_likelihood
from reparam.model.config import ModelConfig
from reparam.model.model import Model
from tests.models import DIGITS
from tests.parts import POSTERIORS, PRIORS, grid

PAIRS = [
    *[(q, Sphere() if q.support == "sphere" else StandardNormal()) for q in POSTERIORS],
    *[(Gaussian(), p) for p in PRIORS[1:] if getattr(p, "support", "real") == "real"],
    (PowerSpherical(), Mixture(PowerSpherical(), 3)),
    (PowerSpherical(), PowerSpherical()),
    (PowerSpherical(), VampPrior(6)),
    (FullGaussian(), FullGaussian()),
    (Flow(steps=(IAF((16,)),)), VampPrior(4)),
]
FLOWS = [q for q in POSTERIORS if isinstance(q, Flow)]


def small(q: Family, p: Family | VampPrior, L: int = 2) -> tuple[Model, Tensor]:
    torch.manual_seed(7)
    model = Model((5,), ModelConfig((L,), MLP((8,)), MLP((8,), "tanh"), q, p, Bernoulli())).double()
    x = (torch.rand(12, 5) < 0.5).double()
    model.start(x)
    return model, x


@pytest.mark.parametrize(("q", "p"), PAIRS, ids=repr)
def test_every_parameter_gets_a_gradient(q: Family, p: Family | VampPrior) -> None:
    model, x = small(q, p, 3)
    (-model(x, samples=3).bound.mean()).backward()
    dead = [name for name, w in model.named_parameters() if w.grad is None or not w.grad.abs().sum() > 0]
    assert not dead
    assert all(bool(w.grad.isfinite().all()) for w in model.parameters())


@pytest.mark.parametrize(("q", "p"), PAIRS, ids=repr)
def test_bound_rises_and_meets_quadrature(q: Family, p: Family | VampPrior) -> None:
    """After a short training, so that importance weights are tame; the error is 1 / sqrt(ess)."""
    model, x = small(q, p)
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(30):
        optimiser.zero_grad()
        (-model(x).bound.mean()).backward()
        optimiser.step()
    with torch.no_grad():
        z, area = grid(q.support)
        prior = model.latents.prior(model.pseudo_features())
        log_joint = model.decode(z[:, None]).log_prob(x) + prior.log_prob(z)[:, None]
        exact = torch.logsumexp(log_joint, 0) + math.log(area)
        estimate, ess = log_likelihood(model, x, None, 2000, None)
        bounds = [float(model(x, samples=400).bound.mean())]
        bounds += [float(log_likelihood(model, x.repeat(30, 1), None, k, None)[0].mean()) for k in (2, 8)]
    assert all(b > a - 0.05 for a, b in pairwise([*bounds, float(exact.mean())]))
    assert float(ess.min()) > 100
    scores = ((estimate - exact).exp() - 1) / (1 / ess - 1 / 2000 + 1e-6).sqrt()
    assert float(scores.abs().max()) < 4.5


@pytest.mark.parametrize("objective", [IWAE(4, "dreg"), ELBO(gradient="path"), PIWAE(2, 2)], ids=repr)
@pytest.mark.parametrize("q", [FullGaussian(), PowerSpherical(), FLOWS[0], FLOWS[2]], ids=repr)
def test_estimators_of_the_gradient_replay(q: Family, objective: ELBO | IWAE | PIWAE) -> None:
    model, x = small(q, Sphere() if q.support == "sphere" else StandardNormal(), 3)
    trace = model(x, samples=4)
    loss = objective(trace, 0)
    again = ELBO() if isinstance(objective, ELBO) else IWAE(4)
    sampled = trace.log_w().mean() if isinstance(objective, ELBO) else -again(trace, 0)
    torch.testing.assert_close(-loss, sampled)
    loss.backward()
    assert all(w.grad is not None and bool(w.grad.isfinite().all()) for w in model.latents.q.parameters())


@torch.no_grad()
def test_vamp_prior_is_the_mean_of_q_at_the_pseudo_inputs() -> None:
    model, x = small(Gaussian(), VampPrior(6))
    z = torch.randn(50, 2).double()
    each = model.latents.q[0](model.encoder(model.pseudo)).log_prob(z[:, None])
    expected = torch.logsumexp(each, -1) - math.log(6)
    torch.testing.assert_close(model.latents.prior(model.pseudo_features()).log_prob(z), expected)
    rows = model.inputs(x)
    assert float(torch.cdist(model.pseudo, rows).amin(1).max()) < 0.1


@cache
def fitted(q: Family, p: Family | VampPrior) -> VAE:
    training = Training(epochs=5, batch_size=50)
    return VAE(3, encoder=MLP((32,)), posterior=q, prior=p, training=training, random_state=0).fit(DIGITS)


@pytest.mark.parametrize(("q", "p"), PAIRS, ids=repr)
def test_thirty_steps_improve_and_the_file_agrees(q: Family, p: Family | VampPrior, tmp_path: Path) -> None:
    vae = fitted(q, p)
    assert vae.history_[-1]["loss"] < vae.history_[0]["loss"] - 1
    vae.save(tmp_path / "m.safetensors")
    again = VAE.load(tmp_path / "m.safetensors")
    assert (again.posterior_, again.prior_) == (q, p)
    scores = vae.score_samples(DIGITS[:6], n_samples=20)
    np.testing.assert_array_equal(scores, again.score_samples(DIGITS[:6], n_samples=20))
    np.testing.assert_array_equal(scores, vae.score_samples(DIGITS[:6], n_samples=20))
    np.testing.assert_allclose(scores[4:], vae.score_samples(DIGITS[4:6], n_samples=20), rtol=1e-5)
    np.testing.assert_array_equal(vae.sample(3), again.sample(3))
    if q.support == "sphere":
        np.testing.assert_allclose(np.linalg.norm(vae.transform(DIGITS), axis=1), 1, rtol=1e-5)


BITS = (np.random.default_rng(0).random((40, 5)) < 0.5).astype(float)


CLASSES = np.arange(40) % 2


PLANAR = Flow(steps=(Planar(),))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"posterior": PowerSpherical(), "prior": Gaussian()},
            r"gives points of a sphere, .*Use prior=Sphere",
        ),
        (
            {"prior": Sphere()},
            r"posterior=Gaussian\(\) with prior=Sphere\(\): .* or posterior=PowerSpherical\(\)",
        ),
        ({"prior": Mixture(PowerSpherical(), 2)}, r"gives real numbers, .* their KL is infinite"),
        ({"posterior": PowerSpherical(), "prior": Sphere(), "latent_dim": 1}, "a sphere needs 2 dimensions"),
        ({"posterior": PowerSpherical(), "prior": Sphere(), "latent_dim": (3, 2)}, "layers below the top"),
        ({"posterior": Mixture()}, r"posterior=Mixture\(\): its samples have no gradient. Use Flow"),
        ({"posterior": Flow(Mixture())}, "its samples have no gradient"),
        ({"prior": PLANAR}, r"prior=Flow\(steps=\(Planar.* has no density at samples of another"),
        ({"posterior": PLANAR, "prior": VampPrior(3)}, "mixture of posteriors needs their density"),
        ({"posterior": Point(), "objective": ELBO(0), "prior": VampPrior(3)}, "needs their density"),
        ({"posterior": PLANAR, "objective": ELBO(gradient="path")}, "own samples. Use gradient='total'"),
        ({"posterior": PLANAR, "objective": IWAE(3, "dreg")}, "own samples. Use gradient='total'"),
        ({"posterior": FullGaussian(), "objective": ELBO(free_bits=1)}, "does not factorise"),
        ({"prior": Mixture(), "objective": (ELBO(), TotalCorrelation())}, "does not factorise"),
        (
            {"prior": VampPrior(3), "labels": Given(2)},
            r"VampPrior\(3\) with labels=Given\(2\)",
        ),
        ({"prior": VampPrior(3), "labels": Enumerated(2)}, "have no label"),
    ],
    ids=repr,
)
def test_refused_when_the_model_is_built(words: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        VAE(**{"latent_dim": 2} | words).fit(BITS, CLASSES)


def test_vamp_prior_with_an_auxiliary_head() -> None:
    vae = VAE(2, prior=VampPrior(3), labels=Auxiliary(2), training=Training(epochs=2), random_state=0)
    assert np.isfinite(vae.fit(BITS, CLASSES).score_samples(BITS)).all()
