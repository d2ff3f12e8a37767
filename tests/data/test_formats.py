"""Tables of every type are one table, text may be compressed, and images are read in archives."""

import csv
import gzip
import io
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reparam.data.load import load
from reparam.data.readers import archives, text
from reparam.data.readers.tables import _cells_by_line
from reparam.errors import DataError
from tests.cli.helpers import Capture, fit, run

FRAME = pd.DataFrame({"u": [1.5, None, 3.25], "kind": ["a", "b, c", "a"], "n": [1, 2, 3]})
FORMS: dict[str, Callable[[Path], object]] = {
    "rows.csv": lambda path: FRAME.to_csv(path, index=False),
    "rows.tsv": lambda path: FRAME.to_csv(path, index=False, sep="\t"),
    "rows.csv.gz": lambda path: FRAME.to_csv(path, index=False),
    "rows.tsv.bz2": lambda path: FRAME.to_csv(path, index=False, sep="\t"),
    "rows.csv.xz": lambda path: FRAME.to_csv(path, index=False),
    "rows.csv.zip": lambda path: FRAME.to_csv(path, index=False),
    "rows.jsonl": lambda path: FRAME.to_json(path, orient="records", lines=True),
    "rows.jsonl.gz": lambda path: FRAME.to_json(path, orient="records", lines=True),
    "rows.parquet": FRAME.to_parquet,
    "rows.feather": FRAME.to_feather,
    "rows.arrow": FRAME.to_feather,
    "rows.xlsx": lambda path: FRAME.to_excel(path, index=False),
    "semicolons.csv": lambda path: FRAME.to_csv(path, index=False, sep=";"),
    "decimal-commas.csv": lambda path: FRAME.to_csv(path, index=False, sep=";", decimal=","),
    "tabs.csv": lambda path: FRAME.to_csv(path, index=False, sep="\t"),
    "bars.csv": lambda path: FRAME.to_csv(path, index=False, sep="|"),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_type_is_the_same_table(name: str, tmp_path: Path) -> None:
    FORMS[name](tmp_path / name)
    pd.testing.assert_frame_equal(load(str(tmp_path / name)).X, FRAME, check_dtype=False)


def test_csv_on_stdin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture) -> None:
    rows = "u,v\n" + "".join(f"{i % 5}.5,{i % 3}.25\n" for i in range(30))

    def pipe(content: str) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content.encode())))

    pipe(rows)
    assert fit("-", "--epochs", 1, "-o", tmp_path / "m") == 0
    pipe(rows)
    capsys.readouterr()
    assert run("score", tmp_path / "m", "-") == 0
    assert len(capsys.readouterr().out.splitlines()) == 31
    pipe(rows + "1,2,3\n")
    assert run("score", tmp_path / "m", "-") == 3
    assert "-, line 32 has 3 cells and the header 2" in capsys.readouterr().err
    pipe("")
    assert run("score", tmp_path / "m", "-") == 3
    assert "stdin is empty" in capsys.readouterr().err


WRONG = "n\n1\n2\n\n3\nfour\n5\n6\n"


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        (
            "x.csv.gz",
            gzip.compress(WRONG.encode(), mtime=0),
            "x.csv.gz, line 6, column 'n' holds 'four' among numbers",
        ),
        ("x.tsv", WRONG.encode(), "x.tsv, line 6, column 'n' holds 'four' among numbers"),
        ("x.tsv", b"a\tb\n1\t2\n1\n", "x.tsv, line 3 has 1 cells and the header 2"),
        ("x.csv", b'a,b\n1,2\n\n"x\ny",3\n1\n', "x.csv, line 6 has 1 cells and the header 2"),
        ("x.csv", b"a,b\n1,2\n" + 150_000 * b"x" + b",3\n", "x.csv, line 3: field larger than"),
        ("x.csv", 150_000 * b"x" + b",b\n1,2\n", "x.csv, line 1: field larger than"),
        ("x.csv.gz", b"a,b\n1,2\n", "damaged or not what its name says"),
        ("x.csv.gz", gzip.compress(b"a,b\n1,2\n" * 999, mtime=0)[:-9], "damaged or not what its name says"),
        ("x.csv.zip", b"PK", "damaged or not what its name says"),
        ("x.csv.gz", gzip.compress(b"a,b\n1,\xff\n", mtime=0), "x.csv.gz, line 2 is not UTF-8"),
        ("x.jsonl", b'{"a": 1}\n{"a": \n', "x.jsonl, line 2 is not JSON"),
        ("x.jsonl", b'{"a": 1}\n[1]\n', "x.jsonl, line 2 is no object"),
        ("x.jsonl", b'{"a": 1}\n\n{"a": [1, 2]}\n', "x.jsonl, line 3, column 'a' holds several values"),
        ("x.xlsx", b"a,b\n", "is not an .xlsx file"),
        ("x.feather", b"a,b\n", "write it again"),
        ("x.zip", b"PK", "damaged, or not a .zip file"),
        ("x.tar", b"PK", "damaged, or not a .tar file"),
    ],
)
def test_faults_name_file_line_and_column(
    name: str, content: bytes, fault: str, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / name).write_bytes(content)
    assert fit(tmp_path / name, "--epochs", 1, "-o", tmp_path / "m") == 3
    said = capsys.readouterr().err
    assert fault in said and said.count("\n") == 1


def test_cells_are_counted_as_the_reader_of_csv_finds_them() -> None:
    chance = random.Random(0)
    for _ in range(5000):
        content = "".join(chance.choices('a,"\r\n \té1', k=chance.randrange(30))).encode()
        held, again = (io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline="") for _ in range(2))
        rows = csv.reader(held, delimiter=",", skipinitialspace=True)
        assert list(_cells_by_line(again, ",", 0)) == [(rows.line_num, len(cells)) for cells in rows]


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "EXPANDED", 4 << 20)
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * (2 << 20)))
    with pytest.raises(DataError, match="expands to more than 4 MiB"):
        load(str(tmp_path / "x.csv.gz"))
    with zipfile.ZipFile(tmp_path / "x.csv.zip", "w") as held:
        held.writestr("a.csv", "a\n1\n")
        held.writestr("b.csv", "a\n1\n")
    with pytest.raises(DataError, match="holds 2 files"):
        load(str(tmp_path / "x.csv.zip"))


def picture(level: int) -> bytes:
    held = io.BytesIO()
    Image.fromarray(np.full((6, 8), level, np.uint8)).save(held, "PNG")
    return held.getvalue()


def archived(path: Path, files: dict[str, bytes]) -> str:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as held:
            for name, content in files.items():
                held.writestr(name, content)
    else:
        with tarfile.open(path, "w") as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return str(path)


@pytest.mark.parametrize("ending", ["zip", "tar"])
@pytest.mark.parametrize("buffer", [None, 1 << 20])
def test_images_are_read_in_an_archive(ending: str, buffer: int | None, tmp_path: Path) -> None:
    files = {f"photos/{kind}/{i}.png": picture(20 * i) for i, kind in enumerate(["cat", "cat", "dog"])}
    noise = {"photos/readme.txt": b"hello", "__MACOSX/photos/cat/._0.png": b"junk"} if ending == "zip" else {}
    got = load(archived(tmp_path / f"all.{ending}", files | noise), buffer=buffer)
    for name, content in files.items():
        file = tmp_path / "all" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    folder = load(str(tmp_path / "all" / "photos"))
    np.testing.assert_array_equal(got.X[:], folder.X)
    assert got.y.tolist() == folder.y.tolist() and got.keys.tolist() == folder.keys.tolist()
    assert {path.name for path in tmp_path.iterdir()} == {f"all.{ending}", "all"}


def test_splits_of_an_archive(tmp_path: Path) -> None:
    files = {f"{part}/{i}.png": picture(i) for part, n in (("train", 3), ("test", 2)) for i in range(n)}
    path = archived(tmp_path / "all.zip", files)
    assert [len(load(path + part).X) for part in ("", ":train", ":test")] == [3, 3, 2]
    with pytest.raises(DataError, match="has no folder 'valid'"):
        load(path + ":valid")


@pytest.mark.parametrize("ending", ["zip", "tar"])
@pytest.mark.parametrize("name", ["../out.png", "/out.png", "a/../../out.png"])
def test_a_path_out_of_the_archive_is_refused(name: str, ending: str, tmp_path: Path) -> None:
    path = archived(tmp_path / f"all.{ending}", {name: picture(1), "b.png": picture(2)})
    with pytest.raises(DataError, match="holds a file outside of itself"):
        load(path)


def test_large_files_of_an_archive_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MEMBER", 1 << 20)
    files = {"a.png": picture(1), "big.png": bytes(3 << 20)}
    with pytest.raises(DataError, match=r"1 of 2 images cannot be read: big.png \(its 3 MiB are too many\)"):
        load(archived(tmp_path / "all.zip", files))
    assert len(load(archived(tmp_path / "all.zip", files), skip_bad=True).X) == 1


def test_links_of_a_tar_are_no_images(tmp_path: Path) -> None:
    path = Path(archived(tmp_path / "all.tar", {"a.png": picture(1)}))
    with tarfile.open(path, "a") as held:
        link = tarfile.TarInfo("b.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        held.addfile(link)
    assert load(str(path)).keys.tolist() == ["a.png"]


def test_a_csv_of_a_country_with_decimal_commas(tmp_path: Path) -> None:
    """Points between thousands, and the day first; a column of which one text has another form is text."""
    lines = ['Tag;Preis;Menge;Code;"a;b"', "14.05.2022;1.234,5;1.240;1,5;x", "3.1.2023;;12;1.2.3;y"]
    (tmp_path / "t.csv").write_text("\ufeff" + "\n".join(lines) + "\n")
    table = load(str(tmp_path / "t.csv")).X
    assert list(table.columns) == ["Tag", "Preis", "Menge", "Code", "a;b"]
    assert table["Tag"].tolist() == [pd.Timestamp(2022, 5, 14), pd.Timestamp(2023, 1, 3)]
    assert table["Preis"].iloc[0] == 1234.5 and np.isnan(table["Preis"].iloc[1])
    assert table["Menge"].tolist() == [1240, 12] and table["Menge"].dtype.kind == "i"
    assert table["Code"].tolist() == ["1,5", "1.2.3"]


def test_numbers_with_units_and_thousands(tmp_path: Path) -> None:
    rows = ['"$1,234.50",12%,"33,532",$5', "$7, 3.5 % ,12,€5"]
    (tmp_path / "t.csv").write_text("\n".join(["price,share,units,mixed", *rows]) + "\n")
    table = load(str(tmp_path / "t.csv")).X
    assert table["price"].tolist() == [1234.5, 7] and table["share"].tolist() == [12, 3.5]
    assert table["units"].tolist() == [33532, 12] and table["units"].dtype.kind == "i"
    assert table["mixed"].tolist() == ["$5", "€5"]


def test_points_stay_decimal_points(tmp_path: Path) -> None:
    """Where no number has a comma, or cells stand between commas."""
    (tmp_path / "a.csv").write_text("p;q\n1.234;x\n2.5;y\n")
    assert load(str(tmp_path / "a.csv")).X["p"].tolist() == [1.234, 2.5]
    (tmp_path / "b.csv").write_text('p,q\n"1,234",x\n"2,5",y\n')  # thousands, or a decimal comma
    assert load(str(tmp_path / "b.csv")).X["p"].tolist() == ["1,234", "2,5"]
    (tmp_path / "c.csv").write_text("day,q\n30.02.2022,x\n01.02.2022,y\n")
    assert load(str(tmp_path / "c.csv")).X["day"].tolist() == ["30.02.2022", "01.02.2022"]
