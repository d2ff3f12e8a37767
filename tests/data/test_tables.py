"""Tables: kinds of columns, holes, and the way back to the user's own types."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from reparam import (
    VAE,
    Bernoulli,
    Beta,
    DataError,
    Gaussian,
    LogNormal,
    NegativeBinomial,
    StudentT,
    Training,
    ZeroInflated,
)
from reparam.data.codecs import table as tables
from reparam.data.codecs.column import Column
from reparam.data.load import load
from reparam.families import Columns, Family, Shared
from reparam.nn.networks import MLP
from reparam.specs.parse import parse
from tests.models import people

KINDS = {
    "id": "key",
    "name": "key",
    "sex": "categorical",
    "height": "real",
    "income": "positive",
    "children": "count",
    "grade": "ordinal",
    "smokes": "boolean",
    "size": "ordinal",
    "born": "date",
    "planet": "constant",
}


@pytest.fixture(scope="module")
def fitted() -> VAE:
    return VAE(3, encoder=MLP((32,)), training=Training(epochs=120, batch_size=50), random_state=0).fit(
        people()
    )


def test_kinds_are_read_from_types_and_values() -> None:
    assert {c.name: c.kind for c in tables.TableCodec.learn(people()).columns} == KINDS


def test_counts_with_too_many_zeros_are_zero_inflated() -> None:
    rng = np.random.default_rng(0)
    few = rng.poisson(0.3, 4000)
    gains = np.where(rng.random(4000) < 0.9, 0, rng.negative_binomial(3, 1e-3, 4000))
    table = tables.TableCodec.learn(pd.DataFrame({"few": few, "gains": gains}))
    assert table.families({}) == (NegativeBinomial(), ZeroInflated(NegativeBinomial()))


@pytest.mark.parametrize("law", [LogNormal(), Beta(), ZeroInflated(NegativeBinomial()), StudentT()], ids=repr)
def test_missing_cells_of_a_column_leave_gradients_finite(law: Family) -> None:
    """What stands in for a missing cell lies in its own column's support."""
    rng = np.random.default_rng(0)
    values = rng.integers(1, 9, 300) if isinstance(law, ZeroInflated) else rng.uniform(0.1, 0.9, 300)
    table = pd.DataFrame({"a": rng.normal(size=300), "b": values.astype(float)})
    table.loc[::3, "b"] = np.nan
    vae = VAE(2, likelihood={"b": law}, training=Training(epochs=2), random_state=0).fit(table)
    assert np.isfinite(vae.history_[-1]["loss"]) and np.isfinite(vae.score_samples(table)).all()


def test_encoding_goes_back() -> None:
    table = people()
    codec = tables.TableCodec.learn(table)
    back = codec.decode(codec.encode(table))
    ours = table[[name for name, kind in KINDS.items() if kind != "key"]]
    pd.testing.assert_frame_equal(back, ours, check_dtype=False, rtol=1e-5)


def test_samples_look_like_the_table(fitted: VAE) -> None:
    table, drawn = people(), fitted.sample(200, missing=False, random_state=1)
    expected = [name for name, kind in KINDS.items() if kind != "key"]
    assert list(drawn.columns) == expected
    assert (drawn.dtypes == table[expected].dtypes).all()
    assert set(drawn.sex) <= {"male", "female"} and set(drawn["size"]) <= {"S", "M", "L"}
    for name in ("height", "income", "children", "born"):
        assert table[name].min() <= drawn[name].min() and drawn[name].max() <= table[name].max()
    tall = drawn.groupby("sex").height.mean()
    assert tall["male"] > tall["female"] + 5


def test_given_columns_condition_the_others(fitted: VAE) -> None:
    men, women = (fitted.sample(300, given={"sex": s}, random_state=0) for s in ("male", "female"))
    assert (men.sex == "male").all() and (women.sex == "female").all()
    assert men.height.mean() > women.height.mean() + 8
    smooth = fitted.sample(300, given={"sex": "male"}, mean=True, random_state=0)
    assert (smooth.sex == "male").all() and smooth.height.std() < 0.95 * men.height.std()
    assert abs(smooth.height.mean() - men.height.mean()) < 2


def test_impute_keeps_what_is_known(fitted: VAE) -> None:
    table = people()
    filled = fitted.impute(table)
    assert not filled.isna().any().any()
    assert list(filled.columns) == list(table.columns) and (filled.index == table.index).all()
    known = table.notna()
    assert (filled.where(known, 0) == table.where(known, 0)).all().all()
    hidden = table[table.height.isna() & table.sex.notna()].index
    tall = filled.loc[hidden].groupby(table.sex).height.mean()
    assert tall["male"] > tall["female"] + 8
    first, second = fitted.impute(table, draws=2)
    assert not first.equals(second) and (first.where(known, 0) == table.where(known, 0)).all().all()


def test_an_anomalous_cell_is_found(fitted: VAE) -> None:
    table = people().iloc[:50].copy()
    table.loc[10, "sex"], table.loc[10, "height"] = "female", 195.0
    scores = fitted.score_samples(table)
    assert scores.argmin() == 10
    names = fitted.codec_.names()
    cells = fitted.score_cells(table)
    assert list(cells.columns) == names and cells.index.equals(table.index)
    shares = cells.to_numpy()
    usual = np.nanmedian(shares, 0)
    assert names[int(np.nanargmin(shares[10] - usual))] in ("height", "sex")
    assert np.isnan(shares[0, names.index("height")])


def test_missing_cells_are_marginalised() -> None:
    """A linear-Gaussian model: the score of a row with holes is the marginal's log-density."""
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(0)
    A = rng.normal(size=(4, 2))
    X = rng.normal(size=(2000, 2)) @ A.T + 0.5 * rng.normal(size=(2000, 4))
    training = Training(epochs=40, batch_size=200, learning_rate=3e-3)
    vae = VAE(2, encoder=MLP((64,)), decoder=MLP(()), likelihood=Gaussian(scale=Shared()), training=training)
    holed = np.where(rng.random(X.shape) < 0.3, np.nan, X)
    vae.set_params(random_state=0).fit(holed)
    with torch.no_grad():
        px = vae.model_.decode(torch.zeros(1, 1, 2))
        mean, sd = px.mean.squeeze().double().numpy(), px.stddev.squeeze().double().numpy()
        W = np.stack(
            [vae.model_.decode(e[None, None]).mean.squeeze().double().numpy() - mean for e in torch.eye(2)], 1
        )
    covariance = W @ W.T + np.diag(sd**2)
    rows, exact = holed[:40], []
    for row in rows:
        known = ~np.isnan(row)
        cov = covariance[np.ix_(known, known)]
        exact.append(multivariate_normal(mean[known], cov).logpdf(row[known]) if known.any() else 0.0)
    np.testing.assert_allclose(vae.score_samples(rows, n_samples=5000), exact, atol=0.06)
    filled = vae.impute(rows, n_samples=2000)
    for row, full in zip(rows, filled, strict=True):
        known = ~np.isnan(row)
        if known.all() or not known.any():
            continue
        gain = covariance[np.ix_(~known, known)] @ np.linalg.inv(covariance[np.ix_(known, known)])
        best = mean[~known] + gain @ (row[known] - mean[known])
        np.testing.assert_allclose(full[~known], best, atol=0.12)


def test_holes_train_without_nan_and_survive_a_file(tmp_path: Path, fitted: VAE) -> None:
    fitted.save(tmp_path / "m.safetensors")
    again = VAE.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(fitted.score_samples(people()), again.score_samples(people()))
    pd.testing.assert_frame_equal(fitted.sample(5, random_state=2), again.sample(5, random_state=2))
    assert all(np.isfinite(row["bound"]) for row in fitted.history_)


def test_polars_and_arrays_enter(fitted: VAE) -> None:
    table = people().drop(columns=["size"])
    vae = VAE(2, encoder=MLP((16,)), training=Training(epochs=2), random_state=0)
    a = vae.fit(table).transform(table)
    b = vae.fit(pl.from_pandas(table)).transform(pl.from_pandas(table))
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_columns_can_be_said() -> None:
    table = people()[["height", "smokes"]]
    vae = VAE(1, likelihood=Columns((Gaussian(), Bernoulli())), training=Training(epochs=2)).fit(table)
    assert parse(repr(vae.likelihood_), type(vae.likelihood_)) == vae.likelihood_
    said = VAE(1, likelihood={"height": Gaussian()}, training=Training(epochs=2)).fit(table)
    assert said.likelihood_ == Columns((Gaussian(), Bernoulli()), (0,), context=64)
    with pytest.raises(DataError, match="no modelled column is called 'hight'"):
        VAE(1, likelihood={"hight": Gaussian()}).fit(table)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: t.drop(columns="height"), "height"),
        (lambda t: t.assign(height="tall"), "row 0, column 'height' holds 'tall'; the column held numbers"),
        (lambda t: t.assign(born="soon"), "row 0, column 'born' holds 'soon', which is not a date"),
        (lambda t: t.assign(height=np.inf), "row 0, column 'height' holds inf"),
        (lambda t: t.iloc[:0], "no rows"),
        (lambda t: t.assign(children=-1), "counts 0, 1, 2.* in row 0, column 'children'"),
    ],
)
def test_refusals_name_the_column(fitted: VAE, change, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fitted.score_samples(change(people()))


def test_a_category_of_no_training_row_is_improbable(fitted: VAE) -> None:
    table = people()
    with pytest.warns(
        UserWarning, match="'sex' holds 'unknown', a value not seen in training .* 300 in total"
    ):
        scores = fitted.score_samples(table.assign(sex="unknown"))
    missing = fitted.score_samples(table.assign(sex=None))
    np.testing.assert_allclose(scores, missing - np.log1p(people().sex.notna().sum()))


def test_blanks_about_a_text_are_no_other_category(fitted: VAE) -> None:
    """`pandas.read_csv` keeps the blank after a comma, which the command line takes off."""
    table = people()
    scores = fitted.score_samples(table.assign(sex=" " + table.sex.astype(str)))
    np.testing.assert_array_equal(scores, fitted.score_samples(table))


def test_a_csv_is_read_as_people_write_it(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a, b,c\n 1.5, x , ?\n2.5,NA,3\n-9.25, y,4\nnone,x,5\n")
    table = load(str(path), missing=("-9.25",)).X
    assert list(table.columns) == ["a", "b", "c"]
    assert table.a.isna().tolist() == [False, False, True, True]
    assert table.b.tolist()[0] == "x" and table.b.isna().tolist() == [False, True, False, False]
    assert table.c.isna().tolist() == [True, False, False, False]


def test_an_array_with_holes_needs_a_likelihood() -> None:
    X = np.random.default_rng(0).normal(size=(50, 3))
    X[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        VAE(1).fit(X)
    vae = VAE(1, likelihood=Gaussian(scale=Shared()), training=Training(epochs=2), random_state=0).fit(X)
    assert np.isfinite(vae.impute(X)).all()


def test_a_column_with_nothing_in_it_is_carried_along() -> None:
    table = people()[["height", "sex"]].assign(empty=np.nan)
    with pytest.warns(UserWarning, match="column 'empty' is empty and not modelled"):
        vae = VAE(1, training=Training(epochs=2), random_state=0).fit(table)
    assert vae.sample(3).empty is not None and vae.impute(table).height.notna().all()


def test_a_guess_may_be_a_category_that_these_rows_lack() -> None:
    table = pd.DataFrame({"a": pd.Categorical(list("xxy") * 30), "b": [1.0, 1.0, 9.0] * 30})
    vae = VAE(1, training=Training(epochs=60, batch_size=16), random_state=0).fit(table)
    rows = table[table.a == "y"].head(4).reset_index(drop=True)
    rows["a"] = rows.a.cat.remove_unused_categories()
    rows.loc[0, ["a", "b"]] = [np.nan, 1.0]
    assert vae.impute(rows).a.tolist() == ["x", "y", "y", "y"]


def test_a_column_far_from_zero_keeps_what_it_says() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(200, 2)), columns=["t", "v"])
    far = table.assign(t=table.t + 1.7e9)
    near, away = (VAE(1, training=Training(epochs=3), random_state=0).fit(rows) for rows in (table, far))
    assert away.score(far) == pytest.approx(near.score(table), abs=0.02)
    drawn = away.sample(500)
    assert drawn.t.std() == pytest.approx(near.sample(500).t.std(), rel=0.1)
    assert away.sample(3, given={"t": 1.7e9 + 1})["t"].tolist() == [1.7e9 + 1] * 3
    with pytest.warns(UserWarning, match="column 0 differ by less"):
        VAE(1, training=Training(epochs=1)).fit(far.to_numpy())


def test_numbers_among_words_are_words() -> None:
    vae = VAE(1, training=Training(epochs=1)).fit(pd.DataFrame({"a": [1, "x", 2, "y"] * 10}))
    codec = vae.codec_
    assert isinstance(codec, tables.TableCodec)
    assert codec.columns[0].kind == "categorical" and len(codec.columns[0].categories) == 4


def test_columns_keep_their_names() -> None:
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)))
    vae = VAE(1, training=Training(epochs=1), random_state=0).fit(table)
    assert list(vae.impute(table.mask(table > 1)).columns) == [0, 1]
    with pytest.raises(DataError, match="type list; give each number a column of its own"):
        VAE(1).fit(table.assign(b=pd.Series([[1, 2]] * 40)))


def test_many_draws_given_a_column_come_from_many_pools(fitted: VAE) -> None:
    some = fitted.sample(2500, given={"sex": "male"}, random_state=0)
    assert (some.sex == "male").all() and some.height.nunique() > 500


@pytest.mark.parametrize(
    "text, shown",
    [
        (("2013-05-{:02}T18:00:00Z",) * 2, r"2013-05-\d\dT\d\d:\d\d:\d\dZ"),
        (("2013-05-{:02} 18:00:00+02:00",) * 2, r"2013-05-\d\d \d\d:\d\d:\d\d\+02:00"),
        (
            ("2013-05-{:02}T18:00:00+02:00", "2013-05-{:02}T18:00:00+01:00"),
            r"2013-05-\d\dT\d\d:\d\d:\d\d\+00:00",
        ),
        (("2013-05-{:02}T18:00:00Z", "2013-05-{:02}T18:00:00"), r"2013-05-\d\dT\d\d:\d\d:\d\d\+00:00"),
        (("2013-05-{:02}T18:00:00",) * 2, r"2013-05-\d\dT\d\d:\d\d:\d\d"),
        (("2013-05-{:02}",) * 2, r"2013-05-\d\d"),
    ],
    ids=["utc", "offset", "two offsets", "a zone in some", "no zone", "days"],
)
def test_dates_written_as_text_keep_their_zone(text: tuple[str, str], shown: str, tmp_path: Path) -> None:
    written = [text[day % 2].format(day + 1) for day in range(28)]
    table = pd.DataFrame({"t": written, "x": np.random.default_rng(0).normal(size=28)})
    VAE(1, training=Training(epochs=1), random_state=0).fit(table).save(tmp_path / "m.safetensors")
    vae = VAE.load(tmp_path / "m.safetensors")
    moments = pd.to_datetime(table.t, format="ISO8601", utc=True)
    drawn = pd.to_datetime(vae.sample(50, random_state=0).t, utc=True)
    assert (drawn >= moments.min()).all() and (drawn <= moments.max()).all()
    filled = vae.impute(table.assign(t=table.t.where(table.index > 2)))
    assert filled.t[3:].tolist() == written[3:] and filled.t[:3].str.fullmatch(shown).all()
    given = vae.sample(2, given={"t": written[5]}, random_state=0).t
    assert (pd.to_datetime(given, utc=True) == moments[5]).all()


def test_dates_of_older_model_files_have_the_zone_of_their_first() -> None:
    column = Column("t", "date", "datetime64[us]", 0.0, 3.0, True, value="2013-05-17 18:00:00+00:00")
    assert column.decode(np.array([1.0]))[0] == pd.Timestamp("2013-05-18T18:00:00Z")


def test_a_level_not_seen_is_shown_as_a_number() -> None:
    table = pd.DataFrame(
        {"level": pd.Categorical([0, 5, 10] * 9, ordered=True), "x": np.arange(27) % 5 * 0.3}
    )
    codec = tables.TableCodec.learn(table)
    other = table.assign(level=pd.Categorical([35] * 27, ordered=True))
    with pytest.warns(
        UserWarning, match=r"row 0, column 'level' holds 35, a value not seen in training \(0, 5"
    ):
        codec.encode(other)


def test_a_constant_of_another_type_fills_what_is_missing() -> None:
    table = pd.DataFrame({"planet": "Earth", "x": np.random.default_rng(0).normal(size=60)})
    vae = VAE(1, training=Training(epochs=1), random_state=0).fit(table)
    filled = vae.impute(pd.DataFrame({"planet": [3.0, np.nan], "x": [0.5, np.nan]}))
    assert filled.planet.tolist() == [3.0, "Earth"] and filled.x.notna().all()
