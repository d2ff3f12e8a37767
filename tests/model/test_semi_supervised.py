"""Classes that are enumerated or auxiliary: log p(x) against quadrature, and a gain from unlabelled rows."""

import math

import numpy as np
import pytest
import torch

from reparam import ELBO, IWAE, MLP, VAE, Auxiliary, CrossEntropy, Enumerated, Training
from reparam.data.load import load
from tests.models import X, small


def test_enumerated_evidence_by_hand() -> None:
    """log p(x) = log sum_y p(y) p(x|y), and -log p(x, y) where y is known: bounds below, and they meet."""
    model = small(layers=(1,), labels=Enumerated(3, network=MLP((4,))))
    model.log_prior_y.copy_(torch.tensor([0.5, 0.3, 0.2]).log())
    z = torch.linspace(-9, 9, 4001, dtype=torch.float64)
    normal = torch.distributions.Normal(0, 1).log_prob(z)[:, None]
    codes = torch.eye(3, dtype=torch.float64)
    with torch.no_grad():
        each = torch.stack(
            [
                torch.logsumexp(model.decode(z[:, None, None], c[None, None]).log_prob(X) + normal, 0)
                + math.log(float(z[1] - z[0]))
                for c in codes
            ]
        )
        joint = each + model.log_prior_y[:, None]
        exact = torch.logsumexp(joint, 0)
        y = torch.tensor([2, -1, 0])
        torch.manual_seed(0)
        for labels, truth in (
            (None, exact),
            (y, torch.where(y < 0, exact, joint.gather(0, y.clamp_min(0)[None])[0])),
        ):
            trace = model(X, labels, samples=400_000)
            estimate = torch.logsumexp(trace.log_w(), 0) - math.log(3 * 400_000)
            torch.testing.assert_close(estimate, truth, atol=0.03, rtol=0)
            assert (trace.bound <= truth + 0.02).all()


def test_bound_weight_scales_the_classifiers_gradient() -> None:
    """And nothing else: the loss is the same number, the other gradients too."""
    y = torch.tensor([2, -1, 0])
    found = []
    for weight in (None, 0.25, 0.0):
        model = small(layers=(1,), labels=Enumerated(3, network=MLP((4,)), bound_weight=weight))
        torch.manual_seed(0)
        loss = ELBO()(model(X, y), 0)
        loss.backward()
        found.append((loss.detach(), {name: p.grad for name, p in model.named_parameters()}))
    whole, each = found[0]
    assert any("classifier" in name for name in each)
    for weight, (loss, slopes) in zip((0.25, 0.0), found[1:], strict=True):
        assert loss == whole
        for name, slope in each.items():
            assert slope is not None and slope.abs().sum() > 0
            share = weight if "classifier" in name else 1.0
            torch.testing.assert_close(slopes[name], share * slope)


def test_the_default_objective_weighs_the_bound_for_the_classifier() -> None:
    rows = np.random.default_rng(0).random((40, 4))
    y = np.arange(40) % 3 - 1
    own = (ELBO(), CrossEntropy(1.0))
    for weight, objective, resolved in (
        (None, None, 0.1),
        (None, own, None),
        (0.5, own, 0.5),
        (1.0, None, 1.0),
    ):
        labels = Enumerated(2, bound_weight=weight)
        vae = VAE(2, labels=labels, objective=objective, training=Training(epochs=1), random_state=0)
        assert vae.fit(rows, y).config_.model.labels == Enumerated(2, bound_weight=resolved)


@pytest.mark.slow
def test_semi_supervised_labels_help() -> None:
    """With 50 labels of 1,437 digits M2's classifier beats logistic regression on the 50."""
    from sklearn.linear_model import LogisticRegression

    data, test = load("digits:train"), load("digits:test")
    rng = np.random.default_rng(0)
    known = np.concatenate([rng.choice(np.flatnonzero(data.y == k), 5, replace=False) for k in range(10)])
    y = np.full(len(data.y), -1)
    y[known] = data.y[known]
    vae = VAE(
        8,
        labels=Enumerated(10, network=MLP((128,))),
        encoder=MLP((128,)),
        objective=(ELBO(), CrossEntropy(300.0)),
        training=Training(epochs=60, batch_size=100, learning_rate=2e-3),
        random_state=0,
    ).fit(data.X, y)
    alone = LogisticRegression(max_iter=2000).fit(data.X[known].reshape(50, -1), y[known])
    ours, theirs = (
        (vae.predict(test.X) == test.y).mean(),
        alone.score(test.X.reshape(len(test.X), -1), test.y),
    )
    assert ours > theirs + 0.02
    assert vae.sample(3, label=7).shape == (3, 8, 8)
    assert np.isfinite(vae.score_samples(test.X[:5])).all()


def test_auxiliary_with_iwae() -> None:
    data = load("digits")
    X, y = data.X[:200], data.y[:200]
    vae = VAE(3, labels=Auxiliary(10), objective=(IWAE(3), CrossEntropy(10)), training=Training(epochs=3))
    vae.set_params(random_state=0).fit(X, y)
    assert vae.history_[-1]["bound"] > vae.history_[0]["bound"]


def test_class_frequencies_are_shrunk_as_far_as_chance_explains_them() -> None:
    """The intensity is the estimated variance of the frequencies over their squared distance from 1 / K: of
    multinomial counts of equal classes it is about 1, and it falls as 1 / n where classes differ."""
    head = Enumerated(3)
    counts = torch.tensor([30.0, 6.0, 4.0]).double()
    p, n = counts / 40, 40
    variance = (p * (1 - p) / (n - 1)).sum()
    share = variance / (p - 1 / 3).square().sum()
    torch.testing.assert_close(head.frequencies(counts), share / 3 + (1 - share) * p)
    generator = torch.Generator().manual_seed(0)
    equal = torch.multinomial(torch.ones(500, 3), 12, True, generator=generator)
    drawn = torch.stack([torch.bincount(row, minlength=3) for row in equal]).double()
    error = torch.stack([head.frequencies(row) for row in drawn]).sub(1 / 3).square().sum(1).mean()
    assert error < 0.4 * (drawn / 12 - 1 / 3).square().sum(1).mean()
    many = 1000 * counts
    torch.testing.assert_close(head.frequencies(many), p, atol=1e-4, rtol=0)


def test_class_frequencies_of_no_label_are_uniform() -> None:
    torch.testing.assert_close(
        Enumerated(4).frequencies(torch.zeros(4).double()), torch.full((4,), 0.25).double()
    )
