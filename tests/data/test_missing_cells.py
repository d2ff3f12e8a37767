"""Which cells of a table are missing is learned, drawn, and no part of log p(x)."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from reparam import VAE, Categorical, Columns, Gaussian, SpecError, Training, load
from reparam.cli.main import app
from reparam.distributions import log_missing, sample_with_missing
from reparam.families import Likelihood
from reparam.families.missing import GAIN
from reparam.nn.networks import MLP
from reparam.specs.parse import parse
from tests.parts import head

ROWS = 1200


def holed() -> pd.DataFrame:
    """a and b are missing together, c where z is large, e never."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=ROWS)
    table = pd.DataFrame(
        {
            "a": z + 0.3 * rng.normal(size=ROWS),
            "b": np.exp(z),
            "c": rng.choice(list("xyz"), ROWS),
            "d": pd.array(rng.integers(0, 50, ROWS), "Int64"),
            "e": z - rng.normal(size=ROWS),
        }
    )
    table.loc[rng.random(ROWS) < 0.3, ["a", "b"]] = np.nan
    table.loc[z > 1, "c"] = None
    table.loc[rng.random(ROWS) < 0.1, "d"] = pd.NA
    return table


@pytest.fixture(scope="module")
def fitted() -> VAE:
    training = Training(epochs=60, batch_size=100)
    return VAE(3, encoder=MLP((64,)), training=training, random_state=0).fit(holed())


def test_cells_are_missing_as_often_and_together_as_in_training(fitted: VAE) -> None:
    drawn, table = fitted.sample(4000, random_state=0).isna(), holed().isna()
    assert list(drawn.mean()) == pytest.approx(list(table.mean()), abs=0.04)
    assert not drawn.e.any()
    both = (drawn.a & drawn.b).mean() / drawn.a.mean()
    assert both > 0.6
    high = fitted.sample(4000, random_state=1)
    assert high.c[high.e > 1.5].isna().mean() > 2 * high.c[high.e < 0].isna().mean()


def test_types_are_those_of_the_table(fitted: VAE) -> None:
    drawn, table = fitted.sample(50, random_state=0), holed()
    assert (drawn.dtypes == table.dtypes).all() and drawn.d.isna().any()


def test_none_is_missing_where_that_is_asked(fitted: VAE) -> None:
    assert not fitted.sample(500, missing=False, random_state=0).isna().any().any()
    assert not fitted.sample(500, mean=True, random_state=0).isna().any().any()
    assert not fitted.impute(holed().head(200)).isna().any().any()


def test_given_cells_are_never_missing(fitted: VAE) -> None:
    drawn = fitted.sample(500, given={"c": "x"}, random_state=0)
    assert (drawn.c == "x").all() and drawn.a.isna().any()


def test_scores_are_of_observed_cells_alone(fitted: VAE, tmp_path: Path) -> None:
    table = holed().head(40)
    before, filled = fitted.score_samples(table), fitted.impute(table)
    fitted.save(tmp_path / "m.safetensors")
    other = VAE.load(tmp_path / "m.safetensors")
    logits: Any = other.model_.likelihood.missing_logits
    logits.add_(3.0)
    np.testing.assert_array_equal(other.score_samples(table), before)
    pd.testing.assert_frame_equal(other.impute(table), filled)
    assert other.sample(500).a.isna().mean() > fitted.sample(500).a.isna().mean() + 0.1


def test_the_bound_of_training_has_the_log_probability_of_missing_cells(fitted: VAE) -> None:
    model, x = fitted.model_, fitted.codec_.encode(holed().head(8))[:]
    trace = model(x)
    alone = trace.log_px(trace.px)
    trace.missing = x.isnan()
    torch.testing.assert_close(trace.log_px(trace.px) - alone, log_missing(trace.px, x.isnan()))


def test_probabilities_of_all_patterns_sum_to_one() -> None:
    family = Columns((Gaussian(), Categorical(3), Gaussian()), (0, 2))
    held, n = head(family, (3,))
    x = torch.tensor([[1.0, 0.0, torch.nan], [2.0, 1.0, 3.0], [torch.nan, 2.0, 3.0], [3.0, 1.0, 5.0]])
    held.fit_units(x)
    d = held(torch.randn(5, n))
    each = [log_missing(d, torch.tensor([a, False, b])).exp() for a, b in product([False, True], repeat=2)]
    torch.testing.assert_close(sum(each), torch.ones(5))
    at_zero = held(torch.zeros(20_000, n))
    torch.manual_seed(0)
    drawn = sample_with_missing(at_zero).isnan().float().mean(0)
    torch.testing.assert_close(drawn, torch.tensor([0.25, 0.0, 0.25]), atol=0.02, rtol=0)
    assert log_missing(Gaussian().distribution((1,), loc=torch.zeros(1), scale=torch.ones(1)), x) == 0


def test_cells_are_missing_by_columns_without_gaps_and_by_each_other() -> None:
    """Against the formula of `MissingGiven` in numpy; values of columns with gaps change nothing."""
    family = Columns((Gaussian(), Categorical(3), Gaussian()), (0, 2), context=4)
    held, n = head(family, (3,))
    torch.manual_seed(0)
    for weights in (held.holes.read, held.holes.known):
        torch.nn.init.normal_(weights)
    held.double().eval()
    raw = torch.randn(1, n, dtype=torch.float64)
    r, total = raw[0, -6:-4].numpy(), 0.0
    read, known = (each.detach().numpy() for each in (held.holes.read, held.holes.known))
    for a, b in product([0, 1], repeat=2):
        x = torch.tensor([[torch.nan if a else 7.0, 1.0, torch.nan if b else 9.0]], dtype=torch.float64)
        found = log_missing(held(raw, x), x.isnan())
        logits = [r[0] + GAIN * read[0, 1], r[1] + GAIN * (read[1, 1] + a * known[1, 0])]
        wanted = sum(-np.log1p(np.exp(-t if m else t)) for t, m in zip(logits, (a, b), strict=True))
        np.testing.assert_allclose(found.item(), wanted, rtol=1e-6)
        total += np.exp(wanted)
    assert total == pytest.approx(1.0)
    some = torch.tensor([[7.0, 1.0, 9.0]], dtype=torch.float64).expand(20_000, 3)
    with torch.no_grad():
        drawn = held(raw, some).missing.sample()
        share = held(raw, some[:1]).missing.log_prob(torch.ones(1, 2, dtype=torch.float64)).exp()
    assert drawn.prod(-1).mean().item() == pytest.approx(share.item(), abs=0.015)


def test_a_column_that_is_missing_exactly_when_another_says_so_is_drawn_so() -> None:
    rng = np.random.default_rng(0)
    smokes = rng.choice(["no", "yes"], 800)
    age = rng.normal(40, 10, 800)
    table = pd.DataFrame({"smokes": smokes, "age": age, "packs": rng.gamma(2.0, 1.0, 800).round(2)})
    table["since"] = (age - rng.gamma(3.0, 4.0, 800)).round(1)
    table.loc[smokes == "no", ["packs", "since"]] = np.nan
    vae = VAE(2, encoder=MLP((32,)), training=Training(epochs=200), random_state=0).fit(table)
    drawn = vae.sample(2000, random_state=0)
    assert (drawn.packs.isna() == (drawn.smokes == "no")).mean() > 0.98
    assert (drawn.packs.isna() == drawn.since.isna()).mean() > 0.98
    assert 0.4 < drawn.packs.isna().mean() < 0.6


@pytest.mark.slow
def test_the_compiled_step_and_the_eager_one_agree() -> None:
    table = holed().head(200)[["a", "b", "e"]]
    one, other = (
        VAE(1, encoder=MLP((8,)), training=Training(epochs=2, batch_size=50, compile=c), random_state=0).fit(
            table
        )
        for c in (False, True)
    )
    assert one.history_[-1]["loss"] == pytest.approx(other.history_[-1]["loss"], rel=1e-4)


def test_the_text_of_the_likelihood_names_the_columns() -> None:
    family = Columns((Gaussian(), Categorical(3)), (1,))
    assert parse(repr(family), Likelihood) == family and repr(family).endswith("(1,))")


def test_columns_that_do_not_exist_are_refused() -> None:
    for missing in ((2,), (1, 0), (0, 0), (-1,)):
        with pytest.raises(SpecError, match=r"Columns\.missing takes numbers of columns, in order, not"):
            Columns((Gaussian(), Gaussian()), missing)


def test_the_command_line_draws_rows_without_gaps(fitted: VAE, tmp_path: Path) -> None:
    fitted.save(tmp_path / "m.safetensors")
    for option, gaps in (("--missing", True), ("--no-missing", False)):
        words = ["sample", str(tmp_path / "m.safetensors"), "-n", "200", option]
        app([*words, "-o", str(tmp_path / "out.csv")], standalone_mode=False)
        assert load(str(tmp_path / "out.csv")).X.isna().any().any() == gaps


def test_cells_of_a_table_of_categories_alone_are_missing_in_samples() -> None:
    columns = Columns((Categorical(2), Categorical(3)), missing=(1,))
    held, n = head(columns, (2,))
    held.fit_units(torch.tensor([[0.0, torch.nan], [1.0, 2.0], [1.0, torch.nan]]))
    torch.manual_seed(0)
    x = sample_with_missing(held(torch.zeros(50, n)))
    assert x.is_floating_point() and not x[:, 0].isnan().any() and x[:, 1].isnan().any()
