"""`--given-columns`: columns of a file that the model is told."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reparam import VAE, Category, Number

from .helpers import Capture, fit, run


def table(path: Path) -> Path:
    rng = np.random.default_rng(0)
    batch = rng.choice(["A", "B"], 90)
    frame = pd.DataFrame({"age": rng.normal(40, 9, 90), "height": rng.normal(size=90), "batch": batch})
    frame["weight"] = 8 * (batch == "B") + rng.normal(size=90)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, row_group_size=30)
    return path


@pytest.mark.parametrize(("name", "buffer"), [("t.csv", ()), ("t.parquet", ("--buffer", 1))])
def test_columns_of_a_file_are_told(
    name: str, buffer: tuple[object, ...], tmp_path: Path, capsys: Capture
) -> None:
    data, out = table(tmp_path / name), tmp_path / "run"
    words = ("--given-columns", "age,batch", "--set", "encoder=MLP((16,))", "--epochs", 30)
    assert fit(data, *words, *buffer, "-o", out) == 0
    vae = VAE.load(out / "model.safetensors")
    age, batch = vae.labels_.known
    assert isinstance(age, Number) and batch == Category("batch", ("A", "B"))
    assert vae.codec_.column_names() == ["height", "weight"]
    capsys.readouterr()
    assert run("evaluate", out, data, "-k", 5, "--json", *buffer) == 0
    said = capsys.readouterr()
    assert json.loads(said.out.splitlines()[-1])["n"] == 90 and "was not in training" not in said.err
    for verb in ("score", "encode", "reconstruct", "impute"):
        assert run(verb, out, data, "-o", tmp_path / f"{verb}.csv", *buffer) == 0
        assert len(pd.read_csv(tmp_path / f"{verb}.csv")) == 90
    assert run("sample", out, "-n", 50, "--label", "age=40,batch=B", "-o", tmp_path / "s.csv") == 0
    assert pd.read_csv(tmp_path / "s.csv")["weight"].mean() > 4
    assert run("sample", out, "--label", "B", "-o", tmp_path / "s.csv") == 2
    assert "takes covariates, NAME=VALUE,NAME=VALUE" in capsys.readouterr().err
    if not buffer:
        assert run("plot", out, "--data", data, "-o", tmp_path / "figures") == 0
        assert run("evaluate", out, data, "-k", 5, "--report", tmp_path / "r.html") == 0


def test_rows_as_if_they_had_other_covariates(tmp_path: Path, capsys: Capture) -> None:
    data, out = table(tmp_path / "t.csv"), tmp_path / "run"
    words = ("--recipe", "conditional-table", "--epochs", 30)
    assert fit(data, *words, "-o", out) == 2
    assert "name their columns, --given-columns age,batch" in capsys.readouterr().err
    assert fit(data, *words, "--given-columns", "age,batch", "-o", out) == 0
    capsys.readouterr()
    means = []
    for batch in "AB":
        assert run("reconstruct", out, data, "--as-if", f"batch={batch}") == 0
        means.append(pd.read_csv(io.StringIO(capsys.readouterr().out))["weight"].mean())
    assert means[1] - means[0] > 2
    assert run("sample", out) == 2
    told = capsys.readouterr().err.split("--label ")[-1].strip()
    assert re.fullmatch(r"age=\d+\.\d,batch=A", told)
    assert run("sample", out, "--label", told) == 0
    capsys.readouterr()
    assert run("reconstruct", out, data, "--as-if", "B") == 2
    assert "--as-if 'B': this model takes covariates" in capsys.readouterr().err
    assert run("detect", data, "--given-columns", "batch", "-o", tmp_path / "a.csv") == 0
    assert list(pd.read_csv(tmp_path / "a.csv").columns) == ["row", "score", "rank", "anomaly", "reasons"]
    assert (
        run("detect", data, "--normal", data, "--given-columns", "age,batch", "-o", tmp_path / "n.csv") == 0
    )
    frame = pd.read_csv(data)
    frame.loc[4, "batch"] = None
    frame.to_csv(data, index=False)
    assert run("score", out, data) == 3
    assert (
        "covariate 'batch' is missing in row 4: fill it in, or leave the row out" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("--given-columns", "ages"), 3, "no column 'ages', a covariate; it has age, height, batch"),
        (("--given-columns", "age,height,batch,weight"), 3, "covariates only"),
        (("--given-columns", "age", "--label", "batch"), 2, "--label or --given-columns"),
        (("--given-columns", "age", "--set", "labels=Given(2)"), 2, "leave one of the two out"),
    ],
)  # fmt: skip
def test_faults_are_named(
    words: tuple[str, ...], status: int, message: str, tmp_path: Path, capsys: Capture
) -> None:
    data = table(tmp_path / "t.csv")
    assert fit(data, *words, "--epochs", 1, "-o", tmp_path / "run") == status
    assert message in capsys.readouterr().err


def test_arrays_have_no_columns(tmp_path: Path, capsys: Capture) -> None:
    assert fit("digits", "--given-columns", "age", "-o", tmp_path / "run") == 3
    assert "takes columns of a table" in capsys.readouterr().err
