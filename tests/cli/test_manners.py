"""Version, completion, near misses, stdout, quiet and verbose, and the reference page of the commands."""

import io
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import reparam
from reparam.cli.main import EXIT_CODES
from reparam.errors import ReparamError
from reparam.plotting.latent_figures import latent_map
from tests.cli.helpers import Capture, fit, run
from tools.command_reference import page

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a classifier, and its data: one file with a key column and one without."""
    folder, rng = tmp_path_factory.mktemp("manners"), np.random.default_rng(0)
    kind = np.arange(60) % 2
    frame = pd.DataFrame(
        {"u": rng.normal(4.0 * kind), "v": rng.normal(size=60), "kind": np.array(["a", "b"])[kind]}
    )
    frame.to_csv(folder / "rows.csv", index=False)
    frame.to_parquet(folder / "rows.parquet", row_group_size=20)
    words = ("--label", "kind", "--set", "labels=Auxiliary(2)", "--epochs", 1, "--quiet")
    assert fit(folder / "rows.csv", *words, "-o", folder / "m") == 0
    return folder


def test_version_and_module(tmp_path: Path, capsys: Capture) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"reparam {reparam.__version__}\n"
    words = [sys.executable, "-m", "reparam", "--version"]
    assert subprocess.run(words, capture_output=True, text=True).stdout == f"reparam {reparam.__version__}\n"


def test_completion_is_of_the_command(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    assert run("--show-completion", "bash") == 0
    assert "_REPARAM_COMPLETE=complete_bash" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (("evalute",), "Did you mean 'evaluate'?"),
        (("fit", "digits", "--epoch", 3), "Did you mean '--epochs'?"),
        (("score", "m", "digits", "-o", "x.txt"), "cannot write .txt"),
    ],
)
def test_a_near_miss_is_one_line(words: tuple[object, ...], cure: str, capsys: Capture) -> None:
    assert run(*words) == 2
    said = capsys.readouterr().err
    assert cure in said and said.count("\n") == 1


@pytest.mark.parametrize("verb", ["score", "encode", "predict"])
@pytest.mark.parametrize("data", ["rows.csv", "rows.parquet"])
def test_results_go_to_stdout_with_row_numbers(verb: str, data: str, place: Path, capsys: Capture) -> None:
    """One piece, and blocks of a stream."""
    streamed = ("--buffer", 1) if data.endswith("parquet") else ()
    outs = []
    for words in ((), ("-o", "-")):
        assert run(verb, place / "m", place / data, *streamed, *words) == 0
        outs.append(capsys.readouterr().out)
    table = pd.read_csv(io.StringIO(outs[0]))
    assert outs[0] == outs[1] and table["row"].tolist() == list(range(60)) and len(table.columns) > 1


def test_rows_of_a_table_go_to_stdout_and_images_want_a_file(
    place: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert run("encode", place / "m", place / "rows.csv", "-o", tmp_path / "z.csv") == 0
    tables: list[tuple[object, ...]] = [
        ("sample", place / "m", "-n", 60),
        ("reconstruct", place / "m", place / "rows.csv"),
        ("impute", place / "m", place / "rows.csv"),
        ("decode", place / "m", tmp_path / "z.csv", "--label", "a"),
    ]
    for words in tables:
        capsys.readouterr()
        assert run(*words) == 0
        table = pd.read_csv(io.StringIO(capsys.readouterr().out))
        assert len(table) == 60 and {"u", "v"} <= set(table.columns)
    assert fit("digits:test", "--epochs", 1, "-o", tmp_path / "digits") == 0
    images: list[tuple[object, ...]] = [
        ("sample", tmp_path / "digits"),
        ("reconstruct", tmp_path / "digits", "digits:test"),
        ("impute", tmp_path / "digits", "digits:test"),
    ]
    for words in images:
        assert run(*words) == 2
        assert "name a file, -o FILE, or -o - for csv on stdout" in capsys.readouterr().err
    assert run("sample", tmp_path / "digits", "-n", 2, "-o", "-") == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_detect_writes_its_table_to_stdout(place: Path, capsys: Capture) -> None:
    assert run("detect", place / "rows.csv", "--contamination", 0.1) == 0
    said = capsys.readouterr()
    assert len(pd.read_csv(io.StringIO(said.out))) == 60 and "rows are anomalies" in said.err
    assert run("detect", place / "rows.csv", "--contamination", 0.1, "--json") == 0
    assert json.loads(capsys.readouterr().out)["scores"] is None


def test_codes_go_from_encode_to_decode(place: Path, tmp_path: Path, capsys: Capture) -> None:
    """The column of row numbers is no code."""
    assert run("encode", place / "m", place / "rows.csv", "-o", tmp_path / "z.csv") == 0
    assert run("decode", place / "m", tmp_path / "z.csv", "--label", "a", "-o", tmp_path / "x.csv") == 0
    assert list(pd.read_csv(tmp_path / "x.csv").columns) == ["u", "v"]


def test_quiet_and_verbose(place: Path, tmp_path: Path, capsys: Capture) -> None:
    words = ("fit", place / "rows.csv", "--epochs", 2, "-o", tmp_path / "m")
    assert run(*words, "--quiet") == 0
    assert all(": warning: " in line for line in capsys.readouterr().err.splitlines())
    assert run(*words, "--overwrite", "--verbose") == 0
    said = capsys.readouterr().err
    assert "epoch 1 of 2: bound" in said and "u: real" in said
    assert run(*words, "--verbose", "--quiet") == 2
    capsys.readouterr()
    assert run("score", place / "m", place / "none.csv", "--quiet") == 3
    assert "no such file" in capsys.readouterr().err


def test_what_the_library_logs_are_lines_on_stderr(capsys: Capture) -> None:
    assert run("--version") == 0
    capsys.readouterr()
    logging.getLogger("reparam.compilation").info("compiling")
    logging.getLogger("reparam.threads").info("two")
    logging.getLogger("reparam").warning("crowded")
    assert capsys.readouterr().err == "reparam: compiling\nreparam: warning: crowded\n"


def test_verbose_shows_the_traceback_and_ends_with_the_same_status(place: Path, capsys: Capture) -> None:
    assert run("score", place / "m", place / "none.csv", "--verbose") == 3
    *traceback, line = capsys.readouterr().err.splitlines()
    assert traceback[0].startswith("Traceback") and line.startswith("reparam: ") and "no such file" in line


def test_a_closed_pipe_is_no_error(place: Path) -> None:
    code = """
import os, sys
from reparam.cli import start
reader, writer = os.pipe()
os.close(reader)
os.dup2(writer, 1)
sys.argv = ["reparam", "recipes"]
start()
"""
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "")


def test_the_reference_page_is_current() -> None:
    current = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert current == page(), "run: python tools/command_reference.py > docs/commands.md"


def test_every_error_has_its_exit_code() -> None:
    errors: list[type[ReparamError]] = [ReparamError, *ReparamError.__subclasses__()]
    assert {error.status for error in errors} <= EXIT_CODES.keys()


def test_every_option_has_help() -> None:
    assert "a number" not in page()


def test_a_plot_is_coloured_by_a_column_that_is_data(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers as a quantity, text as classes; a missing one has no colour."""
    coloured: list[np.ndarray] = []

    def watched(Z: np.ndarray, y: np.ndarray, *words: Any) -> Figure:
        coloured.append(y)
        return latent_map(Z, y, *words)

    monkeypatch.setattr("reparam.plotting.model_plots.latent_map", watched)
    frame = pd.read_csv(place / "rows.csv")
    frame.loc[3, ["u", "kind"]] = None
    frame.to_csv(tmp_path / "rows.csv", index=False)
    words = ("--epochs", 1, "--latent-dim", 2, "--quiet", "-o", tmp_path / "m")
    assert fit(tmp_path / "rows.csv", *words) == 0
    for label in ("u", "kind"):
        shown = ("--data", tmp_path / "rows.csv", "--label", label, "-o", tmp_path / label)
        assert run("plot", tmp_path / "m", *shown) == 0
        assert pd.isna(coloured[-1][3])
        assert [*np.delete(coloured[-1], 3)] == [*frame[label].drop(3)]
    assert coloured[0].dtype.kind == "f"
