"""Columns that depend on the columns before them: one density, whatever is missing, and samples of it."""

import copy
import pickle
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from reparam import VAE, Training
from reparam.distributions import Chain, blend, elementwise_log_prob, log_prob_of, marginals, mean_of
from reparam.evaluation import imputation
from reparam.families import Bernoulli, Categorical, Columns, Gaussian, Quantile
from tests.parts import head

LEVELS = (3, 2, 3, 2)
TABLE = Columns((Categorical(3), Bernoulli(), Categorical(3), Categorical(2)), context=5)
"""Groups that are not next to each other, so that order matters."""
EVERY = torch.tensor(list(product(*map(range, LEVELS))), dtype=torch.float64)


def law(family: Columns = TABLE, batch: int = 2) -> tuple[Any, Tensor]:
    """A head whose columns depend on each other strongly, and raw numbers (batch, n)."""
    torch.manual_seed(0)
    held, n = head(family, (len(family.families),))
    torch.nn.init.normal_(held.context.write)
    return held.double().eval(), torch.randn(batch, n, dtype=torch.float64)


def by_hand(held: Any, raw: Tensor, x: Sequence[int], place: Sequence[int]) -> float:
    """log p(x_j, j in place) by numpy, each column given those at earlier places."""
    context, total, hidden = held.context, 0.0, raw[-5:].numpy()
    read, write, bias = (each.detach().numpy() for each in (context.read, context.write, context.bias))
    groups = list(held.family.groups.values())
    group_of = {j: (g, columns.index(j), len(columns)) for g, columns in enumerate(groups) for j in columns}
    starts = np.cumsum([0, *held.sizes])
    levels = [
        1 if size == len(columns) else LEVELS[columns[0]]
        for size, columns in zip(held.sizes, groups, strict=True)
    ]
    firsts = np.cumsum([0, *(k * len(columns) for k, columns in zip(levels, groups, strict=True))])
    for step, j in enumerate(place):
        a = hidden.copy()
        for i in place[:step]:
            g, at, n = group_of[i]
            seen = np.array([x[i]]) if levels[g] == 1 else np.eye(levels[g])[x[i]]
            a += seen @ read[firsts[g] : firsts[g + 1]].reshape(-1, n, 5)[:, at] + bias[i]
        a = a / (1 + np.exp(-a))
        g, at, n = group_of[j]
        own = slice(starts[g], starts[g + 1])
        logits = raw[own].reshape(-1, n)[:, at].numpy() + write[own].reshape(-1, n, 5)[:, at] @ a
        logits = np.array([0.0, logits[0]]) if len(logits) == 1 else logits
        total += logits[x[j]] - np.log(np.exp(logits).sum())
    return float(total)


def test_conditionals_multiply_to_the_joint() -> None:
    held, raw = law()
    with torch.no_grad():
        p = held(raw)
        log_p = p.log_prob(EVERY[:, None])
        cells = elementwise_log_prob(p, EVERY[:, None])
    wanted = [[by_hand(held, each, x, range(4)) for each in raw] for x in EVERY.long().tolist()]
    np.testing.assert_allclose(log_p, wanted, rtol=1e-6)
    np.testing.assert_allclose(cells.sum(-1), log_p, rtol=1e-12)
    np.testing.assert_allclose(log_p.exp().sum(0), 1.0, rtol=1e-6)
    apart = marginals(p).log_prob(EVERY[:, None])
    assert (log_p - apart).abs().max() > 1, "the columns depend on each other"


def test_missing_cells_come_last() -> None:
    """p(observed) is that of a chain over the observed, and p(missing | observed) sees all of them."""
    held, raw = law()
    for x in EVERY[::5].long().tolist():
        rows = torch.tensor([x], dtype=torch.float64)
        rows[:, [0, 2]] = torch.nan
        with torch.no_grad():
            p = held(raw, rows)
            mask = ~rows.isnan()
            seen = log_prob_of(p, rows.nan_to_num(0.0), mask)
            cells = elementwise_log_prob(p, torch.tensor([x], dtype=torch.float64))
        for i, each in enumerate(raw):
            observed = by_hand(held, each, x, [1, 3])
            np.testing.assert_allclose(seen[i], observed, rtol=1e-6)
            for j in (0, 2):
                alone = by_hand(held, each, x, [1, 3, j]) - observed
                np.testing.assert_allclose(cells[i, j], alone, rtol=1e-5)


@pytest.mark.parametrize("known", [(), (1, 3), (2,)])
def test_samples_follow_the_chain(known: tuple[int, ...]) -> None:
    held, raw = law(batch=1)
    rows = torch.full((1, 4), torch.nan, dtype=torch.float64)
    for j in known:
        rows[:, j] = 1.0
    order = [*known, *(j for j in range(4) if j not in known)]
    torch.manual_seed(1)
    drawn = held(raw, rows if known else None).sample(torch.Size((20_000,)))[:, 0]
    assert drawn.is_floating_point(), "NaN is a missing cell, where all columns are categories too"
    assert all((drawn[:, j] == 1).all() for j in known)
    given = by_hand(held, raw[0], [1] * 4, list(known))
    for x in EVERY.long().tolist():
        if any(x[j] != 1 for j in known):
            continue
        p = np.exp(by_hand(held, raw[0], x, order) - given)
        found = (drawn == torch.tensor(x)).all(-1).double().mean().item()
        assert abs(found - p) < 5 * np.sqrt(p * (1 - p) / 20_000) + 1e-4


def test_the_point_prediction_sees_what_is_observed() -> None:
    family = Columns((Gaussian(), Gaussian(), Categorical(2)), context=4)
    held, raw = law(family)
    rows = torch.tensor([[torch.nan, 1.5, 1.0]], dtype=torch.float64)
    with torch.no_grad():
        p, alone = held(raw, rows), held(raw)
    assert (mean_of(p)[:, 1:] == mean_of(alone)[:, 1:]).all()
    assert (mean_of(p)[:, 0] != mean_of(alone)[:, 0]).all()
    weights = torch.full((1, 2), 0.5, dtype=torch.float64).T
    with torch.no_grad():
        blended = blend(held(raw[:, None], rows), weights)
        np.testing.assert_allclose(blended[0, 0], mean_of(held(raw[:, None], rows))[:, 0, 0].mean())


def test_training_sees_any_columns_and_everything_learns() -> None:
    held, raw = law(Columns((Quantile(), Gaussian(), Quantile(), Bernoulli()), context=5), batch=4000)
    held.train()
    torch.manual_seed(0)
    x = torch.rand(4000, 4, dtype=torch.float64).round()
    seen = held.context.seen(~x.isnan()).double().mean(0)
    off = ~torch.eye(4, dtype=torch.bool)
    np.testing.assert_allclose(
        seen[off], 3 / 8, atol=0.03, err_msg="half come before, a quarter of them hidden"
    )
    assert (seen.diagonal() == 0).all()
    raw.requires_grad_()
    held(raw, x).log_prob(x).mean().backward()
    assert raw.grad is not None and (raw.grad.abs().sum(0) > 0).all()
    assert all((p.grad is not None) and (p.grad.abs().sum() > 0) for p in held.context.parameters())


def test_it_starts_with_independent_columns() -> None:
    held, n = head(TABLE, (4,))
    raw = torch.randn(3, n)
    with torch.no_grad():
        p = held(raw)
        assert isinstance(p, Chain)
        x = EVERY.float()[:, None]
        torch.testing.assert_close(p.log_prob(x), marginals(p).log_prob(x))


def test_imputation_agrees_with_quadrature() -> None:
    """p(x_miss | x_obs) = int p(z) p(x_obs|z) p(x_miss | x_obs, z) dz / int p(z) p(x_obs|z) dz."""
    rng = np.random.default_rng(0)
    a = rng.integers(0, 3, 300)
    frame = pd.DataFrame({"a": a, "b": (a + rng.integers(0, 2, 300)) % 3, "c": rng.integers(0, 2, 300)})
    family = Columns((Categorical(3), Categorical(3), Categorical(2)), context=8)
    vae = VAE(1, likelihood=family, training=Training(epochs=15), random_state=0).fit(frame.to_numpy(float))
    model = vae.model_.double().eval()
    x = torch.tensor([[1.0, torch.nan, 0.0], [2.0, torch.nan, torch.nan]], dtype=torch.float64)
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    z = torch.tensor(nodes)[:, None, None]
    w = torch.tensor(weights / weights.sum())
    with torch.no_grad():
        for row in x:
            p = model.decode(z, None, row[None])
            posterior = (
                w.log() + log_prob_of(p, row.nan_to_num(0.0)[None], ~row.isnan()[None])[:, 0]
            ).softmax(0)
            full = row.nan_to_num(0.0)[None]
            each = [elementwise_log_prob(p, full.index_fill(1, torch.tensor([1]), v)) for v in range(3)]
            odds = torch.stack([log_p[:, 0, 1].exp() for log_p in each])
            wanted = odds @ posterior
            (drawn,) = imputation.draws(model, row[None].expand(4000, 3), None, 50, [0])
            found = torch.stack([(drawn[:, 1] == v).double().mean() for v in range(3)])
            np.testing.assert_allclose(found, wanted, atol=0.03)
            assert imputation.best(model, row[None], None, 500, 0)[0, 1] == wanted.argmax()


def test_between_epochs_nothing_is_hidden_and_a_copy_has_its_own_margins() -> None:
    frame = pd.DataFrame({"a": np.linspace(0, 1, 80) ** 2, "b": 30 + 20 * np.cos(np.arange(80.0))})
    vae = VAE(1, training=Training(epochs=2, missing=0.0), random_state=0)
    assert not any(vae.model_.training for _ in vae.fit_iter(frame))
    held = vae.score_samples(frame)
    again = pickle.loads(pickle.dumps(vae))
    np.testing.assert_array_equal(again.score_samples(frame), held)
    other = copy.deepcopy(vae.model_)
    other.load_state_dict({name: 2 * t for name, t in vae.model_.state_dict().items()})
    np.testing.assert_array_equal(vae.score_samples(frame), held)
    x, twice = torch.tensor([[0.5, 20.0]]), torch.tensor([[1.0, 40.0]])
    torch.testing.assert_close(
        other.likelihood.standardised(twice), 2 * vae.model_.likelihood.standardised(x)
    )


def test_a_column_that_another_determines_is_drawn_so() -> None:
    rng = np.random.default_rng(0)
    city = rng.choice(["Bath", "Lyon", "Oslo", "Riga", "Rome", "Turin"], 600)
    country = pd.Series(city).map(
        {"Bath": "UK", "Lyon": "FR", "Oslo": "NO", "Riga": "LV", "Rome": "IT", "Turin": "IT"}
    )
    size = rng.normal(size=600)
    frame = pd.DataFrame({"city": city, "size": size, "country": country, "twice": 2 * size})
    vae = VAE(2, training=Training(epochs=120, missing=0.0), random_state=0).fit(frame)
    drawn = vae.sample(500, random_state=0)
    pairs = set(zip(city, country, strict=True))
    right = np.mean([pair in pairs for pair in zip(drawn.city, drawn.country, strict=True)])
    assert right > 0.95
    assert np.corrcoef(drawn["size"], drawn.twice)[0, 1] > 0.98
    filled = vae.impute(frame.assign(country=None))
    assert (filled.country == country).mean() > 0.99
