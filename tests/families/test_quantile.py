"""The law of a column that has the margin of its training data: levels, spikes, and numbers of any shape."""

from typing import Any, Literal, cast

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from reparam import Columns, Gaussian, Quantile
from reparam.distributions.quantile import Margin, bisection, search
from reparam.families import Head
from reparam.families.quantile import KNOTS
from tests.parts import Values, head

RNG = np.random.default_rng(3)
COLUMNS = {
    "numbers": RNG.gamma(2.0, 3.0, 3000),
    "two signs": RNG.standard_t(2, 500) * 1e4,
    "spike": np.where(RNG.random(2000) < 0.6, 0.0, RNG.lognormal(5, 1, 2000)),
    "two spikes": np.where(
        RNG.random(2000) < 0.3, 7.0, np.where(RNG.random(2000) < 0.3, 9.0, RNG.normal(8, 3, 2000))
    ),
    "spikes side by side": np.where(
        RNG.random(900) < 0.5, RNG.choice([0.0, 1.0], 900), RNG.uniform(3, 4, 900)
    ),
    "levels": RNG.choice([4.0, 5.0, 6.0, 8.0], 300, p=[0.3, 0.02, 0.4, 0.28]),
    "hours": np.where(RNG.random(3000) < 0.47, 40.0, RNG.integers(1, 99, 3000)),
    "money": np.round(RNG.choice(RNG.lognormal(3, 1, 120), 3000), 2),
    "many levels": np.round(RNG.normal(0, 2, 60_000), 2),
    "two values": RNG.choice([-1.5, 2.5], 50),
}
NAMES = list(COLUMNS)
Side = Literal["left", "right"]


def law(name: str, batch: int = 6) -> tuple[Head, Tensor]:
    """A head in the units of a column, and raw numbers (batch, n)."""
    torch.manual_seed(len(name))
    held, n = head(Quantile(), (1,))
    held.double().fit_units(torch.tensor(COLUMNS[name])[:, None])
    return held, torch.randn(batch, n, dtype=torch.float64)


def margin_of(held: Head) -> Margin:
    margin: Any = held.margin
    return cast(Margin, margin)


def knots(held: Head) -> tuple[np.ndarray, np.ndarray]:
    margin = margin_of(held)
    return margin.x[0].numpy(), margin.s[0].numpy()


def score(held: Head, x: np.ndarray, side: Side) -> np.ndarray:
    """Normal scores of x by numpy; at a jump those on its left or right side."""
    at, s = knots(held)
    low, high = margin_of(held).tails[0].numpy()
    i = np.searchsorted(at, x, side) - 1
    k = i.clip(0, len(at) - 2)
    step = at[k + 1] - at[k]
    share = np.divide(x - at[k], step, out=np.zeros_like(x), where=step > 0)
    inside = s[k] + share * (s[k + 1] - s[k])
    under, over = np.maximum(at[0] - x, 0) / low, np.maximum(x - at[-1], 0) / high
    return np.where(x < at[0], s[0] - np.log1p(under), np.where(x > at[-1], s[-1] + np.log1p(over), inside))


def cdf(held: Head, raw: Tensor, x: np.ndarray, side: Side = "right") -> np.ndarray:
    """P(X <= x), or P(X < x) on the left side, (len(x), batch), by scipy."""
    with torch.no_grad():
        v: Values = {name: value[:, :, 0].numpy() for name, value in held.values(raw).items()}
    weights = np.exp(v["weights"]) / np.exp(v["weights"]).sum(1, keepdims=True)
    t = score(held, x, side)[:, None, None]
    return (weights * stats.logistic(v["loc"], v["scale"]).cdf(t)).sum(-1)


@pytest.mark.parametrize("name", NAMES)
def test_probabilities_and_densities_are_differences_of_the_distribution_function(name: str) -> None:
    held, raw = law(name)
    at, _ = knots(held)
    edges = np.unique(at)
    middle = edges[:-1] + np.diff(edges) * RNG.uniform(0.2, 0.8, len(edges) - 1)
    width = 1e-6 * np.diff(edges)
    with torch.no_grad():
        ours = held(raw).log_prob(torch.tensor(middle)[:, None, None]).exp().numpy()
        jumps = edges[np.isin(edges, at[:-1][(np.diff(at) == 0) & (np.diff(knots(held)[1]) > 0)])]
        mass = held(raw).log_prob(torch.tensor(jumps)[:, None, None]).exp().numpy()
    if margin_of(held).levels[0]:
        wanted = np.diff(cdf(held, raw, edges), axis=0) / np.diff(edges)[:, None]
        assert len(jumps) == 0
    else:
        both = [cdf(held, raw, middle + sign * width) for sign in (1, -1)]
        wanted = (both[0] - both[1]) / (2 * width[:, None])
    np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(mass, cdf(held, raw, jumps) - cdf(held, raw, jumps, "left"), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_mass_is_one(name: str) -> None:
    """By Gauss-Legendre quadrature between knots, on a logarithmic axis beyond them, and summed at jumps."""
    held, raw = law(name)
    at, s = knots(held)
    nodes, weights = np.polynomial.legendre.leggauss(12)
    left, right = np.unique(at)[:-1, None], np.unique(at)[1:, None]
    x, dx = (left + right) / 2 + nodes * (right - left) / 2, weights * (right - left) / 2
    t = np.linspace(-30, 70, 40_001)
    tails = margin_of(held).tails[0].numpy()
    beyond = np.stack([at[0] - tails[0] * np.exp(t), at[-1] + tails[1] * np.exp(t)])
    jumps = np.unique(at[:-1][(np.diff(at) == 0) & (np.diff(s) > 0)])
    places = np.concatenate([x.ravel(), beyond.ravel(), jumps])
    each = np.concatenate([dx.ravel(), (tails[:, None] * np.exp(t) * 2.5e-3).ravel(), np.ones(len(jumps))])
    with torch.no_grad():
        mass = (held(raw).log_prob(torch.tensor(places)[:, None, None]).exp().numpy() * each[:, None]).sum(0)
    np.testing.assert_allclose(mass, 1, atol=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_draws_follow_the_distribution_function(name: str) -> None:
    held, raw = law(name, 3)
    torch.manual_seed(0)
    drawn = held(raw).sample(torch.Size((4000,)))[..., 0].numpy()
    places = np.quantile(drawn, np.linspace(0, 1, 400))
    for j in range(3):
        seen = (drawn[:, j] <= places[:, None]).mean(1)
        assert np.abs(seen - cdf(held, raw, places)[:, j]).max() < stats.kstwo(4000).ppf(1 - 1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_best_guess_is_the_mean_of_cells(name: str) -> None:
    """Each at the mean of its training data, and the tails in the last cells."""
    held, raw = law(name)
    at, s = knots(held)
    real = np.diff(s) > 0
    start, end = s[:-1][real], s[1:][real]
    centre = margin_of(held).centre[0].numpy()[real]
    with torch.no_grad():
        v = {key: value[:, None, :, 0].numpy() for key, value in held.values(raw).items()}
    weights, each = np.exp(v["weights"]), stats.logistic(v["loc"], v["scale"])
    edges = [np.append(-np.inf, end[:-1]), np.append(start[1:], np.inf)]
    low, high = (((weights * each.cdf(e[:, None])).sum(-1) / weights.sum(-1)) for e in edges)
    np.testing.assert_allclose(
        held(raw).base_dist.mean[:, 0].detach(), ((high - low) * centre).sum(-1), rtol=1e-6
    )
    values = COLUMNS[name]
    assert centre.min() > values.min() - 1e-9 and centre.max() < values.max() + 1e-9
    inside = [values[(values >= a) & (values <= b)] for a, b in zip(at[:-1][real], at[1:][real], strict=True)]
    means = [part.mean() if len(part) else None for part in inside]
    strict = [i for i, part in enumerate(inside) if len(part) and not np.isin(at, part).any()]
    np.testing.assert_allclose(centre[strict], [means[i] for i in strict])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale, shift", [(0.37, 0.0), (1e4, 0.0), (2.0, 100.0)])
def test_another_unit_changes_the_density_by_its_size(name: str, scale: float, shift: float) -> None:
    """A density by log scale; a probability not at all."""
    torch.manual_seed(0)
    x = torch.tensor(COLUMNS[name])[:, None]
    (one, n), (other, _) = head(Quantile(), (1,)), head(Quantile(), (1,))
    one.double().fit_units(x)
    other.double().fit_units(scale * x + shift)
    raw = torch.randn(len(x), n).double()
    with torch.no_grad():
        change = one(raw).log_prob(x) - other(raw).log_prob(scale * x + shift)
    at, s = knots(one)
    jumps = torch.tensor(at[:-1][(np.diff(at) == 0) & (np.diff(s) > 0)])
    wanted = np.log(scale) * (~torch.isin(x[:, 0], jumps)).double()
    torch.testing.assert_close(change, wanted, atol=1e-4, rtol=1e-4)


def test_the_margin_is_that_of_the_data() -> None:
    for name in ("levels", "hours", "spike"):
        held, _ = law(name)
        x, counts = np.unique(COLUMNS[name], return_counts=True)
        common = counts > len(COLUMNS[name]) / 100
        log_p = margin_of(held).log_density(torch.tensor(x[common])[:, None])[:, 0].numpy()
        share = counts[common] / (len(COLUMNS[name]) + 1)
        np.testing.assert_allclose(np.exp(log_p), share, rtol=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_single_precision(name: str) -> None:
    """Gradients of extreme numbers, and the same density as in double precision for numbers of the data."""
    held, raw = law(name, 40)
    x = torch.tensor(COLUMNS[name][:40])[:, None]
    with torch.no_grad():
        exact = held(raw).log_prob(x)
    single, n = head(Quantile(), (1,))
    single.fit_units(torch.tensor(COLUMNS[name], dtype=torch.float32)[:, None])
    torch.testing.assert_close(single(raw.float()).log_prob(x.float()).double(), exact, atol=0.02, rtol=1e-3)
    for extreme in (30 * torch.randn(40, n).sign(), torch.full((40, n), -30.0)):
        log_p = single(extreme.requires_grad_()).log_prob(torch.cat([x[:20].float(), 1e6 * x[20:].float()]))
        log_p.sum().backward()
        assert log_p.isfinite().all() and extreme.grad is not None and extreme.grad.isfinite().all()


def test_a_constant_or_empty_column_has_a_density() -> None:
    held, n = head(Quantile(), (2,))
    held.fit_units(torch.tensor([[3.0, torch.nan]] * 9))
    x = torch.tensor([[3.0, 0.0], [3.1, 0.5]])
    log_p = held(torch.zeros(2, n)).log_prob(x)
    assert log_p.isfinite().all() and log_p[0] > log_p[1]


def test_missing_cells_have_no_score() -> None:
    held, _ = law("hours")
    z = held.standardised(torch.tensor([[np.nan], [40.0], [1.0]]))
    assert z[0].isnan() and -0.5 < z[1] < 0.5 and z[2] < -2


def test_equal_families_share_a_group_whatever_their_margins() -> None:
    columns = Columns((Quantile(), Gaussian(), Quantile(), Quantile()))
    held, n = head(columns, (4,))
    x = torch.tensor(
        np.column_stack([COLUMNS[name][:300] for name in ("numbers", "spike", "levels", "hours")])
    )
    held.double().fit_units(x)
    assert len(columns.groups) == 2
    raw = torch.randn(300, n).double()
    d = held(raw)
    assert d.log_prob(x).isfinite().all() and d.sample().shape == (300, 4)
    alone, _ = head(Quantile(), (1,))
    alone.double().fit_units(x[:, 3:])
    own = raw[:, : 9 * 3].reshape(300, 9, 3)[:, :, 2]
    torch.testing.assert_close(
        d.parts[0].base_dist.log_prob(x[:, [0, 2, 3]])[:, 2], alone(own).log_prob(x[:, 3:])
    )


def test_knots_are_bounded() -> None:
    for name in NAMES:
        at, s = knots(law(name)[0])
        assert len(at) == KNOTS and (np.diff(at) >= 0).all() and (np.diff(s) >= 0).all()


def test_both_searches_agree() -> None:
    margin = margin_of(law("two spikes")[0])
    x = torch.cat([margin.x[0], torch.tensor(COLUMNS["two spikes"]), torch.tensor([-1e9, 1e9])])[:, None]
    assert (search(margin.x, x) == bisection(margin.x, x)).all()
