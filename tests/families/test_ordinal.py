"""Ordered levels against numpy in float64, maximum likelihood of known proportions, and a table."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from reparam import MLP, VAE, Fixed, Local, OrderedLogistic, SpecError, Training, distributions, load
from reparam.distributions import blend, mean_of
from tests.parts import head

PROPORTIONS = np.array([0.1, 0.45, 0.05, 0.3, 0.1])


def exact(eta: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """log P(k) of all levels in float64, (*eta, K), by the side where the logistic function has digits."""
    edges = np.concatenate(([-np.inf], cuts, [np.inf])) - eta[..., None]
    mirrored = edges[..., :-1] > 0  # s(b) - s(a) = s(-a) - s(-b)
    a = np.where(mirrored, -edges[..., 1:], edges[..., :-1])
    b = np.where(mirrored, -edges[..., :-1], edges[..., 1:])
    return -np.logaddexp(0, -b) + np.log1p(-np.exp(np.logaddexp(0, -b) - np.logaddexp(0, -a)))


def law(eta: Tensor, cuts: Tensor) -> distributions.OrderedLogistic:
    return distributions.OrderedLogistic(eta, cuts[0].expand_as(eta), cuts.diff())


@pytest.mark.parametrize("gap", [1e-4, 1.0, 40.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_level_agrees_with_numpy(gap: float, dtype: torch.dtype) -> None:
    """At eta up to 1e4 and cut points 1e-4 apart, in single precision too."""
    cuts = torch.arange(-2, 3, dtype=torch.float64) * gap
    eta = torch.tensor([-1e4, -90.0, -5.0, -0.3, 0.0, 2.0, 30.0, 1e4], dtype=torch.float64)
    levels = torch.arange(6.0)[:, None]
    found = law(eta.to(dtype), cuts.to(dtype)).log_prob(levels.to(dtype)).double()
    tight = 1e-9 if dtype == torch.float64 else 5e-5
    np.testing.assert_allclose(found.T, exact(eta.numpy(), cuts.numpy()), rtol=tight, atol=tight)
    torch.testing.assert_close(found.exp().sum(0), torch.ones(8).double(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("levels", [2, 3, 100])
@pytest.mark.parametrize("extreme", [-1e30, -1e3, 0.0, 1e3, 1e30])
def test_no_gradient_is_lost(levels: int, extreme: float) -> None:
    """Of eta and of every cut point, whatever eta is."""
    eta = torch.full((levels,), extreme, requires_grad=True)
    first, gaps = torch.tensor(0.0, requires_grad=True), torch.full((levels - 2,), 1e-3, requires_grad=True)
    log_p = distributions.OrderedLogistic(eta, first.expand(levels), gaps).log_prob(torch.arange(levels))
    log_p.sum().backward()
    assert log_p.isfinite().all()
    for number in (eta, first, gaps):
        assert number.grad is not None and number.grad.isfinite().all()


@pytest.mark.parametrize("levels", [2, 3, 10, 256])
@pytest.mark.parametrize("event", [(3,), (2, 4), (1, 2, 4)])
def test_training_starts_at_equal_odds(levels: int, event: tuple[int, ...]) -> None:
    built, n = head(OrderedLogistic(levels), event)
    x = torch.arange(levels).reshape(-1, *(1 for _ in event)).expand(-1, *event)
    log_p = distributions.elementwise_log_prob(built(torch.zeros(levels, n)), x)
    torch.testing.assert_close(log_p, torch.full_like(log_p, -np.log(levels)), atol=0.02, rtol=0)


def test_cut_points_of_known_proportions() -> None:
    """With eta = 0 the maximum of the likelihood has sigmoid(c_k) = the share of levels below k."""
    family = OrderedLogistic(5, eta=Fixed(0.0))
    built, n = head(family, (2,))
    assert n == 0
    x = torch.tensor(np.repeat(np.arange(5), (1000 * PROPORTIONS).astype(int))).float()
    x = torch.stack((x, 4 - x), 1)
    optimiser = torch.optim.LBFGS(built.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        nats = -built(torch.zeros(len(x), 0)).log_prob(x).mean()
        nats.backward()
        return nats

    optimiser.step(loss)
    cuts = built(torch.zeros(1, 0)).base_dist.cuts.detach().reshape(2, 4)
    for found, p in zip(cuts, (PROPORTIONS, PROPORTIONS[::-1]), strict=True):
        np.testing.assert_allclose(found.sigmoid(), p.cumsum()[:-1], atol=2e-4)
    assert float(loss().detach()) == pytest.approx(-2 * (PROPORTIONS * np.log(PROPORTIONS)).sum(), abs=1e-5)


def test_frequencies_of_samples() -> None:
    torch.manual_seed(0)
    d = law(torch.zeros(1), torch.tensor(PROPORTIONS.cumsum()[:-1]).logit().float())
    seen = np.bincount(d.sample(torch.Size((100_000,))).flatten().int(), minlength=5) / 100_000
    np.testing.assert_allclose(seen, PROPORTIONS, atol=4.5 * 0.5 / 100_000**0.5)


def test_best_guess_is_a_level() -> None:
    """The median of one law and of a mixture. Of levels 0 and 4 in turn it is 0 or 4."""
    cuts = torch.tensor([-1.5, -0.5, 0.5, 1.5])
    eta = torch.linspace(-3, 3, 61) + 1e-4
    np.testing.assert_array_equal(mean_of(law(eta, cuts)), np.digitize(eta, cuts))
    ends = law(torch.tensor([[[-9.0]], [[9.0]]]), cuts)
    for share, wanted in ((0.6, 0.0), (0.4, 4.0)):
        assert float(blend(ends, torch.tensor([[share], [1 - share]]))) == wanted
    one = law(eta[None, :, None], cuts)
    torch.testing.assert_close(blend(one, torch.ones(1, 61)), mean_of(one)[0])


SIZES = ["small", "medium", "large"]


def survey(n: int) -> pd.DataFrame:
    """A number, and a size that depends on it by the model of the family."""
    rng = np.random.default_rng(0)
    weight = rng.normal(size=n)
    size = np.digitize(3 * weight + rng.logistic(size=n), [-2.0, 1.0])
    return pd.DataFrame(
        {
            "weight": 70 + 10 * weight,
            "size": pd.Categorical.from_codes(size, categories=SIZES, ordered=True),  # type: ignore[call-overload]
        }
    )


def test_an_ordinal_column_of_a_table() -> None:
    frame = survey(400)
    vae = VAE(
        1,
        encoder=MLP((32,)),
        likelihood={"size": OrderedLogistic(3)},
        training=Training(epochs=80, batch_size=50, learning_rate=5e-3),
        random_state=0,
    ).fit(frame)
    assert "OrderedLogistic(3)" in repr(vae.likelihood_)
    holes = frame.copy()
    holes.loc[:99, "size"] = np.nan
    filled = vae.impute(holes)
    assert filled["size"].dtype == frame["size"].dtype
    assert (filled["size"] == frame["size"])[:100].mean() > 0.65
    drawn = vae.sample(2000)["size"].value_counts(normalize=True)
    assert (drawn - frame["size"].value_counts(normalize=True)).abs().max() < 0.08


def test_words_without_an_order_are_refused() -> None:
    frame = survey(60)
    frame["size"] = frame["size"].astype(str)
    with pytest.raises(SpecError, match=r"column 'size' holds 3 categories, and OrderedLogistic\(3\)"):
        VAE(1, likelihood={"size": OrderedLogistic(3)}).fit(frame)


@pytest.mark.parametrize("family", [OrderedLogistic(17, step=Local()), OrderedLogistic(17, first=Local())])
def test_pixels_of_17_levels(family: OrderedLogistic) -> None:
    """Digits have whole numbers 0 to 16; cut points of each pixel's own."""
    X = (16 * load("digits").X[:200]).round()
    vae = VAE(2, encoder=MLP((32,)), likelihood=family, training=Training(epochs=5), random_state=0).fit(X)
    assert vae.history_[-1]["bound"] > vae.history_[0]["bound"]
    assert (
        family.support_error(vae.sample(5)) is None and family.support_error(vae.reconstruct(X[:5])) is None
    )
