"""The benchmark of tables: each way has a row, in a process of its own, or the reason why it has none."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import results
from benchmarks.__main__ import main
from benchmarks.peers import environment, tables as peers
from benchmarks.quality import table_ranks, tables
from benchmarks.quality.imputation import holes, miss_forest
from benchmarks.quality.table_ways import OURS


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of 80 rows with an identifier and missing cells, and a page of its own for the rows."""
    rng, n = np.random.default_rng(0), 80
    rows = pd.DataFrame({"id": np.arange(n), "age": rng.normal(40, 9, n), "job": rng.choice(["a", "b"], n)})
    rows["tall"] = rng.random(n) < 0.5
    rows["income"] = np.where(rows["age"] > 40, "high", "low")
    rows.loc[::9, "age"] = np.nan
    (tmp_path / "tabular").mkdir()
    rows.to_csv(tmp_path / "tabular" / "small.csv", index=False)
    monkeypatch.setenv("REPARAM_DATA", str(tmp_path))
    for name in ("RESULTS", "PAGE"):
        monkeypatch.setattr(results, name, tmp_path / getattr(results, name).name)
    marks = (*results.TABLES, *table_ranks.RANKS)
    results.PAGE.write_text("".join(f"<!-- {mark} -->\n<!-- end -->\n" for mark in marks))


def rows_of(*words: str) -> list[str]:
    main(["quality", "tables", "--seeds", "1", *words])
    return [line for line in results.PAGE.read_text().splitlines() if line.startswith("| small, ")]


def test_gaps_and_draws_have_a_row_a_way(data: None) -> None:
    (line,) = rows_of("--impute", "--way", "KNNImputer(10)")
    cells = [cell.strip() for cell in line.split("|")[2:-1]]
    assert 0 < float(cells[0]) < 3 and 0 < float(cells[1]) <= 1 and int(cells[-2]) > 10
    lines = rows_of("--draws", "--way", "Gaussian copula")
    assert [line.split("|")[1].strip() for line in lines if "drawn" in line] == [
        "small, drawn by Gaussian copula"
    ]
    assert "| 1 of 1 |" in results.PAGE.read_text()


def test_a_way_that_takes_too_long_or_is_absent_says_so(data: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(peer: str) -> str:
        raise environment.PeerError("cannot be installed")

    monkeypatch.setattr(environment, "installed", refuse)
    ours, peer = rows_of("--impute", "--way", OURS, "--way", "miceforest", "--limit", "1")
    assert "stopped after 1 s" in ours and "cannot be installed" in peer


def test_each_peer_has_a_package_and_no_name_twice() -> None:
    for kind, found in (("gaps", peers.FILL), ("draws", peers.DRAW)):
        assert {peers.PACKAGES[name] for name in found} <= set(environment.TABLE_PEERS)
        assert len(set(tables.WAYS[kind])) == len(tables.WAYS[kind])


def test_ranks_put_a_way_that_was_stopped_last_and_leave_out_one_not_measured() -> None:
    rows = {
        "a, filled by one": {"error": "0.5 ± 0.1", "right": "0.9"},
        "a, filled by two": {"error": "0.4 ± 0.2", "right": "0.8"},
        "a, filled by three": {"note": "stopped"},
        "b, filled by one": {"error": "0.7", "right": "0.9"},
        "b, filled by two": {"error": "0.8", "right": "0.8"},
    }
    found = table_ranks.ranked({name: {"tables": ["gaps"], **row} for name, row in rows.items()}, "gaps")
    assert found["one"] == {
        "ended": "2 of 2", "error": "0.600", "error_rank": "1.5", "right": "0.900", "right_rank": "1.0"
    }  # fmt: skip
    assert found["three"]["error"] is None and found["three"]["error_rank"] == "3.0"


def test_a_table_for_peers_is_complete_and_comes_back() -> None:
    rng = np.random.default_rng(0)
    train = pd.DataFrame({"x": rng.normal(size=200), "level": rng.integers(0, 3, 200).astype(float)})
    train["word"], train["whole"] = rng.choice(["a", "b"], 200), rng.integers(0, 90, 200)
    train = train.mask(rng.random(train.shape) < 0.2)
    table = peers.Complete(train, 0)
    rows = table.rows()
    assert table.discrete == ["level", "word"] and not rows.isna().any().any()
    back = table.back(rows.assign(whole=rows["whole"] * 1.01 - 0.3))
    assert set(back["whole"].dropna()) <= set(range(90))
    assert (back["word"].isna() == train["word"].isna()).all()
    pd.testing.assert_series_equal(back["level"], train["level"])
    assert back["x"].isna().mean() == pytest.approx(0.2, abs=0.1)


def test_miss_forest_finds_what_other_columns_determine() -> None:
    a = np.random.default_rng(0).normal(size=400)
    rows = pd.DataFrame({"a": a, "twice": 2 * a, "sign": np.where(a > 0, "plus", "minus"), "less": a - 1})
    train, test = rows[:300], rows[300:]
    seen = holes(test, 0, 0.3)
    filled = miss_forest(train, seen, 0)
    assert filled.index.equals(seen.index) and filled.notna().all(axis=None)
    known = seen.notna()
    assert (filled.eq(seen) | ~known).all(axis=None)
    asked = ~known & (known.sum(axis=1) > 1).to_numpy()[:, None]
    assert np.abs(filled["twice"] - test["twice"])[asked["twice"]].mean() < 0.15
    assert (filled["sign"] == test["sign"])[asked["sign"]].mean() > 0.9
