"""Bad data: one line that names the file, the line and the column, and the cure; nothing is written."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from reparam.data.load import load
from reparam.errors import DataError
from tests.cli.helpers import Capture, fit, run

NUMBERS = np.random.default_rng(0).normal(size=30).round(3).tolist()


def table(*more: str, header: str = "a,b", before: int = 5) -> bytes:
    """Thirty good lines `number,x`, and `more` after the first five."""
    lines = [f"{number},{'xy'[i % 2]}" for i, number in enumerate(NUMBERS)]
    return "\n".join([header, *lines[:before], *more, *lines[before:], ""]).encode()


FIT = {
    "ragged, long": (table("1,x,3"), "line 7 has 3 cells and the header 2; give each line as many"),
    "ragged, short": (table("1"), "line 7 has 1 cells and the header 2"),
    "latin-1": (table("1,café").decode().encode("latin-1"), "line 7 is not UTF-8 text; save the file again"),
    "utf-16": (table().decode().encode("utf-16"), "line 1 is not UTF-8 text"),
    "an open quote": (table('1,"x'), "EOF inside string starting at row 6); close every quote"),
    "semicolons, ragged": (
        table("1;x;3").replace(b",", b";"),
        "give each line as many, and quote text that contains semicolons",
    ),
    "columns of one name": (table(header="a,a"), "line 1 has a duplicate column 'a'; rename one"),
    "thousands of thousands": (
        table(f'"{",".join(["999"] * 140)}",x'),
        "line 7, column 'a' holds inf",
    ),
    "infinity": (table("inf,x"), "line 7, column 'a' holds inf, outside -1e+18 to 1e+18"),
    "an outlier": (table("-1e30,x"), "line 7, column 'a' holds -1e+30, outside -1e+18 to"),
    "text among numbers": (table("twelve,x"), "line 7, column 'a' holds 'twelve' among numbers; correct it"),
    "dates in two formats": (
        b"a,b\n" + b"1.5,2024-01-05\n2.5,2024-03-01\n" * 9 + b"3.5,05/01/2024\n",
        "line 20, column 'b' holds '05/01/2024' among dates like '2024-01-05'; write every date as YYYY-",
    ),
    "a slip among dates": (
        b"a,b\n" + b"1.5,2024-01-05\n2.5,2024-03-01\n" * 9 + b"3.5,soon\n",
        "line 20, column 'b' holds 'soon' among dates like '2024-01-05'",
    ),
    "no rows": (b"a,b\n", "has a header and no rows; at least one row is needed"),
    "one row": (b"a,b\n1,x\n", "has one row; training needs two or more"),
    "no bytes": (b"", "is empty (0 bytes)"),
    "nothing varies": (b"a,b\n1,x\n1,x\n", "no column of the table varies"),
}


@pytest.mark.parametrize("fault", FIT)
def test_a_table_that_cannot_be_fitted(fault: str, tmp_path: Path, capsys: Capture) -> None:
    data, message = FIT[fault]
    (tmp_path / "t.csv").write_bytes(data)
    assert fit(tmp_path / "t.csv", "-o", tmp_path / "run", "--epochs", 1) == 3
    err = capsys.readouterr().err.strip().splitlines()
    assert len(err) == 1 and message in err[0]
    assert "t.csv" in err[0] or fault == "nothing varies"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (table("1e12,x"), "line 7, column 'a' holds 1e+12, an outlier"),
        (b"a,b\n" + b"1.5,\n2.5,\n" * 9, "column 'b' is empty and not modelled"),
    ],
)
def test_what_is_fitted_with_a_warning(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(data)
    with pytest.warns(UserWarning, match=f"t.csv, {message.replace('+', '.')}"):
        assert fit(tmp_path / "t.csv", "-o", tmp_path / "run", "--epochs", 1) == 0


def test_numbers_and_a_word_may_be_classes(tmp_path: Path) -> None:
    """Whole numbers of few values beside a word are kinds, as in "0, 1, 2, 4+"."""
    (tmp_path / "t.csv").write_bytes(b"a,b\n" + b"1.5,0\n2.5,1\n2.7,2\n" * 9 + b"3.5,4+\n")
    assert fit(tmp_path / "t.csv", "-o", tmp_path / "run", "--epochs", 1) == 0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bad")
    (path / "t.csv").write_bytes(table())
    assert fit(path / "t.csv", "-o", path / "run", "--epochs", 2) == 0
    return path / "run"


SCORE = {
    "text": (table("twelve,x"), "line 7, column 'a' holds 'twelve'; the column held numbers in training"),
    "infinity": (table("inf,x"), "line 7, column 'a' holds inf"),
    "an outlier": (table("1e30,x"), "line 7, column 'a' holds 1e+30"),
    "a missing column": (table(header="a,c"), "lacks the training data's column 'b'; add it, with empty"),
    "no rows": (b"a,b\n", "has a header and no rows"),
}


@pytest.mark.parametrize("fault", SCORE)
def test_a_table_that_cannot_be_scored(fault: str, model: Path, tmp_path: Path, capsys: Capture) -> None:
    data, message = SCORE[fault]
    (tmp_path / "t.csv").write_bytes(data)
    assert run("score", model, tmp_path / "t.csv", "-o", tmp_path / "s.csv") == 3
    err = capsys.readouterr().err.strip().splitlines()
    assert len(err) == 1 and message in err[0] and "t.csv" in err[0]
    assert not (tmp_path / "s.csv").exists()


def scores(model: Path, path: Path, data: bytes) -> list[str]:
    (path / "t.csv").write_bytes(data)
    assert run("score", model, path / "t.csv", "-o", path / "s.csv") == 0
    return [line.split(",")[-1] for line in (path / "s.csv").read_text().splitlines()[1:]]


def test_columns_are_matched_by_name(model: Path, tmp_path: Path) -> None:
    lines = [line.split(",") for line in table().decode().split()]
    turned = "\n".join(f"{b},{a}" for a, b in lines).encode()
    wider = "\n".join(f"{a},{b},{a}{'c' * (a == 'a')}" for a, b in lines).encode()
    expected = scores(model, tmp_path, table())
    assert scores(model, tmp_path, turned) == expected
    with pytest.warns(UserWarning, match="t.csv: column 'ac' was not in training and is ignored"):
        assert scores(model, tmp_path, wider) == expected
    assert len(scores(model, tmp_path, b"a,b\n1.5,x\n")) == 1


def test_an_unknown_category_is_less_likely_than_a_missing_one(model: Path, tmp_path: Path) -> None:
    missing = scores(model, tmp_path, table("1.5,"))
    with pytest.warns(UserWarning, match=r"t.csv, line 7, column 'b' holds 'z', a value not seen in"):
        unknown = scores(model, tmp_path, table("1.5,z"))
    lower = [i for i, (a, b) in enumerate(zip(unknown, missing, strict=True)) if float(a) < float(b) - 1]
    assert lower == [5] and unknown[:5] == missing[:5]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_arrays_with_no_numbers_in_places(value: float, tmp_path: Path, capsys: Capture) -> None:
    X = np.random.default_rng(0).normal(size=(9, 4))
    X[2, 3] = value
    np.save(tmp_path / "a.npy", X)
    assert fit(tmp_path / "a.npy", "-o", tmp_path / "run") == 3
    assert "row 2, column 3; correct it, or let NaN mean missing with" in capsys.readouterr().err
    np.save(tmp_path / "a.npy", X[:1])
    assert fit(tmp_path / "a.npy", "-o", tmp_path / "run") == 3


def test_labels_of_one_class(tmp_path: Path, capsys: Capture) -> None:
    np.savez(tmp_path / "a.npz", X=np.random.default_rng(0).normal(size=(9, 4)), y=np.zeros(9, int))
    words = ("-o", tmp_path / "run", "--set", "labels=Auxiliary(2)")
    assert fit(tmp_path / "a.npz", *words) == 3
    assert "y has one class, 0: leave labels out, or add another class" in capsys.readouterr().err


def header(shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((10**6, 10**6), "too many numbers for memory"),
        ((10**6,), "has fewer numbers than shape"),
    ],
)
def test_a_bomb_is_refused_before_it_is_allocated(
    shape: tuple[int, ...], message: str, tmp_path: Path
) -> None:
    (tmp_path / "a.npy").write_bytes(header(shape))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", header(shape))
    for name in ("a.npy", "a.npz"):
        with pytest.raises(DataError, match=message):
            load(str(tmp_path / name))


def test_lines_are_those_of_the_file(tmp_path: Path, capsys: Capture) -> None:
    """Blank lines and lines within quotes count too."""
    rows = ['"a\nb",1', "", "x,2.1", "y,3", *["x,4.5", "y,5"] * 10, "x,oops"]
    (tmp_path / "t.csv").write_text("\n".join(["w,v", *rows]) + "\n")
    assert fit(tmp_path / "t.csv", "-o", tmp_path / "run") == 3
    assert "line 27, column 'v' holds 'oops'" in capsys.readouterr().err
