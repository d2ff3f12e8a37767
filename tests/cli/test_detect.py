"""`reparam detect`: the table that it writes, and its refusals."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.helpers import Capture, run


@pytest.fixture
def people(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    height = rng.normal(170, 8, 150)
    frame = pd.DataFrame(
        {
            "name": [f"n{i}" for i in range(150)],
            "height": height,
            "weight": height / 2 + rng.normal(size=150),
            "club": rng.choice(["a", "b"], 150),
        }
    )
    frame.loc[7, "weight"] = 200.0
    frame.to_csv(tmp_path / "people.csv", index=False)
    return tmp_path / "people.csv"


def test_rows_with_rank_flag_and_reasons(people: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "scores.csv"
    assert run("detect", people, "-o", out, "--contamination", 0.02, "--json") == 0
    printed = capsys.readouterr()
    assert "name: key, left out of the model" in printed.err and "height: " in printed.err
    said = json.loads(printed.out)
    found = pd.read_csv(out)
    assert list(found.columns) == ["name", "score", "rank", "anomaly", "reasons"]
    assert sorted(found["rank"]) == list(range(1, 151)) and found.anomaly.sum() == said["anomalies"] == 3
    first = found[found["rank"] == 1].iloc[0]
    assert first["name"] == "n7" == said["strangest"][0]["name"]
    assert first.reasons.startswith("weight=200 (expected ") and found.score.idxmin() == 7
    assert (found.anomaly == (found.score < said["threshold"])).all()


def test_new_rows_against_normal_ones(people: Path, tmp_path: Path, capsys: Capture) -> None:
    new = tmp_path / "new.csv"
    pd.DataFrame({"name": ["x", "y"], "height": [170, 170], "weight": [85, 85], "club": ["a", "z"]}).to_csv(
        new, index=False
    )
    with pytest.warns(UserWarning, match="not seen in training"):
        assert run("detect", new, "--normal", people, "-o", tmp_path / "s.csv") == 0
    found = pd.read_csv(tmp_path / "s.csv").set_index("name")
    assert found.score["y"] < found.score["x"] - 2 and found["rank"]["y"] == 1
    assert "club=z (expected " in found.reasons["y"]
    assert "of 2 rows are anomalies" in capsys.readouterr().out


def test_a_row_number_where_there_is_no_key(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(60, 3)))
    assert run("detect", tmp_path / "x.npy", "-o", tmp_path / "s.parquet") == 0
    found = pd.read_parquet(tmp_path / "s.parquet")
    assert found.row.tolist() == list(range(60)) and found.score.dtype == float


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "s.npy"), "-o takes .csv or .parquet"),
        (("-o", "s.csv", "--contamination", 0.9), "a fraction in (0, 0.5]"),
        (("-o", "s.csv", "--contamination", 0), "a fraction in (0, 0.5]"),
        (("-o", "s.csv", "--picture", "s.pdf"), "--picture takes a .png"),
    ],
)
def test_refusals(words: tuple[str, ...], message: str, people: Path, capsys: Capture) -> None:
    assert run("detect", people, *words) == 2
    assert message in capsys.readouterr().err
