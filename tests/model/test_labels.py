"""Laws of enumerated classes: rates, bounds, imputations and codes are sums over the classes.

Every oracle is a closed form, an enumeration, a quadrature or the same draws taken another way; float64.
"""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from reparam import (
    ELBO,
    IWAE,
    MLP,
    VAE,
    Auxiliary,
    Bernoulli,
    Enumerated,
    Fixed,
    Gaussian,
    Mixture,
    NoLabels,
    Shared,
    SpecError,
    StandardNormal,
    Training,
)
from reparam.distributions import kl
from reparam.evaluation import imputation as impute
from reparam.model.config import ModelConfig
from reparam.model.model import Model
from reparam.training.refit_prior import code_length, codes, refit_prior
from tests.models import Top, X, blind, flat, small

PRIOR_Y = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
SOME = torch.tensor([2, -1, 0])


def with_classes(p: Top | None = None, latent: int = 1) -> Model:
    model = small(p=p, layers=(latent,), labels=Enumerated(3, network=MLP((4,))))
    model.log_prior_y.copy_(PRIOR_Y.log())
    return model


def class_shares(model: Model, y: Tensor | None) -> Tensor:
    """q(y|x), (B, K): one-hot on a labelled row."""
    shares = model.conditioning(X).logits.softmax(-1)
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
            else float((shares[i] * (shares[i] / PRIOR_Y).log()).sum().detach())
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
    loss, zs = term(trace, 0), trace.layers[0].z.detach()
    shares, prior = class_shares(model, y), model.latents.prior()
    beta = term.beta
    assert isinstance(beta, float)
    total = (shares * ((shares.clamp_min(1e-300)) / PRIOR_Y).log()).sum(1) * beta
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


def by_label(columns: int = 4) -> tuple[Model, Tensor]:
    """A decoder that reads the class alone, and its means (K, columns)."""
    model = blind(Gaussian(scale=Fixed(0.8)), columns, labels=Auxiliary(3), has_missing=True)
    means = torch.randn(3, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    likelihood: Any = model.likelihood
    classifier: Any = model.classifier
    with torch.no_grad():
        first, last = likelihood.layer[0][0], likelihood.layer[-1]
        first.weight[:, 2:] = torch.eye(3)
        last.weight.copy_(means.T)
        last.bias.zero_()
        classifier.last.bias.copy_(torch.tensor([2.0, -1.0, 0.0]))
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
    (drawn,) = impute.draws(model, x, None, 2, [0])
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
    found = impute.log_prob_by_cell(model, x, None, 3, 0)
    torch.testing.assert_close(found, expected, equal_nan=True)


@torch.no_grad()
def test_imputation_where_the_decoder_reads_code_and_class() -> None:
    """Weights p(y) p(x_obs|z_s, y) p(z_s) / q(z_s|x) over draws and classes together, the same draws."""
    model = small(likelihood=Gaussian(scale=Shared()), labels=Auxiliary(3), has_missing=True).eval()
    model.log_prior_y.copy_(PRIOR_Y.log())
    x = held_back(20)
    x = x[x.isnan().any(1)]  # rows without gaps are left as they are
    torch.manual_seed(5)
    (layer,) = model(x, samples=7).layers
    drawn, known, log_w, means, cells = layer.z, ~x.isnan(), [], [], []
    for k in range(3):
        code = torch.eye(3).double()[k].expand(7, len(x), 3)
        px = model.likelihood(torch.cat((drawn, code), -1)).base_dist
        each = px.log_prob(x.nan_to_num()) * known
        log_w.append(PRIOR_Y[k].log() + each.sum(-1) + layer.p.log_prob(drawn) - layer.q.log_prob(drawn))
        means.append(px.mean)
        cells.append(each)
    w = torch.cat(log_w).softmax(0)[..., None]
    best = torch.where(known, x, (w * torch.cat(means)).sum(0))
    torch.testing.assert_close(impute.best(model, x, None, 7, 5), best)
    expected = (w * torch.cat(cells)).sum(0).masked_fill(~known, math.nan)
    torch.testing.assert_close(impute.log_prob_by_cell(model, x, None, 7, 5), expected, equal_nan=True)


@torch.no_grad()
def test_scores_of_cells_add_up_to_the_row() -> None:
    """Over the known cells they sum to sum_s w_s log p(x|z_s), the same draws."""
    model = small(Gaussian(), Mixture(Gaussian(), 2), likelihood=Gaussian(scale=Shared()), has_missing=True)
    model.eval()
    x = held_back(12)
    found = impute.log_prob_by_cell(model, x, None, 7, 5).nansum(1)
    torch.manual_seed(5)
    trace = model(x, samples=7)
    torch.testing.assert_close(found, -(trace.log_w().softmax(0) * trace.distortion).sum(0))


def two_places(n: int = 200) -> tuple[Model, Tensor]:
    """q(z|x, y) = N(+-2, 0.3^2) by class, q(y = 1|x) = 0.9 whatever x is."""
    torch.manual_seed(0)
    labels = Enumerated(2, network=MLP((2,)))
    model = Model(
        (3,), ModelConfig((1,), MLP(()), MLP(()), Gaussian(), StandardNormal(), Bernoulli(), labels)
    )
    with torch.no_grad():
        for w in model.parameters():
            w.zero_()
        head: Any = model.latents.q[0].layer
        classifier: Any = model.classifier
        head.weight[0, 3:] = torch.tensor([-2.0, 2.0])
        head.bias[1] = 2 * math.log(0.3)
        classifier.last.bias.copy_(torch.tensor([math.log(0.1), math.log(0.9)]))
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
    model.latents.set_prior(Gaussian(), Gaussian(Fixed(2.0), Fixed(1.0)))
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


@pytest.mark.parametrize("labels", [Auxiliary(2), Enumerated(2), None], ids=repr)
def test_nothing_to_decode_is_refused(labels: object) -> None:
    bits, y = (np.arange(40).reshape(10, 4) % 3 > 0).astype(float), np.arange(10) % 2
    with pytest.raises(SpecError, match=r"latent_dim=0.*labels=Given\(classes\)"):
        VAE(0, labels=labels, training=Training(epochs=1)).fit(bits, None if labels is None else y)  # type: ignore[arg-type]


def test_no_labels_may_be_said() -> None:
    """NoLabels() and None are one model, in Python and in its file."""
    x = (np.random.default_rng(0).random((40, 4)) < 0.5).astype(np.float32)
    said, default = (
        VAE(2, labels=labels, training=Training(epochs=1), random_state=0).fit(x)
        for labels in (NoLabels(), None)
    )
    assert said.labels_ == default.labels_ == NoLabels() and said.classes_ is None
    np.testing.assert_array_equal(said.transform(x), default.transform(x))
