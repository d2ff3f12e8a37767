"""Laws of penalties, and of the aggregate posterior that some of them estimate.

Every oracle is a closed form, an enumeration, a quadrature or the same draws taken another way; float64.
"""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from reparam import (
    MLP,
    MMD,
    VQ,
    Auxiliary,
    CodePrior,
    Commitment,
    CrossEntropy,
    Enumerated,
    FactorTC,
    Fixed,
    Gaussian,
    LatentCritic,
    LatentNorm,
    Linear,
    Mixture,
    Shared,
    Sparsity,
    TotalCorrelation,
)
from reparam.model.hierarchy import replaying
from reparam.model.model import Model
from reparam.model.trace import Trace
from reparam.objectives import decomposition
from tests.models import MAFS, Top, X, flat, small

ROWS = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


def gaussian_codes(n: int | None = None) -> tuple[Model, Tensor]:
    """A model of real rows, and a z for each of them."""
    model = small(layers=(3,), likelihood=Gaussian(scale=Shared()))
    model.start(ROWS)
    torch.manual_seed(3)
    return model, model(ROWS).layers[0].z.detach()


def test_share_of_each_row_by_hand() -> None:
    """log q(z_i) = log [ q(z_i|x_i) / N + (N - 1) / (N (B - 1)) sum_{j != i} q(z_i|x_j) ], N = 1,000."""
    model, z = gaussian_codes()
    for N in (1000, 6):
        trace = model(ROWS, draw=replaying([z]))
        q, p = trace.layers[0].q.base_dist, trace.layers[0].p
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
        each = whole.layers[0].q.log_prob(z[0][:, None])
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
    layer, found = trace.layers[0], []
    for _ in range(1500):
        trace.layers = (layer._replace(z=layer.p.sample(torch.Size((1, 4)))),)
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
    p = trace.layers[0].p.sample(torch.Size((5,)))

    def k(a: Tensor, b: Tensor) -> float:
        square = float((a - b).square().sum())
        if kernel == "rbf":
            return math.exp(-square / 2)
        return sum(4 * s / (4 * s + square) for s in (0.1, 0.2, 0.5, 1, 2, 5, 10))

    own = sum(k(t[i], t[j]) for t in (z, p) for i in range(5) for j in range(5) if i != j) / 20
    across = sum(k(a, b) for a in z for b in p) / 25
    assert found == pytest.approx(3 * (own - 2 * across))


def test_latent_norm_is_half_the_square() -> None:
    model = small(layers=(2, 3))
    trace = model(X, samples=4)
    squares = sum(float(layer.z.detach().square().sum()) / 12 for layer in trace.layers)
    assert float(LatentNorm(3.0)(trace, 0).detach()) == pytest.approx(3 * squares / 2)


def test_sparsity_is_the_mean_of_a_folded_normal() -> None:
    """E |z| = s sqrt(2 / pi) exp(-mu^2 / 2 s^2) + mu (1 - 2 Phi(-mu / s)) for z of N(mu, s^2)."""
    model, term = small(layers=(3,)), Sparsity(2.5)
    torch.manual_seed(0)
    with torch.no_grad():
        trace = model(X, samples=200_000)
        mu, s = trace.layers[0].q.mean, trace.layers[0].q.stddev
        folded = s * math.sqrt(2 / math.pi) * (-0.5 * (mu / s) ** 2).exp() + mu * torch.erf(
            mu / (s * math.sqrt(2))
        )
    expected = 2.5 * float(folded.sum(-1).mean())
    assert float(term(trace, 0)) == pytest.approx(expected, rel=0.005)


def test_sparsity_adds_layers_and_follows_a_schedule() -> None:
    trace = small(layers=(2, 3))(X, samples=4)
    norms = sum(float(layer.z.detach().abs().sum()) / 12 for layer in trace.layers)
    for step, weight in ((0, 0.0), (5, 2.0), (99, 4.0)):
        found = Sparsity(Linear(0, 4, 10))(trace, step)
        assert float(found.detach()) == pytest.approx(weight * norms)


def test_sparsity_weighs_enumerated_classes() -> None:
    """sum_y q(y|x) |z_y|: the code of each class has the weight of the class."""
    model = small(labels=Enumerated(3, network=MLP((4,))))
    trace = model(X, torch.full((3,), -1), samples=2)
    norms = trace.layers[0].z.abs().sum(-1).reshape(2, 3, 3)
    by_hand = (trace.logits.softmax(-1).T * norms.mean(0)).sum(0).mean()
    torch.testing.assert_close(Sparsity()(trace, 0), by_hand)


@pytest.mark.parametrize("p", [Gaussian(Fixed(3.0), Fixed(0.1)), Mixture(Gaussian(), 3), MAFS], ids=repr)
@torch.no_grad()
def test_latent_critic_tells_codes_from_the_prior(p: Top) -> None:
    model, term = small(p=p), LatentCritic(2.0, (4,))
    z = torch.randn(2000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) - 5
    trace = placed(model, z)
    critic = term.build(model.config).double()
    trace.critics = {term: critic}
    torch.manual_seed(3)
    prior = trace.layers[0].p.sample(torch.Size((2000,)))
    torch.manual_seed(3)
    torch.testing.assert_close(term.other(trace), prior)
    torch.manual_seed(3)
    real, other = critic(z)[:, 0].sigmoid(), critic(prior)[:, 0].sigmoid()
    loss = term.critic_loss(critic, term.codes(trace))
    torch.testing.assert_close(loss, -(real.log().mean() + (1 - other).log().mean()) / 2)
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
    model = small(VQ(5, 2), CodePrior(), layers=(4,))
    model.eval()
    trace = model(X, samples=2)
    q = trace.layers[0].q
    raw = q.before.detach().requires_grad_()
    book = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    atom = VQ(5, 2).distribution((4,), raw=raw, codebook=book)
    distance = torch.cdist(raw.detach().reshape(-1, 2), book.detach())
    after = book.detach()[distance.argmin(1)].reshape(3, 4)
    trace.layers = (trace.layers[0]._replace(q=atom),)
    loss = Commitment(0.7)(trace, 0)
    torch.testing.assert_close(loss, 0.7 * (raw.detach() - after).square().sum(-1).mean())
    moved, still = torch.autograd.grad(loss, (raw, book), allow_unused=True)
    assert still is None
    torch.testing.assert_close(moved, 0.7 * 2 * (raw.detach() - after) / 3)
    names = [name for name, _ in model.named_parameters() if name.startswith("encoder")]
    assert float(flat(model, Commitment()(model(X), 0), names).abs().sum()) > 0
