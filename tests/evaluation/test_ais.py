"""How far the figures of `evaluate` can be trusted: closed forms of linear-Gaussian models, and numpy."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import genpareto

from reparam import (
    FSQ,
    VAE,
    Auxiliary,
    Bernoulli,
    CodePrior,
    Enumerated,
    Gaussian,
    Given,
    Mixture,
    PowerSpherical,
    SpecError,
    Sphere,
    Training,
)
from reparam.evaluation.ais import annealed, not_annealable, temperatures
from reparam.evaluation.evaluate import Evaluation, evaluate
from reparam.evaluation.importance import ImportanceWeights, pareto_k
from reparam.evaluation.metrics import calibration_error
from reparam.families import StandardNormal
from reparam.model.config import ModelConfig
from reparam.model.labels import NoLabels
from reparam.model.model import Model
from reparam.nn.networks import MLP
from tests.models import linear_gaussian


@pytest.fixture(autouse=True)
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def distrusted(figures: Evaluation) -> bool:
    return any("effective sample size" in words for words in figures.warnings)


@pytest.mark.parametrize("k", [500, 1000])
@pytest.mark.parametrize("latent", [2, 10, 50])
def test_an_estimate_is_distrusted_where_it_is_wrong(latent: int, k: int) -> None:
    """A q a little too wide or narrow is good enough, one far too wide or narrow rests on few draws."""
    far = 30.0 if latent == 2 else 8.0
    for widened, bad in ((1.2, False), (0.9, False), (0.5, True), (far, True)):
        model, x, exact, _ = linear_gaussian(latent, widened=widened, rows=60)
        figures = evaluate(model, (x, None), k, 0)
        assert distrusted(figures) == bad, (widened, figures.ess, figures.pareto_k)
        off = figures.log_likelihood.mean - float(exact.mean())
        if bad:
            assert off < (-0.02 if latent == 2 else -0.2)
        else:
            assert abs(off) < 0.05
            curve = list(figures.bound_by_k.values())
            assert curve[0] < curve[3] < exact.mean() and curve[0] == pytest.approx(figures.elbo, abs=0.2)


@pytest.mark.parametrize("latent, widened", [(20, 0.75), (60, 1.2)])
def test_a_bound_that_still_rises_is_distrusted(latent: int, widened: float) -> None:
    """More than ten draws count, and the tail is not heavy, but more samples raise the bound."""
    model, x, exact, _ = linear_gaussian(latent, widened=widened, rows=60)
    few, many = (evaluate(model, (x, None), k, 0) for k in (100, 4000))
    assert few.ess > 10 and few.pareto_k < 0.7 and distrusted(few)
    assert few.log_likelihood.mean < float(exact.mean()) - 0.08
    assert many.log_likelihood.mean > float(exact.mean()) - 0.06


def test_weights_in_pieces_are_the_weights_at_once() -> None:
    rng = np.random.default_rng(0)
    log_w = 2 * rng.normal(size=(537, 4)) - 1000
    kept = ImportanceWeights(537)
    for piece in np.split(log_w, [1, 90, 91, 300]):
        kept.add(torch.tensor(piece))
    for m, ours in kept.by_k().items():
        groups = log_w[: 537 // m * m].reshape(-1, m, 4)
        np.testing.assert_allclose(ours, (logsumexp(groups, axis=1) - math.log(m)).mean(0))
    assert list(kept.by_k()) == [1, 2, 5, 10, 20, 50, 100, 200, 500, 537]
    w = np.exp(log_w - log_w.max(0))
    np.testing.assert_allclose(kept.sums.size, w.sum(0) ** 2 / (w**2).sum(0))
    assert len(kept.tail) < 5 * 3 * math.sqrt(537)


@pytest.mark.parametrize("shape", [-0.5, 0.1, 0.7, 1.5])
def test_pareto_k_finds_the_shape_of_a_pareto_law(shape: float) -> None:
    x = genpareto(shape).rvs((2001, 20), random_state=0)
    x[0] = 0
    with np.errstate(divide="ignore"):
        found = pareto_k(torch.tensor(np.log(x + 1.0)))
    assert float(found.mean()) == pytest.approx(shape, abs=0.05)


def test_rate_in_its_parts() -> None:
    """An exact q aggregates to the prior: the rate is the mutual information of x and z, in closed form."""
    model, x, _, information = linear_gaussian(2, widened=1.0, noise=0.7, rows=1000)
    figures = evaluate(model, (x, None), 20, 0)
    assert sum(figures.rate_by_dimension) == pytest.approx(figures.rate) == sum(figures.rate_by_layer)
    assert figures.mutual_information + figures.aggregate_kl == pytest.approx(figures.rate, abs=0.1)
    assert figures.mutual_information == pytest.approx(information, abs=0.15)
    assert abs(figures.aggregate_kl) < 0.1 and figures.prior_auc < 0.6
    assert figures.active_by_kl == figures.active_units == 2
    assert not figures.warnings


def test_calibration_error_of_guesses_as_sure_as_they_are_right() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.5, 1, 50_000)
    right = rng.random(50_000) < p
    logits, truth = torch.tensor(np.log([p, 1 - p])).T, torch.tensor(~right).long()
    assert calibration_error(logits, truth) < 0.01
    sure = torch.where(logits > math.log(0.5), 50.0, 0.0)
    assert calibration_error(sure, truth) == pytest.approx(1 - right.mean(), abs=1e-6)


@pytest.mark.parametrize(("latent", "noise", "steps"), [(2, 0.7, 60), (10, 1.0, 100), (50, 3.0, 60)])
def test_annealing_meets_the_closed_form_and_holds_it(latent: int, noise: float, steps: int) -> None:
    model, x, exact, _ = linear_gaussian(latent, widened=1.0, noise=noise, rows=60)
    found = annealed(model, x, None, steps, 0, rows=20, chains=16)
    kept = np.linspace(0, len(x) - 1, 20).round().astype(int)
    assert abs(found.log_likelihood - exact[kept].mean()) < 0.05
    assert found.lower - 0.03 < found.upper and found.gap == pytest.approx(found.upper - found.lower)
    assert 0.5 < found.acceptance < 0.95


def test_annealing_asks_nothing_of_q() -> None:
    model, x, exact, _ = linear_gaussian(2, widened=30.0, rows=60)
    found = annealed(model, x[:20], None, 100, 0, chains=16)
    assert abs(found.log_likelihood - exact[:20].mean()) < 0.05
    assert temperatures(5)[[0, -1]].tolist() == [0.0, 1.0] and (temperatures(5).diff() > 0).all()


@pytest.mark.parametrize("head", [Given(2), Auxiliary(2)], ids=repr)
def test_annealing_under_labels_and_a_ladder_meets_draws_of_the_prior(head) -> None:
    """log mean p(x|z) over 20,000 draws of the prior, summed over classes where y is not given."""
    torch.manual_seed(0)
    parts = ModelConfig((2, 2), MLP((8,)), MLP((8,)), Gaussian(), StandardNormal(), Bernoulli(), head)
    model = Model((6,), parts).eval()
    x, y = (torch.rand(20, 6) < 0.5).double(), torch.arange(20) % 2
    with torch.no_grad():
        state = model.prior_state(20_000).swapaxes(0, 1)
        each = [model.decode(state, head.code(torch.tensor([c]))).log_prob(x).exp().mean(0) for c in range(2)]
    p = torch.where(y == 0, *each) if isinstance(head, Given) else torch.stack(each).mean(0)
    found = annealed(model, x, y if isinstance(head, Given) else None, 30, 0)
    assert found.log_likelihood == pytest.approx(float(p.log().mean()), abs=0.05)


def test_the_columns_of_a_table_share_its_distortion() -> None:
    torch.set_default_dtype(torch.float32)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"age": rng.normal(40, 9, 200), "paid": rng.random(200), "sex": rng.choice(["f", "m"], 200)}
    )
    vae = VAE(2, training=Training(epochs=3), random_state=0).fit(frame)
    shares = vae.evaluate(frame, k=20).distortion_by_column
    assert list(shares) == ["age", "paid", "sex"]
    assert sum(shares.values()) == pytest.approx(vae.evaluate(frame, k=20).distortion, rel=1e-4)
    told = VAE(0, labels=Given(2), training=Training(epochs=1), random_state=0).fit(frame, frame["sex"])
    found = told.evaluate(frame, frame["sex"], k=20)
    assert sum(found.distortion_by_column.values()) == pytest.approx(found.distortion, rel=1e-4)
    holed = VAE(2, training=Training(epochs=3), random_state=0).fit(frame.mask(rng.random((200, 3)) < 0.3))
    assert all(np.isfinite(share) for share in holed.evaluate(frame, k=20).distortion_by_column.values())


def test_annealing_refuses_what_has_no_gradients() -> None:
    def made(latent_dim, **parts) -> Model:
        rest = {"posterior": Gaussian(), "prior": StandardNormal(), "labels": NoLabels()} | parts
        return Model((4,), ModelConfig(latent_dim, MLP((8,)), MLP((8,)), likelihood=Bernoulli(), **rest))

    assert "Leave ais out" in not_annealable(made((), labels=Given(2)))
    assert "raise k" in not_annealable(made((3,), posterior=FSQ(), prior=CodePrior()))
    assert "classes" in not_annealable(made((4,), labels=Enumerated(2)))
    sphere = not_annealable(made((4,), posterior=PowerSpherical(), prior=Sphere()))
    assert sphere is not None and "not all of R^L" in sphere
    assert not_annealable(made((4,))) is None
    assert not_annealable(made((4,), prior=Mixture(Gaussian(), 3))) is None


def test_the_face_gives_annealing_and_refuses_it() -> None:
    torch.set_default_dtype(torch.float32)
    X = (np.random.default_rng(0).random((30, 6)) < 0.5).astype(float)
    vae = VAE(2, training=Training(epochs=2), random_state=0).fit(X)
    found = vae.evaluate(X, k=50, ais=20).ais
    assert found.n == 30 and found.steps == 20 and found == vae.evaluate(X, k=10, ais=20).ais
    coded = VAE(3, posterior=FSQ(), training=Training(epochs=1), random_state=0).fit(X)
    with pytest.raises(SpecError, match="codes have no gradients"):
        coded.evaluate(X, ais=20)
    with pytest.raises(SpecError, match="1 or more"):
        vae.evaluate(X, ais=0)
