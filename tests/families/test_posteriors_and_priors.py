"""Laws over every posterior and prior: densities, draws, KL, gradients, bounds, files and refusals."""

import math
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import (
    Categorical,
    Distribution,
    Independent,
    MixtureSameFamily,
    Normal,
    TransformedDistribution,
)

from reparam import (
    ELBO,
    IAF,
    IWAE,
    MAF,
    MLP,
    PIWAE,
    VAE,
    Auxiliary,
    Bernoulli,
    Enumerated,
    Fixed,
    Flow,
    FullGaussian,
    Gaussian,
    Given,
    LowRankGaussian,
    Mixture,
    Planar,
    Point,
    PowerSpherical,
    Spec,
    SpecError,
    Sphere,
    Spline,
    StandardNormal,
    TotalCorrelation,
    Training,
    VampPrior,
)
from reparam.distributions import GaussianMixture, kl, mean_of, mixture, sample_with
from reparam.distributions.spherical import log_area
from reparam.estimator.validation import KINDS
from reparam.evaluation.likelihood import log_likelihood
from reparam.families import Family
from reparam.model.config import ModelConfig
from reparam.model.model import Model
from reparam.nn.layers import LearnedVector
from reparam.specs.parse import parse
from reparam.specs.spec import text
from tests.models import DIGITS
from tests.parts import MODELS, POSTERIORS, PRIORS

FLOWS = [q for q in POSTERIORS if isinstance(q, Flow)]


def conditional(family: Family, L: int = 2, rows: int = 1, seed: int = 0) -> Distribution:
    """The family read from random features, its steps and scales well away from the identity."""
    torch.manual_seed(seed)
    head = family.build((L,), lambda n: nn.Linear(4, n)).double()
    with torch.no_grad():
        for p in head.parameters():
            p.add_(0.2 * torch.randn_like(p))
    return head(torch.randn(rows, 4).double())


def unconditional(family: Family, L: int = 2) -> Distribution:
    torch.manual_seed(1)
    return family.build((L,), LearnedVector).double()(None)


def grid(support: str) -> tuple[Tensor, float]:
    """Points (N, 2) of the plane or the circle, and the area of each."""
    if support == "sphere":
        angle = torch.arange(2_000, dtype=torch.float64) * 2 * math.pi / 2_000
        return torch.stack((angle.cos(), angle.sin()), -1), 2 * math.pi / 2_000
    side = torch.linspace(-14, 14, 361, dtype=torch.float64)
    return torch.cartesian_prod(side, side), float(side[1] - side[0]) ** 2


def features(z: Tensor) -> Tensor:
    """Bounded functions of z that notice place, spread, skew and correlation."""
    a, b = z.unbind(-1)
    return torch.stack([a.tanh(), b.tanh(), (a * b).tanh(), (a - b).cos(), (2 * a + b).sin()], -1)


LAWS = [conditional(q) for q in POSTERIORS if q.tractable] + [
    unconditional(p) for p in PRIORS if isinstance(p, Family)
]
PLACES = [q.support for q in POSTERIORS if q.tractable] + [p.support for p in PRIORS if isinstance(p, Family)]


@pytest.mark.parametrize("i", range(len(LAWS)))
@torch.no_grad()
def test_density_integrates_to_one_and_draws_follow_it(i: int) -> None:
    d = LAWS[i]
    points, area = grid(PLACES[i])
    mass = d.log_prob(points).exp() * area
    assert float(mass.sum()) == pytest.approx(1, abs=2e-3)
    torch.manual_seed(2)
    draws = features(d.sample(torch.Size((20_000,))).reshape(-1, 2))
    z = (draws.mean(0) - mass @ features(points)) / (draws.std(0) / math.sqrt(len(draws)))
    assert float(z.abs().max()) < 4.5


@pytest.mark.parametrize("q", POSTERIORS, ids=repr)
@torch.no_grad()
def test_common_noise_draws_the_same_law(q: Family) -> None:
    d = conditional(q, rows=2)
    torch.manual_seed(3)
    z = sample_with(d, 20_000, lambda shape: torch.randn(shape, dtype=torch.float64))
    a, b = features(z), features(d.sample(torch.Size((20_000,))))
    error = ((a.var(0) + b.var(0)) / len(a)).sqrt()
    assert float(((a.mean(0) - b.mean(0)) / error).abs().max()) < 4.5


@pytest.mark.parametrize("q", POSTERIORS, ids=repr)
def test_density_of_own_draws_is_that_of_the_draws(q: Family) -> None:
    """E_q r(z) / q(z) = 1 for a narrower density r: known of Planar too, whose q is no function of z."""
    d = conditional(q)
    torch.manual_seed(4)
    z = d.rsample(torch.Size((20_000,)))
    if q.support == "sphere":
        log_r: Tensor = torch.full(z.shape[:-1], -log_area(2)).double()
    else:
        centre, spread = z.detach().mean((0, 1)), z.detach().std((0, 1))
        log_r = Normal(centre, 0.4 * spread).log_prob(z).sum(-1)
    w = (log_r - d.log_prob(z)).exp().flatten().detach()
    assert abs(float((w.mean() - 1) / (w.std() / math.sqrt(len(w))))) < 4.5


@pytest.mark.parametrize("L", [3, 5])
@torch.no_grad()
def test_power_spherical_beyond_the_circle(L: int) -> None:
    """t = mu . x has density ~ (1 + t)^kappa (1 - t^2)^((L - 3) / 2); draws, mean and entropy agree."""
    d = conditional(PowerSpherical(), L)
    torch.manual_seed(0)
    z = d.sample(torch.Size((100_000,)))
    torch.testing.assert_close(z.norm(dim=-1), torch.ones_like(z[..., 0]))
    t = (d.loc * z).sum(-1)
    side = torch.linspace(-1, 1, 100_002, dtype=torch.float64)[1:-1]
    density = (1 + side) ** d.concentration * (1 - side**2) ** ((L - 3) / 2)
    density = density / density.sum()
    error = t.std() / math.sqrt(len(t))
    assert abs(float((t.mean() - density @ side) / error)) < 4.5
    assert abs(float((t.mean() - d.mean.norm()) / error)) < 4.5
    surprise = -d.log_prob(z)
    assert abs(float((surprise.mean() - d.entropy()) / (surprise.std() / math.sqrt(len(t))))) < 4.5


def test_power_spherical_of_no_concentration_is_uniform() -> None:
    d = PowerSpherical(concentration=Fixed(0.0)).build((4,), lambda n: nn.Linear(2, n))(torch.ones(3, 2))
    uniform = unconditional(Sphere(), 4)
    z = d.rsample()
    np.testing.assert_allclose(d.log_prob(z).detach(), uniform.log_prob(z.detach()), rtol=1e-5)
    np.testing.assert_allclose(kl(d, uniform).detach(), 0, atol=1e-5)


@pytest.mark.parametrize(
    ("q", "p"),
    [
        (FullGaussian(), StandardNormal()),
        (FullGaussian(), Gaussian()),
        (FullGaussian(), FullGaussian()),
        (FullGaussian(), LowRankGaussian(2)),
        (LowRankGaussian(1), Gaussian()),
        (LowRankGaussian(2), FullGaussian()),
        (Gaussian(), FullGaussian()),
        (Gaussian(), LowRankGaussian(1)),
        (PowerSpherical(), Sphere()),
    ],
    ids=repr,
)
@torch.no_grad()
def test_analytic_kl_equals_sampled(q: Family, p: Family) -> None:
    d, prior = conditional(q, 4, rows=3), unconditional(p, 4)
    exact = kl(d, prior)
    assert exact is not None and exact.shape == (3,)
    torch.manual_seed(5)
    z = d.sample(torch.Size((100_000,)))
    sampled = d.log_prob(z) - prior.log_prob(z)
    scores = (sampled.mean(0) - exact) / (sampled.std(0) / math.sqrt(len(z)))
    assert float(scores.abs().max()) < 4.5


def test_unknown_pairs_are_sampled() -> None:
    for p in (Mixture(), Mixture(FullGaussian(), 2), Flow(steps=(MAF((8,)),))):
        assert kl(conditional(FullGaussian()), unconditional(p)) is None


# -- flows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", FLOWS, ids=repr)
def test_flow_density_is_the_jacobian(q: Flow) -> None:
    d = conditional(q, 3)
    assert isinstance(d, TransformedDistribution)
    torch.manual_seed(6)
    z = d.rsample()
    torch.manual_seed(6)
    e = d.base_dist.rsample()

    def f(x: Tensor) -> Tensor:
        for transform in conditional(q, 3).transforms:
            x = transform(x)
        return x

    J = torch.autograd.functional.jacobian(f, e)[0, :, 0]
    torch.testing.assert_close(d.log_prob(z), d.base_dist.log_prob(e) - torch.linalg.slogdet(J)[1])
    torch.testing.assert_close(mean_of(d), f(mean_of(d.base_dist)))
    if q.tractable:
        torch.testing.assert_close(conditional(q, 3).log_prob(z), d.log_prob(z))
    else:
        with pytest.raises(NotImplementedError, match="own draws alone; use IAF"):
            conditional(q, 3).log_prob(z)


def passes(family: Flow, L: int, use: str) -> int:
    """How many times the masked networks run."""
    head, seen = family.build((L,), lambda n: nn.Linear(4, n)), [0]
    for step in head.steps:
        step.net.hyper.register_forward_hook(lambda *_: seen.__setitem__(0, seen[0] + 1))
    d = head(torch.randn(5, 4))
    if use == "draw":
        z = d.rsample()
        d.log_prob(z)
        d.log_prob(z)
    else:
        d.log_prob(torch.randn(5, L))
    return seen[0]


def test_passes_of_a_flow() -> None:
    """IAF draws and scores them in one pass a step, MAF scores anything in one; a spline takes few."""
    for L in (4, 9):
        assert passes(Flow(steps=(IAF(), IAF())), L, "draw") == 2
        assert passes(Flow(steps=(MAF(), MAF())), L, "score") == 2
        assert passes(Flow(steps=(Spline(), Spline())), L, "draw") == 2
        assert passes(Flow(steps=(Spline(), Spline())), L, "score") == 6
        assert passes(Flow(steps=(IAF(), IAF())), L, "score") == 2 * (L + 1)


def test_zuko_leaves_argument_checks_on() -> None:
    Flow().build((2,), lambda n: nn.Linear(4, n))
    with pytest.raises(ValueError, match="scale"):
        Normal(0.0, -1.0)


def test_components_start_apart() -> None:
    for base in (Gaussian(), FullGaussian(), PowerSpherical()):
        d = unconditional(Mixture(base, 8))
        centres = d.component_distribution.mean if isinstance(d, MixtureSameFamily) else d.loc
        assert float(torch.pdist(centres).min().detach()) > 0.01


def test_gaussian_mixture_is_that_of_its_parts() -> None:
    """Also where precise components lie far out, and in float32."""
    torch.manual_seed(0)
    loc, scale = 5 * torch.randn(7, 4), torch.rand(7, 4) + 0.01
    logits, z = torch.randn(7), loc[:3, None] + torch.randn(3, 50, 4)
    parts = Independent(Normal(loc.double(), scale.double()), 1)
    exact = MixtureSameFamily(Categorical(logits=logits.double()), parts)
    ours = mixture(logits, Independent(Normal(loc, scale), 1))
    assert isinstance(ours, GaussianMixture)
    torch.testing.assert_close(ours.log_prob(z), exact.log_prob(z.double()).float())
    torch.testing.assert_close(ours.mean, exact.mean.float())


def test_mixture_chooses_once_for_all_dimensions() -> None:
    """Two far components: no draw mixes the first of one with the second of the other."""
    head = Mixture(Gaussian(scale=Fixed(0.1)), 2).build((2,), LearnedVector)
    with torch.no_grad():
        head.layer.raw.copy_(torch.tensor([0.0, 0.0, 5, 5, -5, -5]))
    z = head(None).sample(torch.Size((500,)))
    assert bool((z.sign().prod(-1) > 0).all()) and 150 < int((z[:, 0] > 0).sum()) < 350


# -- models --------------------------------------------------------------------------------------------


def small(q: Family, p: Family | VampPrior, L: int = 2) -> tuple[Model, Tensor]:
    torch.manual_seed(7)
    model = Model((5,), ModelConfig((L,), MLP((8,)), MLP((8,), "tanh"), q, p, Bernoulli())).double()
    x = (torch.rand(12, 5) < 0.5).double()
    model.start(x)
    return model, x


@pytest.mark.parametrize(("q", "p"), MODELS, ids=repr)
def test_every_parameter_gets_a_gradient(q: Family, p: Family | VampPrior) -> None:
    model, x = small(q, p, 3)
    (-model(x, samples=3).bound.mean()).backward()
    dead = [name for name, w in model.named_parameters() if w.grad is None or not w.grad.abs().sum() > 0]
    assert not dead
    assert all(bool(w.grad.isfinite().all()) for w in model.parameters())


@pytest.mark.parametrize(("q", "p"), MODELS, ids=repr)
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


# -- estimators ----------------------------------------------------------------------------------------


@cache
def fitted(q: Family, p: Family | VampPrior) -> VAE:
    training = Training(epochs=10, batch_size=50)
    return VAE(3, encoder=MLP((32,)), posterior=q, prior=p, training=training, random_state=0).fit(DIGITS)


@pytest.mark.parametrize(("q", "p"), MODELS, ids=repr)
def test_sixty_steps_improve_and_the_file_agrees(q: Family, p: Family | VampPrior, tmp_path: Path) -> None:
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


@pytest.mark.parametrize("part", [*POSTERIORS, *PRIORS], ids=repr)
def test_spec_round_trips(part: Spec) -> None:
    kinds = [KINDS["posterior"]] * (part in POSTERIORS) + [KINDS["prior"]] * (part in PRIORS)
    for kind in kinds:
        assert parse(repr(part), kind) == part
        assert parse(text(part, complete=True), kind) == part


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
        ({"posterior": Mixture()}, r"posterior=Mixture\(\): its draws carry no gradient. Use Flow"),
        ({"posterior": Flow(Mixture())}, "its draws carry no gradient"),
        ({"prior": PLANAR}, r"prior=Flow\(steps=\(Planar.* has no density at another's draws"),
        ({"posterior": PLANAR, "prior": VampPrior(3)}, "mixture of posteriors needs their density"),
        ({"posterior": Point(), "objective": ELBO(0), "prior": VampPrior(3)}, "needs their density"),
        ({"posterior": PLANAR, "objective": ELBO(gradient="path")}, "own draws alone. Use gradient='total'"),
        ({"posterior": PLANAR, "objective": IWAE(3, "dreg")}, "own draws alone. Use gradient='total'"),
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
def test_refused_when_the_model_is_built(words: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        VAE(**{"latent_dim": 2} | words).fit(BITS, CLASSES)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mixture(Gaussian(), 0), "1 or more"),
        (lambda: Mixture(Flow(), 3), r"Use Gaussian\(\), or Flow\(base=Mixture"),
        (lambda: Mixture(Point(), 3), "no density"),
        (lambda: Flow(PowerSpherical()), r"no density on R\^L. Use base=Gaussian"),
        (lambda: Flow(steps=()), "a step or more"),
        (lambda: IAF(()), "widths of 1 or more"),
        (lambda: Spline(bins=1), "2 or more"),
        (lambda: LowRankGaussian(0), r"Rank 0 is Gaussian\(\)"),
    ],
)
def test_refused_when_written(make: object, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make()


def test_vamp_prior_with_an_auxiliary_head() -> None:
    vae = VAE(2, prior=VampPrior(3), labels=Auxiliary(2), training=Training(epochs=2), random_state=0)
    assert np.isfinite(vae.fit(BITS, CLASSES).score_samples(BITS)).all()
