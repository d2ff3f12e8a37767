"""Options of the command line: values of a TOML file, labels, and what cannot be used."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reparam import Training
from tests.cli.helpers import Capture, fit, run


def labelled(path: Path) -> Path:
    rng, classes = np.random.default_rng(0), np.arange(90) % 3
    u = rng.normal(4.0 * classes)
    pd.DataFrame({"u": u, "kind": np.array(["a", "b", "c"])[classes], "v": u + rng.normal(size=90)}).to_csv(
        path, index=False
    )
    return path


@pytest.mark.parametrize("head", ["Auxiliary", "Given"])
@pytest.mark.parametrize("buffer", [(), ("--buffer", 1)])
def test_a_table_s_labels_are_remembered(
    head: str, buffer: tuple[object, ...], tmp_path: Path, capsys: Capture
) -> None:
    """The column that `fit` was told of is y wherever it is found, and no unexpected column."""
    data, out = labelled(tmp_path / "kinds.csv"), tmp_path / "run"
    if buffer:
        data = data.with_suffix(".parquet")
        pd.read_csv(tmp_path / "kinds.csv").to_parquet(data, row_group_size=30)
    brief = Training(epochs=20, batch_size=16, learning_rate=1e-2)
    words = ("--label", "kind", "--set", f"labels={head}(3)", "--set", f"training={brief}")
    assert fit(data, *words, "--set", "encoder=MLP((16,))", *buffer, "-o", out) == 0
    assert run("evaluate", out, data, "-k", 5, "--json", *buffer) == 0
    said = capsys.readouterr()
    accuracy = json.loads(said.out.splitlines()[-1])["accuracy"]
    assert accuracy is None if head == "Given" else accuracy > 0.7
    assert "was not in training" not in said.err
    for verb in ("score", "encode"):
        assert run(verb, out, data, "-o", tmp_path / f"{verb}.csv", *buffer) == 0
        assert len((tmp_path / f"{verb}.csv").read_text().splitlines()) == 91
    if head == "Given":
        assert run("predict", out, data, "-o", tmp_path / "p.csv", *buffer) == 3
    else:
        assert run("predict", out, data, "-o", tmp_path / "p.csv", *buffer) == 0
        table = pd.read_csv(tmp_path / "p.csv")
        odds = table[["a", "b", "c"]]
        assert list(table) == ["row", "class", "a", "b", "c"] and len(table) == 90
        assert table["class"].tolist() == odds.idxmax(axis=1).tolist()
        np.testing.assert_allclose(odds.sum(axis=1), 1, rtol=1e-5)
        assert run("predict", out, data, "-o", tmp_path / "p.npy", *buffer) == 0
        np.testing.assert_allclose(np.load(tmp_path / "p.npy"), odds, rtol=1e-5)
    assert fit(data, "--label", "sort", *buffer, "-o", tmp_path / "other") == 3
    assert "has no column 'sort'" in capsys.readouterr().err


def test_labels_that_nothing_learns_are_said(tmp_path: Path, capsys: Capture) -> None:
    data, out = labelled(tmp_path / "kinds.csv"), tmp_path / "run"
    assert fit(data, "--label", "kind", "--epochs", 1, "-o", out) == 0
    assert "kind is not in the model; --set 'labels=Auxiliary(3)' would add it" in capsys.readouterr().err
    assert run("evaluate", out, data, "-k", 2) == 0
    assert "was not in training" not in capsys.readouterr().err
    assert fit(data, "--label", "u", "--epochs", 1, "--overwrite", "-o", out) == 0
    said = capsys.readouterr().err
    assert "u is not in the model; it holds real numbers and labels are classes" in said
    assert "Auxiliary" not in said


TOML = """
latent_dim = [3, 2]
encoder = "MLP((16,))"
[training]
epochs = 2
learning_rate = 1
clip = 5.0
compile = false
device = "cpu"
"""


def test_a_toml_file_holds_typed_values_and_specs(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "c.toml").write_text(TOML)
    words = ("--config", tmp_path / "c.toml", "--set", "training.learning_rate=0.01")
    assert fit("digits:test", "-o", tmp_path / "run", *words, "--epochs", 1) == 0
    assert len((tmp_path / "run/history.jsonl").read_text().splitlines()) == 1
    capsys.readouterr()
    assert run("show", tmp_path / "run") == 0
    shown = capsys.readouterr().out
    assert "(3, 2)" in shown and "MLP((16,)" in shown and "Training(1, 128, 0.01" in shown


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("latentdim = 2", "unknown key 'latentdim': did you mean latent_dim?"),
        ("latent_dim = 2.5", "latent_dim=2.5: 2.5 is not int"),
        ("training.epochs = 'many'", "training.epochs=many: not a spec"),
        ("training.epochs = '2'", ""),
        ("training.precision = 'fp8'", "not a spec"),
        ("training.clip = -1", "must be above 0"),
        ("likelihood = 'Bernouli()'", "did you mean Bernoulli?"),
    ],
)
def test_values_of_a_toml_file_are_checked(line: str, message: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "c.toml").write_text(line)
    status = fit("digits:test", "-o", tmp_path / "run", "--config", tmp_path / "c.toml")
    assert message in capsys.readouterr().err and status == (2 if message else 0)


def test_a_label_is_left_out_of_what_a_verb_reads(tmp_path: Path, capsys: Capture) -> None:
    """Every verb that reads a table takes --label, also of a model that was fitted without the column."""
    data = labelled(tmp_path / "kinds.csv")
    pd.read_csv(data).drop(columns="kind").to_csv(tmp_path / "plain.csv", index=False)
    assert fit(tmp_path / "plain.csv", "--epochs", 1, "-o", tmp_path / "run") == 0
    capsys.readouterr()
    for verb in ("score", "encode", "reconstruct", "impute"):
        assert run(verb, tmp_path / "run", data, "--label", "kind", "-o", tmp_path / f"{verb}.csv") == 0
        assert "was not in training" not in capsys.readouterr().err


def test_impute_and_reconstruct_block_by_block(tmp_path: Path, capsys: Capture) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(90, 3)), columns=list("abc"))
    frame.iloc[::7, 1] = np.nan
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=30)
    model, data = tmp_path / "run", tmp_path / "t.parquet"
    assert fit(data, "--epochs", 1, "-o", model) == 0
    for verb in ("impute", "reconstruct"):
        assert run(verb, model, data, "--buffer", 1, "-o", tmp_path / "o.parquet") == 0
        filled = pd.read_parquet(tmp_path / "o.parquet")
        assert filled.shape == (90, 3) and filled.notna().all(axis=None)
    assert run("impute", model, data, "--buffer", 1, "--draws", 2, "-o", tmp_path / "d.csv") == 2
    assert "leave --draws out" in capsys.readouterr().err


def test_result_columns_of_the_users_own_name_are_refused(tmp_path: Path, capsys: Capture) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(30, 2)), columns=["draw", "score"])
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert fit(tmp_path / "t.csv", "-o", tmp_path / "run", "--epochs", 1) == 0
    for words in (("impute", "--draws", 2), ("score", "--per-cell")):
        verb, *options = words
        assert run(verb, tmp_path / "run", tmp_path / "t.csv", "-o", tmp_path / "o.csv", *options) == 3
        assert "duplicate column name" in capsys.readouterr().err


def test_options_that_nothing_reads_are_refused(tmp_path: Path, capsys: Capture) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(20, 3)))
    out = tmp_path / "run"
    assert fit(tmp_path / "x.npy", "-o", out, "--epochs", 1) == 0
    capsys.readouterr()
    for words, message in (
        (("evaluate", out, tmp_path / "x.npy", "--delay", 3), "--delay is only for a time series"),
        (("evaluate", out, tmp_path / "x.npy", "--na", "zz"), "na is for .csv and .tsv files"),
        (("score", out, tmp_path / "x.npy", "-o", tmp_path / "s.csv", "--skip-bad"), "folders of images"),
        (("plot", out, "-o", tmp_path / "figures", "--skip-bad"), "need --data: give --data"),
        (
            ("sample", out, "-o", tmp_path / "s.csv", "--given", "0=1", "--given", "0=2"),
            "duplicate column '0' in --given",
        ),
        (("fit", tmp_path / "x.npy", "-o", out, "--set", "training.learning_rate=abc"), "learning_rate=abc"),
        (
            ("fit", tmp_path / "x.npy", "-o", out, "--set", "training.learning_rate=1e999"),
            "takes finite numbers",
        ),
    ):
        assert run(*words) == 2
        assert message in capsys.readouterr().err
    (tmp_path / "t.csv").write_text("a,b\n" + "1.5,x\n2.5,y\n" * 9)
    assert run("decode", out, tmp_path / "t.csv", "-o", tmp_path / "d.csv") == 3
    assert "holds text" in capsys.readouterr().err


def test_labels_may_be_missing_where_they_are_judged(tmp_path: Path, capsys: Capture) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc"))
    frame["kind"] = np.where(frame.a > 0, "yes", "no")
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.loc[frame.index % 3 == 0, "kind"] = np.nan
    frame.to_csv(tmp_path / "h.csv", index=False)
    words = ("--label", "kind", "--epochs", 1, "--set")
    assert fit(tmp_path / "h.csv", "-o", tmp_path / "r", *words, "labels=Auxiliary(2)") == 3
    assert "no label in row 0" in capsys.readouterr().err
    assert fit(tmp_path / "t.csv", "-o", tmp_path / "r", *words, "labels=Auxiliary(2)") == 0
    assert run("evaluate", tmp_path / "r", tmp_path / "h.csv", "-k", 2, "--json") == 0
    assert fit(tmp_path / "h.csv", "-o", tmp_path / "e", *words, "labels=Enumerated(2)") == 0
    capsys.readouterr()
    assert run("evaluate", tmp_path / "r", tmp_path / "t.csv", "--label", "a") == 3
    assert "is data, not a label" in capsys.readouterr().err
