"""Laws of figures: nats, bits, active units, the bound that training shows; columns add up.

Every oracle is a closed form, an enumeration, a quadrature or the same draws taken another way; float64.
"""

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from reparam import (
    ELBO,
    IWAE,
    MIWAE,
    MLP,
    Auxiliary,
    Bernoulli,
    Enumerated,
    Fixed,
    Gaussian,
    LatentNorm,
    StandardNormal,
    Term,
    Training,
)
from reparam.evaluation.evaluate import evaluate
from reparam.evaluation.metrics import distortion_by_cell
from reparam.model.config import ModelConfig
from reparam.model.label_head import LabelHead
from reparam.model.labels import NoLabels
from reparam.model.model import Model
from reparam.training.trainer import Progress, Trainer
from tests.models import X, blind, small


def test_evaluation_in_nats_and_bits() -> None:
    """log p(x) = sum over known cells of log N(x_j; b_j, 1/2); 300 rows fill three passes unevenly."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 6)) * 3
    x[rng.random(x.shape) < rng.random((300, 1))] = np.nan
    model = blind(Gaussian(scale=Fixed(0.5)), 6, has_missing=True)
    each = -0.5 * ((x - np.linspace(-1, 2, 6)) / 0.5) ** 2 - math.log(0.5) - 0.5 * math.log(2 * math.pi)
    exact = np.nansum(each, 1)
    known = (~np.isnan(x)).sum(1).mean()
    found = evaluate(model, (torch.tensor(x), None), 3, 0, names=list("abcdef"))
    assert found.log_likelihood is not None and found.log_likelihood.se is not None
    assert (found.n, found.k) == (300, 3)
    assert found.log_likelihood.mean == pytest.approx(exact.mean(), rel=1e-9)
    assert found.log_likelihood.se == pytest.approx(exact.std(ddof=1) / math.sqrt(300), rel=1e-9)
    assert found.bits_per_dim == pytest.approx(-exact.mean() / known / math.log(2), rel=1e-9)
    assert found.distortion == pytest.approx(-exact.mean(), rel=1e-9)
    assert found.elbo == pytest.approx(exact.mean(), rel=1e-9) and found.rate == pytest.approx(0, abs=1e-12)
    assert found.ess == pytest.approx(3)
    by_column = [found.distortion_by_column[name] for name in "abcdef"]
    np.testing.assert_allclose(by_column, -np.nanmean(each, 0), rtol=1e-9)
    one = evaluate(model, (torch.tensor(x[:1]), None), 3, 0)
    assert one.log_likelihood is not None and one.log_likelihood.se is None


def test_print_shows_the_main_figures_with_units_and_the_warnings() -> None:
    rows = torch.zeros(40, 6, dtype=torch.float64)
    found = evaluate(blind(Gaussian(scale=Fixed(0.5)), 6), (rows, None), 5, 0)
    found = replace(found, warnings=("ill",))
    first, *lines, last = str(found).splitlines()
    assert first == "40 rows, k = 5" and last == "warning: ill"
    figures = dict(re.split(r" {2,}", line, maxsplit=1) for line in lines)
    assert figures["log-likelihood"] == f"{found.log_likelihood} nats"
    assert figures["ELBO"] == f"{found.elbo:.2f} nats" and figures["active units"] == str(found.active_units)
    assert "accuracy" not in figures and "bound_by_k" in repr(found)


def test_a_unit_is_active_above_one_hundredth() -> None:
    """Posterior means c_i x_i of standardised columns: variances 0.0081, 0.0099, 0.0101, 0.0121, 1."""
    wanted = torch.tensor([0.0081, 0.0099, 0.0101, 0.0121, 1.0], dtype=torch.float64)
    parts = ModelConfig((5,), MLP(()), MLP(()), Gaussian(), StandardNormal(), Gaussian(scale=Fixed(1.0)))
    model = Model((5,), parts).double().eval()
    torch.manual_seed(0)
    x = torch.randn(400, 5).double()
    x = (x - x.mean(0)) / x.std(0)
    with torch.no_grad():
        head: Any = model.latents.q[0].layer
        head.weight.copy_(torch.cat((torch.diag(wanted.sqrt()), torch.zeros(5, 5))))
        head.bias.zero_()
    assert evaluate(model, (x, None), 2, 0).active_units == 3


def test_grey_pixels_are_switched_on_where_the_number_is_a_likelihood() -> None:
    """All pixels 1/2: the grey expectation is the same for every row; log p(x) is sum_j s_j b_j - c,
    s_j fair coins, with variance sum b_j^2 / 4."""
    n, pixels = 1000, 8
    model = blind(Bernoulli(grey="expected"), pixels)
    x, b = torch.full((n, pixels), 0.5, dtype=torch.float64), np.linspace(-1, 2, pixels)
    grey = (0.5 * b - np.log1p(np.exp(b))).sum()
    found = evaluate(model, (x, None), 2, 0)
    assert found.distortion == pytest.approx(-grey) and found.elbo == pytest.approx(grey)
    assert found.log_likelihood is not None and found.log_likelihood.se is not None
    spread = math.sqrt((b**2).sum() / 4)
    assert found.log_likelihood.se == pytest.approx(spread / math.sqrt(n), rel=0.1)
    assert 1e-6 < abs(found.log_likelihood.mean - grey) < 4.5 * spread / math.sqrt(n)
    assert any("binarised at random" in words for words in found.warnings)
    bits = torch.tensor([[0.0, 1.0] * 4], dtype=torch.float64).expand(20, 8)
    same = evaluate(model, (bits, None), 2, 0)
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


@pytest.mark.parametrize("labels", [NoLabels(), Enumerated(3)], ids=repr)
def test_columns_add_up_to_the_distortion(labels: LabelHead) -> None:
    model = small(labels=labels).eval()
    found = evaluate(model, (X, None), 2, 0, names=list("abcd"))
    assert sum(found.distortion_by_column.values()) == pytest.approx(found.distortion)


def test_columns_beside_a_classifier_are_of_the_classes_in_their_shares() -> None:
    """-sum_y p(y|x, z) log p(x_j|z, y), p(y|x, z) = p(y) p(x|z, y) / sum_y', a class at a time."""
    model = small(labels=Auxiliary(3)).eval()
    trace = model(X, samples=2)
    codes = torch.eye(3, dtype=X.dtype)
    decoded: list[Any] = [model.decode(trace.state, code[None, None]) for code in codes]
    each = torch.stack([px.base_dist.log_prob(X) for px in decoded])
    joint = each.sum(-1) + model.log_prior_y[:, None, None]
    shares = joint.exp() / joint.exp().sum(0)
    expected = -(shares[..., None] * each).sum(0).mean(0)
    torch.testing.assert_close(distortion_by_cell(trace), expected)
    torch.testing.assert_close(-joint.exp().sum(0).log().mean(0), -trace.average(trace.log_likelihood))
