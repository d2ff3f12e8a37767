"""The kinds of the columns of real tables, and of numbers that are not what they seem."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reparam import (
    VAE,
    Categorical,
    DiscretizedLogistic,
    Gaussian,
    NegativeBinomial,
    Quantile,
    Shared,
    Training,
    load,
)
from reparam.cli.output import column_summary
from reparam.data.codecs.column import Column
from reparam.data.codecs.kinds import column_of
from reparam.data.codecs.table import TableCodec

TABLES = Path(os.environ.get("REPARAM_DATA", "."), "tabular")
KINDS = {
    "adult": {
        "positive": "age",
        "real": "fnlwgt hours-per-week",
        "count": "capital-gain capital-loss",
        "ordinal": "education-num",
        "categorical": "workclass education marital-status occupation relationship race sex native-country "
        "income",
    },
    "credit": {
        "categorical": "Status Home Marital Records Job",
        "count": "Seniority Assets Debt",
        "ordinal": "Time",
        "positive": "Age Expenses Income Price",
        "real": "Amount",
    },
    "diamonds": {
        "positive": "carat price",
        "categorical": "cut color clarity",
        "real": "depth table x y z",
    },
    "mpg": {
        "categorical": "manufacturer model trans drv fl class",
        "positive": "displ cty",
        "real": "hwy",
        "ordinal": "year cyl",
    },
    "pbc": {
        "key": "id",
        "real": "time age chol albumin platelet protime",
        "positive": "bili copper alk.phos ast trig",
        "ordinal": "status trt edema stage",
        "categorical": "sex",
        "boolean": "ascites hepato spiders",
    },
    "penguins": {
        "categorical": "species island sex",
        "real": "bill_length_mm bill_depth_mm flipper_length_mm body_mass_g",
    },
    "titanic": {
        "boolean": "survived adult_male alone",
        "ordinal": "pclass parch",
        "categorical": "sex embarked class who deck embark_town alive",
        "real": "age fare",
        "count": "sibsp",
    },
}


@pytest.mark.skipif(not TABLES.is_dir(), reason="no tables in $REPARAM_DATA")
@pytest.mark.parametrize("name", KINDS)
def test_kinds_of_real_tables(name: str) -> None:
    table = load(str(TABLES / f"{name}.csv")).X
    expected = {column: kind for kind, columns in KINDS[name].items() for column in columns.split()}
    found = {column.name: column for column in TableCodec.learn(table).columns}
    assert {column: found[column].kind for column in table} == expected
    real = [column for column in found.values() if column.kind in ("real", "positive")]
    assert all(column.family() == Quantile() for column in real)
    for column in real:
        decoded = column.decode(column.encode(table)).dropna().astype(float).to_numpy()
        np.testing.assert_array_equal(decoded, table[column.name].dropna().astype(float).to_numpy())


def column(values: object, name: str = "x") -> Column:
    return column_of(name, pd.Series(values))


def test_levels_are_those_observed() -> None:
    rng = np.random.default_rng(0)
    cylinders = column(rng.choice([4, 6, 8], 200))
    assert cylinders.kind == "ordinal" and cylinders.categories == [4, 6, 8]
    rates = column(rng.choice([0.25, 1.5, 1.75], 200))
    assert rates.kind == "ordinal" and rates.categories == [0.25, 1.5, 1.75]
    assert column(rng.choice([4.0, 6.0, 8.0], 6)).kind != "ordinal"


def test_numbers_are_written_as_the_column_writes_them() -> None:
    rng = np.random.default_rng(0)
    money = column(np.round(rng.lognormal(3, 1, 500), 2))
    assert money.decode(np.array([44.60630798339844, 3.001])).tolist() == [44.61, 3.0]
    ages = column(rng.choice(np.arange(18.0, 90, 3), 500))
    assert ages.decode(np.array([18.9, 22.6, 999.0, np.nan])).tolist()[:3] == [18.0, 24.0, 87.0]
    assert np.isnan(ages.decode(np.array([np.nan]))[0])
    assert column(rng.normal(size=500)).decimals is None
    vae = VAE(1, training=Training(epochs=2), random_state=0)
    table = pd.DataFrame({"m": np.round(rng.lognormal(3, 1, 500), 2), "a": rng.choice([1.5, 2.0, 7.25], 500)})
    drawn = vae.fit(table).sample(400, random_state=0)
    assert (drawn.m.round(2) == drawn.m).all() and set(drawn.a) <= {1.5, 2.0, 7.25}


def test_counts_are_negative_binomial_where_that_is_likelier() -> None:
    rng = np.random.default_rng(0)
    visits = column(rng.negative_binomial(3, 0.1, 2000))
    assert visits.kind == "count" and visits.family() == NegativeBinomial()
    marks = column(np.where(rng.random(2000) < 0.5, 50, rng.integers(0, 100, 2000)))
    assert marks.kind == "count" and marks.family() == Quantile()


def test_money_that_is_often_zero_has_a_spike() -> None:
    rng = np.random.default_rng(0)
    fares = column(np.where(rng.random(900) < 0.3, 0.0, np.round(rng.lognormal(3, 1, 900), 2)), "fare")
    assert fares.family() == Quantile() and fares.spike[0] == 0.0 and 0.25 < fares.spike[1] < 0.35
    assert column(rng.normal(size=900)).spike == []


def test_times_of_day() -> None:
    rng = np.random.default_rng(0)
    minutes = rng.integers(0, 1440, 4000)
    clock = column(100 * (minutes // 60) + minutes % 60)
    assert clock.hhmm and not clock.values
    written = clock.decode(np.array([1259.4, 1270.0, 1285.0, 5.0])).tolist()
    assert written == [1259, 1259, 1300, 5]
    assert not column(rng.integers(0, 2400, 4000)).hhmm


def test_identifiers_that_look_like_numbers() -> None:
    rng = np.random.default_rng(0)
    assert column(rng.permutation(90)).kind == "key"
    assert column(rng.permutation(300)[:200] + 10_000).kind == "key"
    assert column(rng.integers(0, 10**9, 300), "customer_id").kind == "key"
    assert column(rng.integers(0, 10**9, 300), "customerId").kind == "key"
    assert column(rng.integers(0, 10**9, 300), "population").kind == "real"
    assert column(rng.integers(0, 40, 300), "grid").kind != "key"


def test_what_is_peculiar_is_said() -> None:
    rng = np.random.default_rng(0)
    minutes = rng.integers(0, 1440, 2000)
    table = pd.DataFrame(
        {
            "id": np.arange(2000),
            "fare": np.where(rng.random(2000) < 0.4, 0.0, rng.lognormal(3, 1, 2000)),
            "leaves": 100 * (minutes // 60) + minutes % 60,
        }
    )
    table.loc[:499, "fare"] = np.nan
    codec = TableCodec.learn(table)
    lines = column_summary(codec.header()["columns"], [str(family) for family in codec.families({})])
    assert lines[0] == "id: key, left out of the model"
    assert lines[1].startswith("fare: real, Quantile(), ") and lines[1].endswith("% are 0, 25% missing")
    assert lines[2] == "leaves: count, Quantile(), times of day as hhmm"


def test_a_named_family_stays() -> None:
    table = pd.DataFrame({"a": np.arange(40) * 1.37, "b": list("xyxy") * 10})
    vae = VAE(1, likelihood={"a": Gaussian()}, training=Training(epochs=1), random_state=0).fit(table)
    assert getattr(vae.likelihood_, "families", None) == (Gaussian(), Categorical(2))


def test_levels_of_numbers_have_any_frequencies() -> None:
    rng = np.random.default_rng(0)
    assert column(rng.choice([4, 6, 8], 200)).family() == Categorical(3, ordered=True)
    ordered = pd.Categorical(rng.choice(list("SML"), 200), categories=list("SML"), ordered=True)
    assert column_of("size", pd.Series(ordered)).family() == DiscretizedLogistic(3)


def test_wide_tables_have_parametric_families(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 5)), columns=list("abcde"))
    assert TableCodec.learn(table).families({}) == (Quantile(),) * 5
    monkeypatch.setattr("reparam.data.codecs.table.WIDE", 4)
    assert TableCodec.learn(table).families({}) == (Gaussian(scale=Shared()),) * 5
