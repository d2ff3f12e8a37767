"""Laws of numbers: units, holes, single precision, mixed precision.

Every oracle is a closed form, an enumeration, a quadrature or the same draws taken another way; float64.
"""

import math
from typing import Any

import numpy as np
import pytest
import torch

from reparam import (
    MLP,
    VAE,
    Gaussian,
    LogScale,
    LogVariance,
    Shared,
    Training,
    distributions,
)
from reparam.families import Local
from reparam.families.sources import Link
from tests.models import blind


@pytest.mark.parametrize("scale", [Shared(), Local()], ids=repr)
def test_a_learned_scale_has_a_floor(scale: object) -> None:
    """1e-3 standard deviations of the data, however small the raw number; 1e-6 of the size of a constant."""
    model = blind(Gaussian(scale=scale), 3)  # type: ignore[arg-type]
    x = torch.randn(500, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x = torch.stack((50 * x[:, 0] + 9, x[:, 1] / 20, torch.full((500,), 7.0).double()), -1)
    model.start(x)
    head: Any = model.likelihood
    with torch.no_grad():
        for w in model.parameters():
            w.fill_(-500.0 if w is head.shared.get("scale", None) else 0.0)
        if isinstance(scale, Local):
            head.layer[-1].bias[3:] = -500.0
        px = model(x[:4]).px
    sd = torch.tensor([float(x[:, 0].std(correction=0)), float(x[:, 1].std(correction=0)), 7e-3]).double()
    torch.testing.assert_close(px.variance.sqrt()[0, 0], 1e-3 * sd)
    ceiling = -math.log(7e-6) - 0.5 * math.log(2 * math.pi)
    assert float(px.base_dist.log_prob(x[:4])[..., 2].max()) == pytest.approx(ceiling)


@pytest.mark.parametrize(
    ("link", "power", "top"),
    [(LogScale(), 1.0, 10.0), (LogVariance(), 0.5, 4.0), (LogVariance(0.01), 0.5, 4.0)],
)
def test_an_odd_row_makes_no_scale_infinite(link: Link, power: float, top: float) -> None:
    raw = torch.tensor([-3.0, top - 1, top + 1, 1e6], requires_grad=True)
    scale = link(raw)
    floor = getattr(link, "floor", 0.0)
    torch.testing.assert_close(scale[:2], ((2 * power * raw[:2]).exp() + floor).sqrt())
    (slope,) = torch.autograd.grad(scale.sum(), raw)
    assert scale[-1] < 1e11 and (slope > 0).all() and (scale.diff() > 0).all()


@pytest.mark.parametrize(("link", "power"), [(LogScale(), 1.0), (LogVariance(), 0.5)])
def test_the_logarithm_of_a_tiny_scale_is_finite(link: Link, power: float) -> None:
    """Where e^a would be 0 in single precision, too; the gradient leads back."""
    raw = torch.tensor([-1e6, -300.0, -62 / power, -29 / power, -3.0], requires_grad=True)
    logs = link(raw).log()
    torch.testing.assert_close(logs[3:], power * raw[3:])
    (slope,) = torch.autograd.grad(logs.sum(), raw)
    assert logs.isfinite().all() and (logs.diff() > 0).all() and (slope > 0).all()


def test_a_constant_column_does_not_run_away() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(200, 2)), np.full(200, 3.0)])
    training = Training(epochs=30, batch_size=50, learning_rate=0.1)
    vae = VAE(1, encoder=MLP((8,)), training=training, random_state=0).fit(X)
    ceiling = -math.log(3e-6) - 0.5 * math.log(2 * math.pi)
    cells = vae.score_cells(X)
    assert np.isfinite(cells).all() and (cells[:, 2] <= ceiling + 1e-4).all()


def test_holes_enter_as_zero_in_standard_units() -> None:
    rng = np.random.default_rng(0)
    full = rng.normal(size=(200, 3)) * [1.0, 20.0, 0.1] + [100.0, -50.0, 7.0]
    x = torch.tensor(np.where(rng.random(full.shape) < 0.3, np.nan, full))
    model = blind(Gaussian(scale=Shared()), 3, has_missing=True)
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
