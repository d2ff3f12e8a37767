"""Hostile data files: one line and an exit status; what we write runs in no spreadsheet and no terminal."""

import csv
import random
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from reparam import VAE, DataError, Training, load
from reparam.cli.write_results import write
from tests.cli.helpers import Capture, fit, run
from tests.torture.data import arrays, by_hand, pictures, tables
from tests.torture.models import write_models
from tests.torture.outcome import outcome

pytestmark = pytest.mark.filterwarnings("ignore:.*(not seen in training|was not in training)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models")
    write_models(path)
    return path


@pytest.mark.parametrize(("spoil", "model"), [(tables, "table"), (arrays, "codes"), (pictures, "images")])
def test_spoilt_files_give_one_line_and_an_exit_status(
    spoil: Any, model: str, folder: Path, tmp_path: Path
) -> None:
    for name, data in islice(spoil(random.Random(0)), 40):
        (tmp_path / name).write_bytes(data)
        place = tmp_path if spoil is pictures else tmp_path / name
        more = ("--skip-bad",) if spoil is pictures else ()
        found = outcome(
            "score", folder / f"{model}.safetensors", place, *more, "-k", 1, "-o", tmp_path / "o.csv"
        )
        assert not found.fault, f"{name}: {found.fault}"
        assert found.status in (0, 3)
        (tmp_path / name).unlink()


def test_bombs_pipes_circles_and_odd_names_neither_hang_nor_fill_the_memory(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for path in by_hand(tmp_path / "in"):
        try:
            data = load(str(path))
            assert len(data.X) in (2, 5) and data.keys is not None
            for key in data.keys:
                key.encode()
        except DataError as error:
            assert "\n" not in str(error) and path.name in str(error)
    for name in ("bomb.csv.gz", "bomb.npz", "bomb.parquet"):
        with pytest.raises(DataError, match="over 200 times its size"):
            load(str(tmp_path / "in" / name))


CELLS = [
    "=1+1",
    "+x",
    "-x",
    "@a",
    "\tb",
    "\rc",
    "'=d",
    "''-e",
    "it's",
    "'f'",
    "-0.5 m",
    "= 2",
    "x=1",
    "plain",
]


@pytest.mark.parametrize("kind", ["str", "object", "category"])
def test_no_cell_of_a_csv_that_we_write_is_a_formula_and_it_is_read_back(kind: Any, tmp_path: Path) -> None:
    frame = pd.DataFrame({"=name()": CELLS, "-1": np.linspace(-1, 1, len(CELLS)), "+a,b": "-"})
    frame["=name()"] = frame["=name()"].astype(kind)
    write(tmp_path / "t.csv", frame)
    with (tmp_path / "t.csv").open(newline="") as file:
        for cell in chain(*csv.reader(file)):
            assert cell[0] not in "=@\t\r", cell
            assert cell[0] not in "+-" or np.isfinite(float(cell)), cell
    back = load(str(tmp_path / "t.csv")).X
    assert list(back.columns) == list(frame.columns)
    assert back["=name()"].tolist() == CELLS and back["+a,b"].tolist() == ["-"] * len(CELLS)
    np.testing.assert_array_equal(back["-1"], frame["-1"])


def test_columns_of_a_csv_are_read_in_linear_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No column is set one by one in a frame of many, which takes quadratic time."""

    def refuse(*words: object) -> None:
        raise AssertionError("a column is set in a frame")

    header, row = ",".join(f"c{i}" for i in range(2000)), ",".join("ab"[i % 2] for i in range(2000))
    (tmp_path / "t.csv").write_text(f"{header}\n{row}\n{row}\n")
    monkeypatch.setattr(pd.DataFrame, "__setitem__", refuse)
    assert load(str(tmp_path / "t.csv")).X.shape == (2, 2000)


def test_names_cannot_command_the_terminal(tmp_path: Path, capsys: Capture) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"\x1b[2Jred": rng.normal(size=40), "[/bold]": rng.normal(size=40)})
    frame.to_parquet(tmp_path / "t.parquet")
    assert run("detect", tmp_path / "t.parquet", "--seed", 0, "-o", tmp_path / "a.csv") == 0
    assert fit(tmp_path / "t.parquet", "--epochs", 1, "-o", tmp_path / "run") == 0
    assert run("show", tmp_path / "run") == 0
    assert run("score", tmp_path / "run", tmp_path / "\x1b[2J.csv") == 3
    said = capsys.readouterr()
    assert "\N{REPLACEMENT CHARACTER}[2Jred" in said.out + said.err
    assert "\x1b" not in said.out + said.err


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pd.cut(np.arange(40.0), 4), r"interval.*write text: X\['c'\].astype\(str\)"),
        (pd.to_timedelta(np.arange(40), unit="h"), "timedelta64.*total_seconds"),
        (pd.period_range("2024-01", periods=40, freq="M"), "period.*to_timestamp"),
        (np.arange(40) + 1j, "complex.*a column each"),
        ([b"a", b"b"] * 20, "bytes.*decode"),
        ([object()] * 40, "object.*write numbers, text or dates"),
        (pd.Categorical(pd.to_datetime(["2024-01-01", "2024-01-02"] * 20)), "datetime64.*write dates"),
    ],
)
def test_columns_of_types_that_cannot_be_stored_are_refused(values: Any, message: str) -> None:
    frame = pd.DataFrame({"a": np.linspace(0, 1, 40), "c": values})
    with pytest.raises(DataError, match=message):
        VAE(1).fit(frame)


def test_a_constant_date_is_kept(tmp_path: Path) -> None:
    day = pd.Timestamp("2024-02-29")
    frame = pd.DataFrame({"a": np.linspace(0, 1, 40), "c": day})
    VAE(1, training=Training(epochs=1), random_state=0).fit(frame).save(tmp_path / "m")
    vae = VAE.load(tmp_path / "m")
    assert vae.sample(2)["c"].tolist() == [day, day]
    np.testing.assert_array_equal(vae.score_samples(frame), vae.score_samples(frame.assign(c=day)))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.arange(40).reshape(20, 2).astype("M8[D]"), "datetime64.*write dates as days"),
        (np.arange(40).reshape(20, 2).astype("m8[s]"), "timedelta64.*this model reads numbers"),
        (torch.ones(20, 2, requires_grad=True), r"requires gradients.*X\.detach"),
        (np.ones((20, 2)).view(np.matrix), r"pass numpy\.asarray"),
        (np.ones((20, 2)) * 1j, "Complex data not supported"),
    ],
)
def test_arrays_that_are_no_numbers_are_refused(X: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        VAE(1).fit(X)
