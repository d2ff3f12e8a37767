"""Laws over every posterior and prior: densities, draws, KL, gradients, bounds, files and refusals."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import (
    Normal,
)

from reparam import (
    IAF,
    MAF,
    Flow,
    FullGaussian,
    Gaussian,
    LowRankGaussian,
    Mixture,
    Point,
    PowerSpherical,
    Spec,
    SpecError,
    Sphere,
    Spline,
    StandardNormal,
)
from reparam.distributions import kl, sample_with
from reparam.distributions.spherical import log_area
from reparam.estimator.validation import KINDS
from reparam.families import Family
from reparam.specs.parse import parse
from reparam.specs.spec import rows, text
from tests.parts import CODE_PRIORS, CODES, POSTERIORS, PRIORS, conditional, grid, unconditional


def features(z: Tensor) -> Tensor:
    """Bounded functions of z that notice place, spread, skew and correlation."""
    a, b = z.unbind(-1)
    return torch.stack([a.tanh(), b.tanh(), (a * b).tanh(), (a - b).cos(), (2 * a + b).sin()], -1)


def test_every_posterior_has_a_row() -> None:
    """In POSTERIORS, or in CODES. Point has no density, and is fitted with every term that takes it."""
    tested = {type(q) for q in POSTERIORS} | {type(q) for q, _ in CODES} | {Point}
    assert tested == set(rows(KINDS["posterior"]))


def test_every_prior_has_a_row() -> None:
    """In PRIORS, or in CODE_PRIORS; StandardNormal is a Gaussian."""
    tested = {type(p) for p in [*PRIORS, *CODE_PRIORS]} | {StandardNormal}
    assert tested == set(rows(KINDS["prior"]))


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


@pytest.mark.parametrize("part", [*POSTERIORS, *PRIORS], ids=repr)
def test_spec_round_trips(part: Spec) -> None:
    kinds = [KINDS["posterior"]] * (part in POSTERIORS) + [KINDS["prior"]] * (part in PRIORS)
    for kind in kinds:
        assert parse(repr(part), kind) == part
        assert parse(text(part, complete=True), kind) == part


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mixture(Gaussian(), 0), "1 or more"),
        (lambda: Mixture(Flow(), 3), r"Use Gaussian\(\), or Flow\(base=Mixture"),
        (lambda: Mixture(Point(), 3), "is not a density"),
        (lambda: Flow(PowerSpherical()), r"no density on R\^L. Use base=Gaussian"),
        (lambda: Flow(steps=()), "at least one step"),
        (lambda: IAF(()), "widths of 1 or more"),
        (lambda: Spline(bins=1), "2 or more"),
        (lambda: LowRankGaussian(0), r"Rank 0 is Gaussian\(\)"),
    ],
)
def test_refused_when_written(make: Callable[[], object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make()
