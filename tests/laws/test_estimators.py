"""Laws of estimators: held densities, gradients without bias, shares, class sums, figures and their units.

Every oracle is a closed form, an enumeration, a quadrature or the same draws taken another way; float64.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from tacit import (
    CIWAE,
    ELBO,
    IAF,
    IWAE,
    MAF,
    MIWAE,
    MLP,
    MMD,
    PIWAE,
    VAE,
    VQ,
    Auxiliary,
    Bernoulli,
    Categorical,
    CodePrior,
    Commitment,
    CrossEntropy,
    Decorrelation,
    Enumerated,
    FactorTC,
    Fixed,
    Flow,
    FullGaussian,
    Gaussian,
    GradientPenalty,
    LatentCritic,
    LatentNorm,
    LowRankGaussian,
    Mixture,
    Point,
    PowerSpherical,
    Renyi,
    Shared,
    SpecError,
    Sphere,
    Spline,
    StandardNormal,
    Term,
    TotalCorrelation,
    Training,
    VampPrior,
    distributions,
    impute,
)
from tacit.distributions import kl
from tacit.evaluate import evaluate
from tacit.families import Family, Local
from tacit.families.flows import planar
from tacit.labels import LabelHead
from tacit.latents import replaying
from tacit.model import Model, Parts, Trace
from tacit.objective import terms_of
from tacit.penalties import decomposition
from tacit.refit import code_length, codes, refit_prior
from tacit.tensors import log_mean_exp
from tacit.train import Progress, Trainer

Top = Family | VampPrior
IAFS = Flow(steps=(IAF((6,)), IAF((6,))))
MAFS = Flow(steps=(MAF((6,)),))
SPLINES = Flow(steps=(Spline((6,), bins=4), Spline((6,), bins=4)))
X = (torch.rand(3, 4, generator=torch.Generator().manual_seed(0)) < 0.5).double()

NORMAL = Gaussian()


def small(q: Family = NORMAL, p: Top | None = None, rungs: tuple[int, ...] = (2,), **parts: object) -> Model:
    """A model whose q is far from the posterior, every parameter away from where it starts."""
    torch.manual_seed(1)
    top = p if p is not None else Sphere() if q.support == "sphere" else StandardNormal()
    held = {"posterior": q, "prior": top, "likelihood": Bernoulli()} | parts
    model = Model((4,), Parts(rungs, MLP((5,), "tanh"), MLP((5,), "tanh"), **held)).double()  # type: ignore[arg-type]
    model.start(X)
    with torch.no_grad():
        for w in model.parameters():
            w.add_(0.3 * torch.randn_like(w))
    return model


def flat(model: Model, loss: Tensor, names: Iterable[str] | None = None) -> Tensor:
    """The gradient of every parameter (of those named) in one vector, 0 where there is none."""
    named = dict(model.named_parameters())
    chosen = [named[name] for name in (named if names is None else names)]
    found = torch.autograd.grad(loss, chosen, allow_unused=True, retain_graph=True)
    pairs = zip(chosen, found, strict=True)
    return torch.cat([(torch.zeros_like(w) if g is None else g).flatten() for w, g in pairs])


# -- held densities ------------------------------------------------------------------------------------

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
    z = model(X, samples=3).sites[0].z.detach()
    trace = model(X, samples=3, draw=replaying([z]))
    site, ((log_q, log_p),) = trace.sites[0], trace.frozen
    torch.testing.assert_close(log_q, site.q.log_prob(z), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(log_p, site.p.log_prob(z), rtol=1e-10, atol=1e-10)
    assert not log_q.requires_grad and not log_p.requires_grad
    free = z.clone().requires_grad_()
    trace = model(X, samples=3, draw=replaying([free]))
    ((log_q, log_p),) = trace.frozen
    every = [free, *model.parameters()]
    for held, live in ((log_q, trace.sites[0].q.log_prob(free)), (log_p, trace.sites[0].p.log_prob(free))):
        if not held.requires_grad:
            assert isinstance(p, Sphere)
            continue
        slope, *others = torch.autograd.grad(held.sum(), every, allow_unused=True, retain_graph=True)
        assert all(g is None for g in others)
        torch.testing.assert_close(slope, torch.autograd.grad(live.sum(), free, retain_graph=True)[0])


def test_held_densities_of_a_ladder_are_held() -> None:
    model = small(rungs=(2, 3))
    zs = [site.z.detach() for site in model(X, samples=3).sites]
    trace = model(X, samples=3, draw=replaying(zs))
    for site, z, (log_q, log_p) in zip(trace.sites, zs, trace.frozen, strict=True):
        torch.testing.assert_close(log_q, site.q.log_prob(z))
        torch.testing.assert_close(log_p, site.p.log_prob(z))
        assert not log_q.requires_grad and not log_p.requires_grad


# -- gradients -----------------------------------------------------------------------------------------

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
    parts = Parts((1,), MLP(()), MLP(()), Gaussian(), Gaussian(), Gaussian(scale=Fixed(1.0)))
    model = Model((1,), parts).double()
    top, head, layer = model.latents.top, model.latents.q[0].layer, model.likelihood.layer[-1]
    x = torch.randn(6, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    names = [name for name, _ in model.named_parameters() if name.startswith("latents.q")]
    with torch.no_grad():
        top.layer.raw.zero_()
        layer.weight.fill_(2.0)
        layer.bias.zero_()
        for off in (0.0, 0.02):
            head.weight.copy_(torch.tensor([[0.4 + off], [0.0]], dtype=torch.float64))
            head.bias.copy_(torch.tensor([0.0, math.log(0.2) + off], dtype=torch.float64))
            spread = {}
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


# -- the aggregate posterior ---------------------------------------------------------------------------

ROWS = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


def gaussian_codes(n: int | None = None) -> tuple[Model, Tensor]:
    """A model of real rows, and a z for each of them."""
    model = small(rungs=(3,), likelihood=Gaussian(scale=Shared()))
    model.start(ROWS)
    torch.manual_seed(3)
    return model, model(ROWS).sites[0].z.detach()


def test_share_of_each_row_by_hand() -> None:
    """log q(z_i) = log [ q(z_i|x_i) / N + (N - 1) / (N (B - 1)) sum_{j != i} q(z_i|x_j) ], N = 1,000."""
    model, z = gaussian_codes()
    for N in (1000, 6):
        trace = model(ROWS, draw=replaying([z]))
        q, p = trace.sites[0].q.base_dist, trace.sites[0].p
        with torch.no_grad():
            information, correlation, dimensions = decomposition(trace, N)
            cells = torch.stack([Normal(q.loc[j], q.scale[j]).log_prob(z[0]).exp() for j in range(6)], 1)
        for i in range(6):
            share = [1 / N if j == i else (N - 1) / (N * 5) for j in range(6)]
            joint = math.log(sum(w * float(cells[i, j].prod()) for j, w in enumerate(share)))
            single = sum(
                math.log(sum(w * float(cells[i, j, d]) for j, w in enumerate(share))) for d in range(3)
            )
            assert float(information[i]) == pytest.approx(math.log(float(cells[i, i].prod())) - joint)
            assert float(correlation[i]) == pytest.approx(joint - single)
            assert float(dimensions[i]) == pytest.approx(single - float(p.log_prob(z[0, i])))


def test_aggregate_density_is_unbiased_over_batches() -> None:
    """Over all batches of 3 of 6 rows that hold row i the mean estimate of q(z_i) is the exact q(z_i)."""
    model, z = gaussian_codes()
    assert model.n_data == 6
    with torch.no_grad():
        whole = model(ROWS, draw=replaying([z]))
        each = whole.sites[0].q.log_prob(z[0][:, None])
        exact = each.exp().mean(1)
        for i in range(6):
            found = []
            for others in combinations([j for j in range(6) if j != i], 2):
                rows = [i, *others]
                trace = model(ROWS[rows], draw=replaying([z[:, rows]]))
                found.append(float((each[i, i] - decomposition(trace)[0][0]).exp()))
            assert np.mean(found) == pytest.approx(float(exact[i]), rel=1e-9)
            assert np.std(found) > 1e-6


def test_start_tells_the_size_of_the_data() -> None:
    model, z = gaussian_codes()
    model.start(ROWS.repeat(50, 1))
    trace = model(ROWS, draw=replaying([z]))
    assert trace.n_data == 300
    for ours, said, other in zip(*(decomposition(trace, n) for n in (None, 300, 6)), strict=True):
        torch.testing.assert_close(ours, said)
        assert float((ours - other).detach().abs().max()) > 1e-5
    expected = 4.0 * decomposition(trace, 300)[1].mean()
    torch.testing.assert_close(TotalCorrelation(4.0)(trace, 0), expected)


# -- enumerated classes --------------------------------------------------------------------------------

PRIOR_Y = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
SOME = torch.tensor([2, -1, 0])


def with_classes(p: Top | None = None, latent: int = 1) -> Model:
    model = small(p=p, rungs=(latent,), labels=Enumerated(3, network=MLP((4,))))
    model.log_prior_y.copy_(PRIOR_Y.log())
    return model


def class_shares(model: Model, y: Tensor | None) -> Tensor:
    """q(y|x), (B, K): one-hot on a labelled row."""
    shares = model.features(X)[1].softmax(-1)
    if y is None:
        return shares
    return torch.stack([shares[i] if k < 0 else torch.eye(3).double()[k] for i, k in enumerate(y.tolist())])


@pytest.mark.parametrize("y", [None, SOME], ids=("unlabelled", "some"))
def test_label_rate_by_hand(y: Tensor | None) -> None:
    """KL(q(y|x) || p(y)); of a labelled row -log p(y)."""
    model = with_classes()
    found, shares = model(X, y).label_rate, class_shares(model, y)
    for i in range(3):
        known = y is not None and int(y[i]) >= 0
        exact = (
            -math.log(PRIOR_Y[y[i]])
            if known
            else float((shares[i] * (shares[i] / PRIOR_Y).log()).sum().detach())  # type: ignore[index]
        )
        assert float(found[i].detach()) == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize("y", [None, SOME], ids=("unlabelled", "some"))
@pytest.mark.parametrize("term", [ELBO(), ELBO(beta=3.0), ELBO(gradient="path"), ELBO(samples=2)], ids=repr)
@pytest.mark.parametrize("p", [StandardNormal(), Mixture(Gaussian(), 2)], ids=repr)
def test_elbo_sums_over_classes(p: Top, term: ELBO, y: Tensor | None) -> None:
    """sum_y q(y|x) E_q(z|x,y) [...] + beta KL(q(y|x) || p(y)), class by class with a network each;
    value and gradient."""
    model = with_classes(p, 2)
    torch.manual_seed(0)
    trace = model(X, y, samples=term.samples)
    loss, zs = term(trace, 0), trace.sites[0].z.detach()
    shares, prior = class_shares(model, y), model.latents.prior()
    total = (shares * ((shares.clamp_min(1e-300)) / PRIOR_Y).log()).sum(1) * term.beta
    for k in range(3):
        code = torch.eye(3).double()[k].expand(3, 3)
        h = model.encoder(model.inputs(X), code)
        q = model.latents.q[0](h)
        normal = q.base_dist
        for s in range(term.samples):
            z = zs[3 * s + k]
            z = normal.loc + normal.scale * ((z - normal.loc) / normal.scale).detach()
            read = torch.cat((z, code), -1)
            log_px = model.likelihood(read).log_prob(X)
            exact = kl(q, prior)
            if term.gradient == "path":
                held = Independent(Normal(normal.loc.detach(), normal.scale.detach()), 1)
                rate = held.log_prob(z) - prior.log_prob(z)
            else:
                rate = q.log_prob(z) - prior.log_prob(z) if exact is None else exact
            total = total + shares[:, k] / term.samples * (term.beta * rate - log_px)
    by_hand = total.mean()
    torch.testing.assert_close(loss, by_hand)
    torch.testing.assert_close(flat(model, loss), flat(model, by_hand))


@torch.no_grad()
def test_iwae_over_classes_meets_quadrature() -> None:
    """log sum_y p(y) p(x|y), of a labelled row log p(x, y), by the trapezium rule over z."""
    model = with_classes()
    side = torch.linspace(-10, 10, 4001, dtype=torch.float64)
    log_pz = Normal(0, 1).log_prob(side)[:, None] + math.log(float(side[1] - side[0]))
    joint = torch.stack(
        [
            torch.logsumexp(model.decode(side[:, None, None], c[None, None]).log_prob(X) + log_pz, 0)
            for c in torch.eye(3, dtype=torch.float64)
        ]
    )
    joint = joint + PRIOR_Y.log()[:, None]
    for y in (None, SOME):
        exact = torch.logsumexp(joint, 0)
        if y is not None:
            exact = torch.where(y < 0, exact, joint.gather(0, y.clamp_min(0)[None])[0])
        torch.manual_seed(0)
        trace = model(X, y, samples=40_000)
        w = (trace.log_w() - exact).exp().reshape(-1, 3, 3).mean(1)
        z = (w.mean(0) - 1) / (w.std(0) / math.sqrt(len(w)))
        assert float(z.abs().max()) < 4.5 and float(w.std(0).max()) < 10
        loss = IWAE(40_000)(trace, 0)
        assert float(loss) == pytest.approx(-float(exact.mean()), abs=0.02)
        assert float(trace.bound.mean()) < float(exact.mean())


# -- penalties -----------------------------------------------------------------------------------------


def test_cross_entropy_divides_by_all_rows() -> None:
    model = small(labels=Auxiliary(3))
    x, y = X.repeat(2, 1)[:5], torch.tensor([0, -1, 2, -1, 1])
    trace = model(x, y)
    log_p = trace.logits.log_softmax(-1)
    by_hand = -(log_p[0, 0] + log_p[2, 2] + log_p[4, 1]) / 5 * 7
    torch.testing.assert_close(CrossEntropy(7.0)(trace, 0), by_hand)
    assert float(CrossEntropy()(model(x, torch.full((5,), -1)), 0).detach()) == 0


def placed(model: Model, z: Tensor) -> Trace:
    """A trace at codes z (B, L), as many rows."""
    x = X[:1].expand(len(z), 4)
    trace: Trace = model(x, draw=replaying([z[None]]))
    return trace


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
@torch.no_grad()
def test_mmd_of_the_same_law_is_zero_on_average(kernel: str) -> None:
    """At 4 rows a batch the biased divisor would add (k(0) - E k) / 4 twice."""
    model, term = small(p=Gaussian(Fixed(2.0), Fixed(0.7))), MMD(3.0, kernel)  # type: ignore[arg-type]
    torch.manual_seed(0)
    trace = placed(model, torch.zeros(4, 2).double())
    site, found = trace.sites[0], []
    for _ in range(1500):
        trace.sites = (site._replace(z=site.p.sample(torch.Size((1, 4)))),)
        found.append(float(term(trace, 0)))
    assert abs(np.mean(found)) < 4.5 * np.std(found) / math.sqrt(len(found))


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
@torch.no_grad()
def test_mmd_by_hand(kernel: str) -> None:
    model = small()
    z = torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    trace = placed(model, z)
    torch.manual_seed(4)
    found = float(MMD(3.0, kernel)(trace, 0))  # type: ignore[arg-type]
    torch.manual_seed(4)
    p = trace.sites[0].p.sample(torch.Size((5,)))

    def k(a: Tensor, b: Tensor) -> float:
        square = float((a - b).square().sum())
        if kernel == "rbf":
            return math.exp(-square / 2)
        return sum(4 * s / (4 * s + square) for s in (0.1, 0.2, 0.5, 1, 2, 5, 10))

    own = sum(k(t[i], t[j]) for t in (z, p) for i in range(5) for j in range(5) if i != j) / 20
    across = sum(k(a, b) for a in z for b in p) / 25
    assert found == pytest.approx(3 * (own - 2 * across))


def test_latent_norm_is_half_the_square() -> None:
    model = small(rungs=(2, 3))
    trace = model(X, samples=4)
    squares = sum(float(site.z.detach().square().sum()) / 12 for site in trace.sites)
    assert float(LatentNorm(3.0)(trace, 0).detach()) == pytest.approx(3 * squares / 2)


@pytest.mark.parametrize("p", [Gaussian(Fixed(3.0), Fixed(0.1)), Mixture(Gaussian(), 3), MAFS], ids=repr)
@torch.no_grad()
def test_latent_critic_tells_codes_from_the_prior(p: Top) -> None:
    model, term = small(p=p), LatentCritic(2.0, (4,))
    z = torch.randn(2000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) - 5
    trace = placed(model, z)
    critic = term.build(model.parts).double()
    trace.critics = {term: critic}
    torch.manual_seed(3)
    prior = trace.sites[0].p.sample(torch.Size((2000,)))
    torch.manual_seed(3)
    torch.testing.assert_close(term.other(trace), prior)
    torch.manual_seed(3)
    real, other = critic(z)[:, 0].sigmoid(), critic(prior)[:, 0].sigmoid()
    torch.testing.assert_close(term.lesson(trace), -(real.log().mean() + (1 - other).log().mean()) / 2)
    torch.testing.assert_close(term(trace, 0), 2 * (real / (1 - real)).log().mean())


@torch.no_grad()
def test_factor_critic_permutes_each_dimension() -> None:
    model, term = small(), FactorTC()
    z = torch.randn(500, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    z[:, 1] = z[:, 0] + 0.01 * z[:, 1]
    torch.manual_seed(0)
    other = term.other(placed(model, z))
    torch.testing.assert_close(other.sort(0).values, z.sort(0).values)
    assert abs(float(torch.corrcoef(other.T)[0, 1])) < 0.15


def test_commitment_moves_the_encoder_alone() -> None:
    """weight mean_B |h - sg(e)|^2: the gradient of h is 2 (h - e) weight / B, the codebook's is none."""
    model = small(VQ(5, 2), CodePrior(), rungs=(4,))
    model.eval()
    trace = model(X, samples=2)
    q = trace.sites[0].q
    raw = q.before.detach().requires_grad_()
    book = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    atom = VQ(5, 2).distribution((4,), raw=raw, codebook=book)
    distance = torch.cdist(raw.detach().reshape(-1, 2), book.detach())
    after = book.detach()[distance.argmin(1)].reshape(3, 4)
    trace.sites = (trace.sites[0]._replace(q=atom),)
    loss = Commitment(0.7)(trace, 0)
    torch.testing.assert_close(loss, 0.7 * (raw.detach() - after).square().sum(-1).mean())
    moved, still = torch.autograd.grad(loss, (raw, book), allow_unused=True)
    assert still is None
    torch.testing.assert_close(moved, 0.7 * 2 * (raw.detach() - after) / 3)
    names = [name for name, _ in model.named_parameters() if name.startswith("encoder")]
    assert float(flat(model, Commitment()(model(X), 0), names).abs().sum()) > 0


# -- refusals ------------------------------------------------------------------------------------------


def refuse(objective: Term | tuple[Term, ...], **parts: object) -> None:
    base = Parts((2,), MLP((4,)), MLP((4,)), Gaussian(), StandardNormal(), Bernoulli())
    terms_of(objective, replace(base, **parts))  # type: ignore[arg-type]


PENALTIES = [
    MMD(),
    FactorTC(),
    LatentCritic(),
    TotalCorrelation(),
    Decorrelation(),
    Decorrelation(of="samples"),
]


@pytest.mark.parametrize(
    "objective",
    [MIWAE(2, 3), CIWAE(4), Renyi(0.5, 4), PIWAE(2, 3), *[(ELBO(), term) for term in PENALTIES]],
    ids=repr,
)
def test_refused_with_a_code_for_every_class(objective: Term | tuple[Term, ...]) -> None:
    """The message names term and head; with an Auxiliary head in its place (PIWAE apart) it is taken."""
    culprit = objective[-1] if isinstance(objective, tuple) else objective
    with pytest.raises(SpecError) as caught:
        refuse(objective, labels=Enumerated(3))
    assert repr(culprit) in str(caught.value) and "labels=Enumerated(3)" in str(caught.value)
    if not isinstance(culprit, PIWAE):
        refuse(objective, labels=Auxiliary(3))
    refuse(objective)


@pytest.mark.parametrize("term", [TotalCorrelation(), Decorrelation(of="samples")], ids=repr)
def test_refused_with_a_point(term: Term) -> None:
    with pytest.raises(SpecError) as caught:
        refuse((ELBO(0), term), posterior=Point())
    assert repr(term) in str(caught.value) and "posterior=Point()" in str(caught.value)
    refuse((ELBO(0), Decorrelation()), posterior=Point())


@pytest.mark.parametrize("labels", [Auxiliary(2), Enumerated(2), None], ids=repr)
def test_nothing_to_decode_is_refused(labels: object) -> None:
    bits, y = (np.arange(40).reshape(10, 4) % 3 > 0).astype(float), np.arange(10) % 2
    with pytest.raises(SpecError, match=r"latent_dim=0.*labels=Given\(classes\)"):
        VAE(0, labels=labels, training=Training(epochs=1)).fit(bits, None if labels is None else y)  # type: ignore[arg-type]


def test_gradient_penalty_of_classes_is_refused() -> None:
    model = small(likelihood=Categorical(3))
    with pytest.raises(SpecError, match=r"GradientPenalty\(.*likelihood=Categorical\(3\)"):
        GradientPenalty()(model(X), 0)


# -- figures -------------------------------------------------------------------------------------------


def blind(likelihood: Family, columns: int, **parts: object) -> Model:
    """A model that reads nothing: q is the prior, and p(x|z) the same for every z; log p(x) is exact."""
    torch.manual_seed(0)
    held = {"posterior": Gaussian(), "prior": StandardNormal(), "likelihood": likelihood} | parts
    model = Model((columns,), Parts((2,), MLP((3,)), MLP((3,)), **held)).double().eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for w in model.parameters():
            w.zero_()
        last = model.likelihood.layer[-1].bias
        last.copy_(torch.linspace(-1, 2, len(last), dtype=torch.float64))
    return model


def test_evaluation_in_nats_and_bits() -> None:
    """log p(x) = sum over known cells of log N(x_j; b_j, 1/2); 300 rows fill three passes unevenly."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 6)) * 3
    x[rng.random(x.shape) < rng.random((300, 1))] = np.nan
    model = blind(Gaussian(scale=Fixed(0.5)), 6, holes=True)
    each = -0.5 * ((x - np.linspace(-1, 2, 6)) / 0.5) ** 2 - math.log(0.5) - 0.5 * math.log(2 * math.pi)
    exact = np.nansum(each, 1)
    known = (~np.isnan(x)).sum(1).mean()
    found = evaluate(model, torch.tensor(x), None, 3, 0, names=list("abcdef"))
    assert found.log_likelihood is not None and found.log_likelihood.se is not None
    assert (found.n, found.k) == (300, 3)
    assert found.log_likelihood.mean == pytest.approx(exact.mean(), rel=1e-9)
    assert found.log_likelihood.se == pytest.approx(exact.std(ddof=1) / math.sqrt(300), rel=1e-9)
    assert found.bits_per_dim == pytest.approx(-exact.mean() / known / math.log(2), rel=1e-9)
    assert found.distortion == pytest.approx(-exact.mean(), rel=1e-9)
    assert found.elbo == pytest.approx(exact.mean(), rel=1e-9) and found.rate == pytest.approx(0, abs=1e-12)
    assert found.ess == pytest.approx(3)
    by_column = [found.distortion_by_column[name] for name in "abcdef"]  # type: ignore[index]
    np.testing.assert_allclose(by_column, -np.nanmean(each, 0), rtol=1e-9)
    one = evaluate(model, torch.tensor(x[:1]), None, 3, 0)
    assert one.log_likelihood is not None and one.log_likelihood.se is None


def test_a_unit_is_active_above_one_hundredth() -> None:
    """Posterior means c_i x_i of standardised columns: variances 0.0081, 0.0099, 0.0101, 0.0121, 1."""
    wanted = torch.tensor([0.0081, 0.0099, 0.0101, 0.0121, 1.0], dtype=torch.float64)
    parts = Parts((5,), MLP(()), MLP(()), Gaussian(), StandardNormal(), Gaussian(scale=Fixed(1.0)))
    model = Model((5,), parts).double().eval()
    torch.manual_seed(0)
    x = torch.randn(400, 5).double()
    x = (x - x.mean(0)) / x.std(0)
    with torch.no_grad():
        head = model.latents.q[0].layer
        head.weight.copy_(torch.cat((torch.diag(wanted.sqrt()), torch.zeros(5, 5))))
        head.bias.zero_()
    assert evaluate(model, x, None, 2, 0).active_units == 3


def test_grey_pixels_are_switched_on_where_the_number_is_evidence() -> None:
    """All pixels 1/2: the grey expectation is the same for every row; the evidence is sum_j s_j b_j - c,
    s_j fair coins, with variance sum b_j^2 / 4."""
    n, pixels = 1000, 8
    model = blind(Bernoulli(grey="expected"), pixels)
    x, b = torch.full((n, pixels), 0.5, dtype=torch.float64), np.linspace(-1, 2, pixels)
    grey = (0.5 * b - np.log1p(np.exp(b))).sum()
    found = evaluate(model, x, None, 2, 0)
    assert found.distortion == pytest.approx(-grey) and found.elbo == pytest.approx(grey)
    assert found.log_likelihood is not None and found.log_likelihood.se is not None
    spread = math.sqrt((b**2).sum() / 4)
    assert found.log_likelihood.se == pytest.approx(spread / math.sqrt(n), rel=0.1)
    assert 1e-6 < abs(found.log_likelihood.mean - grey) < 4.5 * spread / math.sqrt(n)
    assert any("switched on at random" in words for words in found.warnings)
    bits = torch.tensor([[0.0, 1.0] * 4], dtype=torch.float64).expand(20, 8)
    same = evaluate(model, bits, None, 2, 0)
    assert same.log_likelihood is not None and same.log_likelihood.mean == pytest.approx(-same.distortion)


@pytest.mark.parametrize(
    "term",
    [ELBO(beta=4.0), IWAE(6), MIWAE(2, 3), (ELBO(beta=0.5), LatentNorm(2.0)), (IWAE(6), LatentNorm(2.0))],
    ids=repr,
)
def test_progress_says_the_bound_at_beta_one(term: Term | tuple[Term, ...]) -> None:
    """Weights held, the same draws again: -distortion - rate under ELBO, its own bound under IWAE."""
    terms = term if isinstance(term, tuple) else (term,)
    model = small().float()
    x = X.repeat(5, 1).float()
    trainer = Trainer(model, terms, Training(epochs=1, batch_size=15, learning_rate=1e-30), 3)
    (progress,) = trainer.run((x, None))
    torch.manual_seed(3 * 1_000_003)
    order = torch.randperm(15)
    trace = model(x[order], samples=max(t.draws for t in terms))
    bound = trace.bound.mean() if isinstance(terms[0], ELBO) else -terms[0](trace, 0)
    assert progress.bound == pytest.approx(float(bound.detach()), rel=1e-5)
    assert progress.rate == pytest.approx(float(trace.rate.mean().detach()), rel=1e-5)
    assert progress.distortion == pytest.approx(float(trace.distortion.mean().detach()), rel=1e-5)
    assert progress.loss == pytest.approx(float(sum(t(trace, 0) for t in terms).detach()), rel=1e-5)
    assert abs(progress.loss + progress.bound) > 0.05 or not isinstance(terms[0], ELBO)


def held_still(model: Model, objective: tuple[Term, ...], y: Tensor | None, rows: int = 60) -> Progress:
    """What a training that moves nothing says of `rows` rows, half of them held out."""
    x = X.repeat(rows // 3, 1).float()
    y = None if y is None else y.repeat(rows // 3)
    trainer = Trainer(model, objective, Training(epochs=1, learning_rate=1e-30, validation=0.5), 3)
    (progress,) = trainer.run((x, y), (x, y))
    return progress


def test_held_out_bound_under_iwae_is_its_own() -> None:
    """The same rows held out as trained on, the weights held: the two bounds differ by noise alone."""
    progress = held_still(small().float(), (IWAE(50),), None)
    assert progress.bound is not None
    assert progress.validation == pytest.approx(progress.bound, abs=0.1)


def test_held_out_bound_under_elbo_is_at_beta_one() -> None:
    model = small().float()
    progress = held_still(model, (ELBO(beta=5.0),), None, 600)
    exact = float(model(X.float(), samples=4000).bound.mean().detach())
    assert progress.validation == pytest.approx(exact, abs=0.15)
    assert progress.bound == pytest.approx(exact, abs=0.15)


@pytest.mark.parametrize("labels", [Enumerated(3, network=MLP((4,))), Auxiliary(3)], ids=repr)
def test_bound_under_iwae_with_classes_is_its_own(labels: LabelHead) -> None:
    model = small(labels=labels).float()
    progress = held_still(model, (IWAE(50),), torch.tensor([0, 1, 2]))
    assert progress.bound == pytest.approx(-progress.terms["IWAE"], abs=0.1)


@pytest.mark.parametrize("labels", [None, Enumerated(3)], ids=repr)
def test_columns_add_up_to_the_distortion(labels: LabelHead | None) -> None:
    model = small(labels=labels).eval()
    found = evaluate(model, X, None, 2, 0, names=list("abcd"))
    assert sum(found.distortion_by_column.values()) == pytest.approx(found.distortion)  # type: ignore[union-attr]


# -- units and holes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [Shared(), Local()], ids=repr)
def test_a_learned_scale_has_a_floor(scale: object) -> None:
    """1e-3 standard deviations of the data, however small the raw number; of a constant column 1e-3."""
    model = blind(Gaussian(scale=scale), 3)  # type: ignore[arg-type]
    x = torch.randn(500, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x = torch.stack((50 * x[:, 0] + 9, x[:, 1] / 20, torch.full((500,), 7.0).double()), -1)
    model.start(x)
    with torch.no_grad():
        for w in model.parameters():
            w.fill_(-500.0 if w is model.likelihood.shared.get("scale", None) else 0.0)
        if isinstance(scale, Local):
            model.likelihood.layer[-1].bias[3:] = -500.0
        px = model(x[:4]).px
    sd = torch.tensor([float(x[:, 0].std(correction=0)), float(x[:, 1].std(correction=0)), 1.0]).double()
    torch.testing.assert_close(px.variance.sqrt()[0, 0], 1e-3 * sd)
    ceiling = -math.log(1e-3) - 0.5 * math.log(2 * math.pi)
    assert float(px.base_dist.log_prob(x[:4])[..., 2].max()) == pytest.approx(ceiling)


def test_a_constant_column_does_not_run_away() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(200, 2)), np.full(200, 3.0)])
    training = Training(epochs=30, batch_size=50, learning_rate=0.1)
    vae = VAE(1, encoder=MLP((8,)), training=training, random_state=0).fit(X)
    ceiling = -math.log(1e-3) - 0.5 * math.log(2 * math.pi)
    cells = vae.score_cells(X)
    assert np.isfinite(cells).all() and (cells[:, 2] <= ceiling + 1e-4).all()


def test_holes_enter_as_zero_in_standard_units() -> None:
    rng = np.random.default_rng(0)
    full = rng.normal(size=(200, 3)) * [1.0, 20.0, 0.1] + [100.0, -50.0, 7.0]
    x = torch.tensor(np.where(rng.random(full.shape) < 0.3, np.nan, full))
    model = blind(Gaussian(scale=Shared()), 3, holes=True)
    model.start(x)
    read, mask = model.inputs(x), ~x.isnan()
    mean, sd = np.nanmean(x.numpy(), 0), np.nanstd(x.numpy(), 0)
    np.testing.assert_allclose(read[:, :3], np.nan_to_num((x.numpy() - mean) / sd), atol=1e-6)
    assert torch.equal(read[:, 3:], mask.double())
    assert bool((read[:, :3][~mask] == 0).all())


def test_an_empty_column_trains_to_finite_numbers() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    X[:, 1] = np.nan
    training = Training(epochs=5, batch_size=40)
    vae = VAE(2, encoder=MLP((8,)), likelihood=Gaussian(scale=Shared()), training=training, random_state=0)
    vae.fit(X)
    assert all(math.isfinite(row["loss"]) for row in vae.history_)
    assert all(bool(w.isfinite().all()) for w in vae.model_.state_dict().values())
    for found in (vae.transform(X), vae.score_samples(X), vae.sample(5), vae.impute(X), vae.reconstruct(X)):
        assert np.isfinite(found).all()
    assert np.isnan(vae.score_cells(X)[:, 1]).all()


# -- imputation ----------------------------------------------------------------------------------------


def by_label(columns: int = 4) -> tuple[Model, Tensor]:
    """A decoder that reads the class alone, and its means (K, columns)."""
    model = blind(Gaussian(scale=Fixed(0.8)), columns, labels=Auxiliary(3), holes=True)
    means = torch.randn(3, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        first, last = model.likelihood.layer[0][0], model.likelihood.layer[-1]
        first.weight[:, 2:] = torch.eye(3)
        last.weight.copy_(means.T)
        last.bias.zero_()
        model.classifier.last.bias.copy_(torch.tensor([2.0, -1.0, 0.0]))
    model.log_prior_y.copy_(PRIOR_Y.log())
    return model, means


def held_back(n: int, columns: int = 4) -> Tensor:
    g = torch.Generator().manual_seed(6)
    x = torch.randn(n, columns, dtype=torch.float64, generator=g)
    return x.masked_fill(torch.rand(n, columns, generator=g) < 0.4, math.nan)


def class_posterior(x: Tensor, means: Tensor) -> tuple[Tensor, Tensor]:
    """p(y | known cells) (n, K), and log p(x_j | y) (n, K, columns), 0 where missing."""
    each = Normal(means, 0.8).log_prob(x[:, None].nan_to_num()).masked_fill(x.isnan()[:, None], 0.0)
    return (each.sum(-1) + PRIOR_Y.log()).softmax(-1), each


def test_imputation_sums_over_the_classes() -> None:
    """E[x_miss | x_obs] = sum_y p(y | x_obs) E[x_miss | y] whatever the classifier says."""
    model, means = by_label()
    x = held_back(40)
    posterior, _ = class_posterior(x, means)
    expected = torch.where(x.isnan(), posterior @ means, x)
    torch.testing.assert_close(impute.best(model, x, None, 5, 0), expected)


def test_draws_of_missing_cells_follow_the_classes() -> None:
    """One draw a row: mean and variance of p(x_miss | x_obs), a mixture over y."""
    model, means = by_label()
    one = torch.tensor([[0.3, math.nan, -0.5, math.nan]], dtype=torch.float64)
    posterior, _ = class_posterior(one, means)
    x = one.expand(20_000, 4)
    drawn = impute.draw(model, x, None, 2, 0)
    for j in (1, 3):
        mean = float(posterior[0] @ means[:, j])
        variance = 0.64 + float(posterior[0] @ means[:, j] ** 2) - mean**2
        assert abs(float(drawn[:, j].mean()) - mean) < 4.5 * math.sqrt(variance / 20_000)
        assert float(drawn[:, j].var()) == pytest.approx(variance, rel=0.05)
    assert torch.equal(drawn[:, ::2], x[:, ::2])


def test_scores_of_cells_are_sums_over_the_classes() -> None:
    model, means = by_label()
    x = held_back(40)
    posterior, each = class_posterior(x, means)
    expected = torch.einsum("nk,nkj->nj", posterior, each).masked_fill(x.isnan(), math.nan)
    found = impute.by_cell(model, x, None, 3, 0)
    torch.testing.assert_close(found, expected, equal_nan=True)


@torch.no_grad()
def test_imputation_where_the_decoder_reads_code_and_class() -> None:
    """Weights p(y) p(x_obs|z_s, y) p(z_s) / q(z_s|x) over draws and classes together, the same draws."""
    model = small(likelihood=Gaussian(scale=Shared()), labels=Auxiliary(3), holes=True).eval()
    model.log_prior_y.copy_(PRIOR_Y.log())
    x = held_back(12)
    torch.manual_seed(5)
    (site,) = model(x, samples=7).sites
    drawn, known, log_w, means, cells = site.z, ~x.isnan(), [], [], []
    for k in range(3):
        code = torch.eye(3).double()[k].expand(7, 12, 3)
        px = model.likelihood(torch.cat((drawn, code), -1)).base_dist
        each = px.log_prob(x.nan_to_num()) * known
        log_w.append(PRIOR_Y[k].log() + each.sum(-1) + site.p.log_prob(drawn) - site.q.log_prob(drawn))
        means.append(px.mean)
        cells.append(each)
    w = torch.cat(log_w).softmax(0)[..., None]
    best = torch.where(known, x, (w * torch.cat(means)).sum(0))
    torch.testing.assert_close(impute.best(model, x, None, 7, 5), best)
    expected = (w * torch.cat(cells)).sum(0).masked_fill(~known, math.nan)
    torch.testing.assert_close(impute.by_cell(model, x, None, 7, 5), expected, equal_nan=True)


@torch.no_grad()
def test_scores_of_cells_add_up_to_the_row() -> None:
    """Over the known cells they sum to sum_s w_s log p(x|z_s), the same draws."""
    model = small(Gaussian(), Mixture(Gaussian(), 2), likelihood=Gaussian(scale=Shared()), holes=True)
    model.eval()
    x = held_back(12)
    found = impute.by_cell(model, x, None, 7, 5).nansum(1)
    torch.manual_seed(5)
    trace = model(x, samples=7)
    torch.testing.assert_close(found, -(trace.log_w().softmax(0) * trace.distortion).sum(0))


# -- numbers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dispersion", [1e-4, 1e-3, 0.5])
def test_negative_binomial_in_single_precision(dispersion: float) -> None:
    """log P = sum_{i<x} log(1 + i a) + x log m - log x! - (x + 1/a) log(1 + m a), where nothing cancels."""
    mean = torch.tensor([0.3, 2.0, 17.0, 90.0])
    x = torch.tensor([0.0, 1.0, 5.0, 20.0, 80.0])[:, None]
    a = torch.full((4,), dispersion)
    found = distributions.NegativeBinomial(mean, a).log_prob(x)
    for i, count in enumerate(x[:, 0].tolist()):
        for j, m in enumerate(mean.double().tolist()):
            each = float(a[j].double())
            chosen = sum(math.log1p(k * each) for k in range(int(count))) - math.lgamma(count + 1)
            exact = chosen + count * math.log(m) - (count + 1 / each) * math.log1p(m * each)
            assert float(found[i, j]) == pytest.approx(exact, rel=2e-7, abs=1e-6)
            if abs(exact) < 60:
                assert abs(float(found[i, j]) - exact) < 1e-5


@pytest.mark.parametrize(
    "kappa",
    [1e2, 1e3, 1e6],
)
@torch.no_grad()
def test_power_spherical_density_in_single_precision(kappa: float) -> None:
    """At own draws float32 is off float64 at the same point by little on average, so that a sampled KL,
    as to a VampPrior, is no worse than the exact one."""
    torch.manual_seed(0)
    loc = torch.nn.functional.normalize(torch.randn(3), dim=0)
    d = distributions.PowerSpherical(loc, torch.tensor(kappa))
    z = d.sample(torch.Size((5000,)))
    at = torch.nn.functional.normalize(z.double(), dim=-1)
    unit = torch.nn.functional.normalize(loc.double(), dim=0)
    exact = distributions.PowerSpherical(unit, torch.tensor(kappa).double()).log_prob(at)
    assert abs(float((d.log_prob(z) - exact).mean())) < 1e-3


@pytest.mark.parametrize("kappa", [1.0, 1e2, 1e4, 1e5, 1e6])
def test_power_spherical_kl_in_single_precision(kappa: float) -> None:
    """L = 3: log(k + 1) - k / (k + 1); L = 5: log(a (a + 1) / 6) - k / a - k / (a + 1), a = k + 2."""
    a = kappa + 2
    exact = {
        3: math.log(kappa + 1) - kappa / (kappa + 1),
        5: math.log(a * (a + 1) / 6) - kappa / a - kappa / (a + 1),
    }
    for L, value in exact.items():
        loc = torch.nn.functional.normalize(torch.ones(L), dim=0)
        k = torch.tensor(kappa, requires_grad=True)
        found = kl(distributions.PowerSpherical(loc, k), distributions.UniformSphere(torch.zeros(L)))
        assert found is not None and found.dtype == torch.float32
        assert float(found.detach()) == pytest.approx(value, abs=2e-6, rel=2e-7)
        (slope,) = torch.autograd.grad(found, k)
        # d KL / d kappa = -kappa (psi'(a + 2 b) - psi'(a + b)), positive; by differences of the closed form
        step = 1e-4 * kappa
        ends = []
        for each in (kappa + step, kappa - step):
            b = each + 2
            ends.append(
                math.log(each + 1) - each / (each + 1)
                if L == 3
                else math.log(b * (b + 1) / 6) - each / b - each / (b + 1)
            )
        assert float(slope) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4)


def test_planar_slope_where_it_is_all_but_flat() -> None:
    """w . u = -16: float32 gives the logarithm of a slope of 1e-7, float64 autograd's log |det J|."""
    torch.manual_seed(0)
    w = torch.randn(3, dtype=torch.float64)
    for wu in (-16.0, -3.0, 0.0, 2.0):
        u = wu * w / w.square().sum()
        across = torch.randn(3, dtype=torch.float64)
        u = u + across - (across @ w) / (w @ w) * w
        for bias in (0.0, 0.7, -4.0):
            x = torch.randn(3, dtype=torch.float64)
            x = x - (x @ w) / (w @ w) * w if bias == 0 else x
            b = torch.tensor([bias], dtype=torch.float64)
            _, found = planar(u, w, b, x)
            J = torch.autograd.functional.jacobian(lambda t, u=u, b=b: planar(u, w, b, t)[0], x)
            assert float(found) == pytest.approx(float(torch.linalg.slogdet(J)[1]), rel=1e-6, abs=1e-7)
            single = planar(u.float(), w.float(), b.float(), x.float())[1]
            assert bool(single.isfinite()) and float(single) == pytest.approx(
                float(found), rel=1e-4, abs=1e-5
            )


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


# -- refitting the prior -------------------------------------------------------------------------------


def two_places(n: int = 200) -> tuple[Model, Tensor]:
    """q(z|x, y) = N(+-2, 0.3^2) by class, q(y = 1|x) = 0.9 whatever x is."""
    torch.manual_seed(0)
    labels = Enumerated(2, network=MLP((2,)))
    model = Model((3,), Parts((1,), MLP(()), MLP(()), Gaussian(), StandardNormal(), Bernoulli(), labels))
    with torch.no_grad():
        for w in model.parameters():
            w.zero_()
        head = model.latents.q[0].layer
        head.weight[0, 3:] = torch.tensor([-2.0, 2.0])
        head.bias[1] = 2 * math.log(0.3)
        model.classifier.last.bias.copy_(torch.tensor([math.log(0.1), math.log(0.9)]))
    return model.eval(), (torch.rand(n, 3) < 0.5).float()


def test_codes_count_by_their_class() -> None:
    model, x = two_places()
    z, share = codes(model, (x, None), samples=4)
    assert len(z) == 200 * 4 * 2
    torch.testing.assert_close(share, torch.where(z[:, 0] > 0, 1.8, 0.2))
    assert float(share.mean()) == pytest.approx(1, rel=1e-5)
    # -E log N(z; 0, 1) = log sqrt(2 pi) + (4 + 0.09) / 2 for both; of N(2, 1) it tells the classes apart
    found = code_length(model, z, share)
    assert found == pytest.approx(0.5 * math.log(2 * math.pi) + 4.09 / 2, abs=0.05)
    model.latents.crown(Gaussian(), Gaussian(Fixed(2.0), Fixed(1.0)))
    found = code_length(model, z, share)
    assert found == pytest.approx(0.5 * math.log(2 * math.pi) + (0.09 + 0.1 * 16) / 2, abs=0.05)
    known = torch.zeros(200, dtype=torch.long)
    _, share = codes(model, (x, known))
    assert sorted(set(share.tolist())) == [0.0, 2.0]


def test_refitted_prior_weighs_classes() -> None:
    """Maximum likelihood of a Gaussian: mean 0.8 * 2, variance 0.09 + 4 * (1 - 0.8^2)."""
    model, x = two_places(400)
    training = Training(epochs=60, batch_size=200, learning_rate=0.05)
    new = refit_prior(model, Gaussian(), (x, None), training, 0)
    p = new.latents.prior()
    assert float(p.mean.detach()) == pytest.approx(1.6, abs=0.15)
    assert float(p.variance.detach()) == pytest.approx(0.09 + 4 * 0.36, rel=0.15)
