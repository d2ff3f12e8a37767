"""Every likelihood family against the laws of probability, scipy, its samples and its own text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.random import Generator
from scipy import stats
from torch import Tensor, nn

from reparam import (
    MLP,
    VAE,
    Bernoulli,
    Categorical,
    Columns,
    ContinuousBernoulli,
    Conv,
    DiscretizedLogistic,
    Family,
    Fixed,
    Gaussian,
    LogNormal,
    NegativeBinomial,
    OrderedLogistic,
    Poisson,
    Shared,
    SpecError,
    StandardNormal,
    StudentT,
    Training,
    ZeroInflated,
)
from reparam.distributions import elementwise_log_prob, mean_of
from reparam.estimator.validation import KINDS
from reparam.families import Likelihood
from reparam.model.config import ModelConfig
from reparam.model.model import Model
from reparam.specs.parse import parse
from reparam.specs.spec import rows, text
from tests.parts import FAMILIES, TABLE, LikelihoodRow, head

NAMES = list(FAMILIES)


def table(rng: Generator, n: int) -> np.ndarray:
    """Rows that TABLE fits, driven by one hidden number."""
    z = rng.normal(size=n)
    columns = [
        5 * z + rng.normal(size=n),
        np.digitize(z, [-0.5, 0.5]),
        100 + z,
        np.exp(z),
        rng.poisson(np.exp(1 + z / 2)),
        np.digitize(-z, [-0.5, 0.5]),
        z > 0,
        z < 0,
        1 / (1 + np.exp(-z - 0.3 * rng.normal(size=n))),
    ]
    return np.column_stack(columns).astype(float)


def set_up(name: str, batch: int = 12) -> tuple[LikelihoodRow, Any, Tensor]:
    """A head in the units of some data, its shared numbers random, and raw numbers (batch, n)."""
    row = FAMILIES[name]
    torch.manual_seed(len(name))
    law, n = head(row.family, (1,))
    law.double().fit_units(torch.tensor(row.draw(np.random.default_rng(1), (500, 1))).double())
    with torch.no_grad():
        for p in law.parameters():
            p.normal_()
    return row, law, torch.randn(batch, n, dtype=torch.float64)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "quantile"])
def test_mass_is_one(name: str) -> None:
    row, law, raw = set_up(name)
    x, dx = row.support()
    mass = (law(raw).log_prob(x[:, None, None]).exp() * dx[:, None]).sum(0)
    torch.testing.assert_close(mass, torch.ones_like(mass), atol=2e-5, rtol=0)


@pytest.mark.parametrize("name", [name for name, row in FAMILIES.items() if row.log_prob])
def test_agrees_with_scipy(name: str) -> None:
    row, law, raw = set_up(name)
    x = np.asarray(row.draw(np.random.default_rng(0), (50, 12, 1)), dtype=float)
    with torch.no_grad():
        values = {key: value.numpy() for key, value in law.values(raw).items()}
        ours = law(raw).log_prob(torch.tensor(x)).numpy()
    by_scipy = row.log_prob(x, {k: np.broadcast_to(v, (50, *v.shape)) for k, v in values.items()})[..., 0]
    settled = by_scipy > -30  # beyond, scipy's difference of two probabilities has no digits left
    np.testing.assert_allclose(ours[settled], by_scipy[settled], rtol=1e-5, atol=1e-6)
    assert settled.mean() > 0.5


@pytest.mark.parametrize("name", NAMES)
def test_samples_follow_the_density(name: str) -> None:
    """Mean log-density and the distribution function at three quarters of it, sampled and summed."""
    row, law, raw = set_up(name, 4)
    x, dx = row.support()
    with torch.no_grad():
        d, n = law(raw), 40_000
        log_p = d.log_prob(x[:, None, None])
        p = log_p.exp() * dx[:, None]
        split = x[(p.cumsum(0) < 0.75).sum(0).clamp_max(len(x) - 1)]
        draws = d.sample(torch.Size((n,))).double()
        below, entropy = (draws[..., 0] <= split).double(), d.log_prob(draws)
    for seen, wanted in (
        (below, (p * (x[:, None] <= split)).sum(0)),
        (entropy, (p * log_p.clamp_min(-1e3)).sum(0)),
    ):
        error = seen.std(0).clamp_min(1e-3) / n**0.5
        assert float(((seen.mean(0) - wanted).abs() / error).max()) < 4.5


@pytest.mark.parametrize(
    "name",
    [name for name in NAMES if name not in ("categorical", "levels", "ordered", "student", "quantile")],
)
def test_best_guess_is_the_mean(name: str) -> None:
    row, law, raw = set_up(name)
    x, dx = row.support()
    with torch.no_grad():
        d = law(raw)
        mean = (d.log_prob(x[:, None, None]).exp() * (x * dx)[:, None]).sum(0)
    tolerance = 0.05 if isinstance(row.family, DiscretizedLogistic) else 1e-3
    torch.testing.assert_close(mean_of(d)[:, 0], mean, atol=tolerance, rtol=1e-3)


def test_best_guess_without_a_mean() -> None:
    _, law, raw = set_up("categorical")
    torch.testing.assert_close(mean_of(law(raw))[:, 0], raw.argmax(-1).double())
    _, law, raw = set_up("ordered")
    levels = torch.arange(5, dtype=torch.float64)[:, None, None]
    at_most = law(raw).log_prob(levels).exp().cumsum(0)
    torch.testing.assert_close(mean_of(law(raw))[:, 0], (at_most < 0.5).sum(0).double())
    _, law, raw = set_up("student")
    torch.testing.assert_close(mean_of(law(raw)), law.values(raw)["loc"])


@pytest.mark.parametrize("event", [(5,), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize("name", NAMES)
def test_cells_sum_to_log_prob_and_every_parameter_learns(name: str, event: tuple[int, ...]) -> None:
    row, network = FAMILIES[name], MLP((8,), "tanh")
    torch.manual_seed(0)
    model = Model(event, ModelConfig((2,), network, network, Gaussian(), StandardNormal(), row.family))
    x = torch.tensor(np.asarray(row.draw(np.random.default_rng(0), (6, *event)), dtype=np.float32))
    model.start(x)
    trace = model(x, samples=3)
    each = elementwise_log_prob(trace.px, x)
    assert each.shape == (3, 6, *event)
    torch.testing.assert_close(each.flatten(2).sum(-1), trace.px.log_prob(x), rtol=1e-4, atol=1e-4)
    trace.distortion.sum().backward()
    parameters = {**dict(model.likelihood.named_parameters()), **dict(model.encoder.named_parameters())}
    assert not [key for key, p in parameters.items() if p.grad is None or not p.grad.abs().sum() > 0]
    assert mean_of(trace.px).shape == trace.px.sample().shape == (3, 6, *event)


@pytest.mark.parametrize("family", [*(row.family for row in FAMILIES.values()), TABLE], ids=[*NAMES, "table"])
def test_spec_round_trips(family: Family) -> None:
    assert parse(repr(family), Likelihood) == family
    assert parse(text(family, complete=True), KINDS["likelihood"]) == family


@pytest.mark.parametrize("extreme", [-30.0, 30.0])
@pytest.mark.parametrize("name", NAMES)
def test_extreme_numbers_stay_finite(name: str, extreme: float) -> None:
    row = FAMILIES[name]
    law, n = head(row.family, (40,))
    x = torch.tensor(np.asarray(row.draw(np.random.default_rng(0), (30, 40)), dtype=np.float32))
    law.fit_units(x)
    for raw in (torch.full((30, n), extreme), extreme * torch.randn(30, n).sign()):
        raw.requires_grad_()
        with torch.no_grad():
            for p in law.parameters():
                p.fill_(extreme)
        log_p = law(raw).log_prob(x)
        log_p.sum().backward()
        assert log_p.isfinite().all() and raw.grad is not None and raw.grad.isfinite().all()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in law.parameters())
        assert mean_of(law(raw)).isfinite().all() or isinstance(row.family, LogNormal)


def test_discretized_logistic_is_exact_in_float32() -> None:
    law, n = head(DiscretizedLogistic(), (256,))
    torch.manual_seed(0)
    raw = 3 * torch.randn(200, n, dtype=torch.float64)
    x = torch.arange(256.0)
    torch.testing.assert_close(
        elementwise_log_prob(law(raw.float()), x).double(),
        elementwise_log_prob(law(raw), x.double()),
        rtol=2e-5,
        atol=2e-5,
    )


def test_continuous_bernoulli_is_smooth_at_one_half() -> None:
    law, _ = head(ContinuousBernoulli(), (1,))
    logits = torch.linspace(-0.5, 0.5, 2001, dtype=torch.float64)[:, None]
    log_p = law(logits).log_prob(torch.tensor([0.3]).double())
    assert abs(float(log_p[1000])) < 1e-12 and float(log_p.diff(2).abs().max()) < 1e-7
    narrow = law(logits.float()).log_prob(torch.tensor([0.3]))
    torch.testing.assert_close(narrow.double(), log_p, atol=5e-7, rtol=0)


def test_every_likelihood_has_a_row() -> None:
    """Those of one number in FAMILIES; Columns, which is made of them, is TABLE."""
    tested = {type(row.family) for row in FAMILIES.values()} | {type(TABLE)}
    assert tested == set(rows(Likelihood))


# -- fitted ------------------------------------------------------------------------------------------

QUICK: dict[str, Any] = {"encoder": MLP((16,), "tanh"), "random_state": 0}


@pytest.mark.parametrize("name", [*NAMES, "table"])
def test_fits_and_saves(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    family, X = (TABLE, table(rng, 96)) if name == "table" else (FAMILIES[name].family, None)
    X = FAMILIES[name].draw(rng, (96, 4)) if X is None else X
    training = Training(epochs=20, batch_size=32, learning_rate=3e-3)
    vae = VAE(2, likelihood=family, training=training, **QUICK).fit(X)
    assert vae.history_[-1]["loss"] < vae.history_[0]["loss"]
    vae.save(tmp_path / "m.safetensors")
    again = VAE.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(vae.score_samples(X), again.score_samples(X))
    assert vae.sample(7).shape == (7, X.shape[1]) and family.support_error(vae.sample(7)) is None


@pytest.mark.parametrize("name", [*(name for name in NAMES if FAMILIES[name].moves), "table"])
def test_score_is_in_the_units_of_the_data(name: str) -> None:
    rng = np.random.default_rng(0)
    if name == "table":
        family: Family = Columns((LogNormal(), Gaussian(), StudentT(), LogNormal()))
        X = np.column_stack(
            [FAMILIES[n].draw(rng, (150,)) for n in ("lognormal", "gaussian", "student", "lognormal")]
        )
    else:
        family, X = FAMILIES[name].family, FAMILIES[name].draw(rng, (150, 4))
    scales = np.array([1e-3, 0.1, 10.0, 1e3])
    vae = VAE(2, likelihood=family, training=Training(epochs=3), **QUICK)
    plain = vae.fit(X).score_samples(X)
    scaled = vae.fit(X * scales).score_samples(X * scales)
    np.testing.assert_allclose(scaled, plain - np.log(scales).sum(), atol=2e-3)


@pytest.mark.parametrize("shape", [(6, 5), (3, 6, 5)])
@pytest.mark.parametrize(
    "family",
    [
        Categorical(3),
        DiscretizedLogistic(3, components=2),
        Categorical(3, Shared()),
        OrderedLogistic(3),
        NegativeBinomial(),
    ],
)
def test_pictures_through_convolutions(family: Family, shape: tuple[int, ...]) -> None:
    X = np.random.default_rng(0).integers(0, 3, (20, *shape))
    vae = VAE(2, encoder=Conv((4,), hidden=(8,)), likelihood=family, training=Training(epochs=2)).fit(X)
    assert vae.reconstruct(X).shape == X.shape and np.isfinite(vae.score_samples(X)).all()


# -- tables ------------------------------------------------------------------------------------------


def test_columns_are_the_sum_of_their_families() -> None:
    x = torch.tensor(table(np.random.default_rng(0), 50))
    torch.manual_seed(0)
    law, n = head(TABLE, (9,))
    law.double().fit_units(x)
    raw = torch.randn(50, n, dtype=torch.float64)
    d = law(raw)
    start, each = 0, torch.zeros(50, 9, dtype=torch.float64)
    for family, columns in TABLE.groups.items():
        alone, k = head(family, (len(columns),))
        alone.double().fit_units(x[:, columns])
        each[:, columns] = elementwise_log_prob(alone(raw[:, start : start + k]), x[:, columns])
        start += k
    assert start == n
    torch.testing.assert_close(elementwise_log_prob(d, x), each)
    torch.testing.assert_close(d.log_prob(x), each.sum(-1))
    draws = d.sample(torch.Size((20,)))
    draws[..., 8].clamp_(1e-6, 1 - 1e-6)  # a U-shaped Beta's draws round to 0 and 1
    assert draws.shape == (20, 50, 9) and mean_of(d).shape == (50, 9)
    assert TABLE.support_error(draws.numpy().reshape(-1, 9)) is None
    assert TABLE.inputs(law.standardised(x)).shape == (50, 13)


def test_columns_observe_as_their_families_do() -> None:
    family = Columns((Gaussian(), Bernoulli(grey="threshold"), Gaussian()))
    seen = family.observe(torch.tensor([[0.2, 0.7, 0.9], [0.8, 0.1, 0.3]]))
    torch.testing.assert_close(seen, torch.tensor([[0.2, 1.0, 0.9], [0.8, 0.0, 0.3]]))


def test_columns_find_structure() -> None:
    """One hidden number drives nine columns: knowing it is worth nats, and classes are decoded right."""
    X = table(np.random.default_rng(0), 400)
    vae = VAE(
        1,
        likelihood=TABLE,
        encoder=MLP((32,)),
        training=Training(epochs=60, learning_rate=5e-3),
        random_state=0,
    ).fit(X)
    rebuilt = vae.reconstruct(X)
    assert np.corrcoef(rebuilt[:, 0], X[:, 0])[0, 1] > 0.9 and abs(rebuilt[:, 2].mean() - 100) < 0.3
    assert (rebuilt[:, 1] == X[:, 1]).mean() > 0.8 and (rebuilt[:, 3] > 0).all()


# -- refusals ----------------------------------------------------------------------------------------


def spoilt(name: str, value: float) -> np.ndarray:
    X = np.asarray(FAMILIES[name].draw(np.random.default_rng(0), (9, 3)), dtype=float)
    X[4, 1] = value
    return X


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("gaussian", 1e30, r"Gaussian needs values from -1e18 to 1e18; X has 1e\+30.*Rescale"),
        ("laplace", -1e30, r"Laplace needs .*-1e\+30.*Rescale"),
        ("student", 1e30, r"StudentT needs .*Rescale"),
        ("lognormal", 0, r"LogNormal needs values above 0; X has 0 in.*Use Poisson\(\)"),
        ("beta", 1, r"Beta needs values above 0 and below 1; X has 1 in.*Use ContinuousBernoulli\(\)"),
        ("continuous", 255, r"ContinuousBernoulli needs values in \[0, 1\]; X has 255.*Divide"),
        ("bernoulli", 0.37, r"Bernoulli needs values in \{0, 1\}; X has 0.37.*Bernoulli\(grey='expected'\)"),
        ("categorical", 4, r"Categorical needs whole numbers 0 to 3; X has 4 in.*Gaussian\(\)"),
        ("pixels", 0.5, r"DiscretizedLogistic needs whole numbers 0 to 255; X has 0.5.*Multiply.*by 255"),
        (
            "ordered",
            5,
            r"OrderedLogistic needs whole numbers 0 to 4; X has 5 in.*Set levels to their number",
        ),
        ("poisson", -1, r"Poisson needs counts.*X has -1 in.*LogNormal\(\)"),
        ("negative", 2.5, r"NegativeBinomial needs counts.*X has 2.5"),
        ("inflated", 2.5, r"ZeroInflated needs counts.*X has 2.5"),
    ],
)
def test_refusals_name_value_place_and_cure(name: str, value: float, message: str) -> None:
    family, X = FAMILIES[name].family, spoilt(name, value)
    with pytest.raises(ValueError, match=message) as refusal:
        VAE(2, likelihood=family, training=Training(epochs=1)).fit(X)
    assert "in row 4, column 1. " in str(refusal.value)
    found = family.support_error(X[:, None])
    assert found is not None and "row 4, pixel (0, 1). " in found.words()
    X[4, 1] = np.nan
    assert family.support_error(X) is None
    columns = Columns((Bernoulli(), Poisson(), family, family)).support_error(
        np.column_stack([np.zeros((9, 2)), X[:, 0], spoilt(name, value)[:, 1]])
    )
    assert columns is not None and (columns.row, columns.cell) == (4, (3,))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Columns(()), "a family for each column"),
        (lambda: Columns((TABLE,)), "families of single numbers; column 0 has Columns"),
        (lambda: Columns(cast(Any, (3,))), r"takes a tuple of \(Gaussian \| Laplace"),
        (lambda: Categorical(1), "2 or more"),
        (lambda: DiscretizedLogistic(components=0), "components >= 1"),
        (lambda: OrderedLogistic(1), "2 or more"),
        (lambda: ZeroInflated(cast(Any, Gaussian())), r"ZeroInflated.base takes Poisson \| NegativeBinomial"),
        (
            lambda: Columns((Gaussian(),)).build((2,), nn.Identity),
            r"has 1 families; the data have shape \(2,\)",
        ),
    ],
)
def test_specs_refuse(make: Callable[[], object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make()


def test_columns_refuse_another_table() -> None:
    with pytest.raises(ValueError, match=r"Columns has 9 families; each row of X has shape \(2,\)"):
        VAE(likelihood=TABLE).fit(np.zeros((5, 2)))


def test_fixed_numbers_are_in_the_unit_of_the_data() -> None:
    law, n = head(LogNormal(Fixed(1.0), Fixed(0.5)), (2,))
    assert n == 0
    x = torch.tensor([[2.0, 3.0]])
    law.fit_units(x)
    by_scipy = stats.lognorm(0.5, scale=np.e).logpdf(x.numpy()).sum()
    assert float(law(torch.zeros(1, 0)).log_prob(x)) == pytest.approx(by_scipy, rel=1e-5)
