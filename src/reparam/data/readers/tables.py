"""Table files to data frames, and checks of their cells. An error names file, line and column."""

import csv
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from ...errors import DataError, extra
from ..codecs.base import LARGEST
from ..stream import Stream
from .csv_cells import COMMA, POINT, Decimals, meant, original
from .remote import RemoteFile
from .text import EXPANDED, Unchanged, check_expansion, content_of, opened, table_ending

ABSENT = ("", "?", "-", "--", "NA", "N/A", "n/a", "#N/A")
MISSING = (*ABSENT, "NaN", "nan", "NULL", "null", "None", "none", "missing")
MARKS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What may stand between cells."""
FEW = 20
"""Whole numbers with at most this many different values may be classes."""
Series = Any  # a pd.Series


def read(path: Path, missing: tuple[str, ...] = ()) -> pd.DataFrame:
    """A table of any type in `text.TEXT` and `text.BINARY`; in text the usual codes for missing are missing,
    and spaces around cells are removed."""
    content, ending = content_of(path), table_ending(path)
    if ending in (".csv", ".tsv"):
        frame = _separated(path, content, missing, "," if ending == ".csv" else "\t")
    elif ending == ".jsonl":
        frame = _json_lines(path, content)
    elif ending == ".xlsx":
        frame = _excel(path)
    else:
        if ending == ".parquet":
            _check_parquet(path)
        frame = pd.read_parquet(path) if ending == ".parquet" else pd.read_feather(path)
    frame.attrs["file"] = str(path)
    if content is not None:
        frame.attrs["content"] = content
    if frame.empty:
        raise DataError(f"{path} has a header and no rows; at least one row is needed")
    return frame


def _check_parquet(path: Path) -> None:
    """DataError where a small file describes so many cells that they were made to fill the memory."""
    from pyarrow import parquet  # type: ignore[import-untyped]

    about = parquet.read_metadata(path)
    cells = about.num_rows * about.num_columns
    check_expansion(str(path), 8 * cells, path.stat().st_size, "write it without long runs of equal values")


def _separated(path: Path, content: bytes | None, missing: tuple[str, ...], usual: str) -> pd.DataFrame:
    mark = _rectangular(path, content, usual)
    spellings = [*MISSING, *missing]
    words: Any = {"na_values": spellings, "skipinitialspace": True, "low_memory": False, "sep": mark}
    try:
        with opened(str(path), content) as file:
            frame: pd.DataFrame = pd.read_csv(file, **words)
        decimals = POINT
        if mark == ";" and any(_has_decimal_commas(values) for _, values in frame.items()):
            decimals = COMMA
            with opened(str(path), content) as file:
                frame = pd.read_csv(file, decimal=",", **words)
    except pd.errors.ParserError as error:
        fault = str(error).split(": ")[-1]
        if "out of memory" in fault:
            raise MemoryError(fault) from None
        raise DataError(
            f"{path} is not a table ({fault}); close every quote, separate cells with commas"
        ) from None
    columns = {original(str(name)): _cells(values, decimals) for name, values in frame.items()}
    return pd.DataFrame(columns, index=frame.index)  # columns set one by one take quadratic time


def _has_decimal_commas(values: Series) -> bool:
    if not is_text(values) or COMMA.numbers(values.dropna().astype(str).str.strip()) is None:
        return False
    return bool(values.astype(str).str.contains(",").any())


def _cells(values: Series, decimals: Decimals) -> Series:
    """A column of a text file: texts as what they mean, all else as it is."""
    texts = is_text(values) and values.map(type, na_action="ignore").dropna().eq(str).all()
    return meant(values, decimals) if texts else values


def _json_lines(path: Path, content: bytes | None) -> pd.DataFrame:
    """One object a line, whose values are numbers, text, true, false or null."""
    with opened(str(path), content) as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line) if line.strip() else {}
            except (ValueError, RecursionError) as error:
                raise DataError(
                    f"{path}, line {number} is not JSON ({error}); write one object a line"
                ) from None
            if not isinstance(row, dict):
                raise DataError(f'{path}, line {number} is no object; write {{"column": value, ...}} a line')
            if nested := [name for name, value in row.items() if isinstance(value, dict | list)]:
                cure = "give each number a column of its own"
                raise DataError(f"{path}, line {number}, column {nested[0]!r} holds several values; {cure}")
    with io.TextIOWrapper(opened(str(path), content), "utf-8-sig") as text:
        words: Any = {"lines": True, "dtype": False, "precise_float": True}
        frame: pd.DataFrame = pd.read_json(text, **words)
    return frame


def _excel(path: Path) -> pd.DataFrame:
    """The first sheet."""
    with extra("excel", "an .xlsx file"):
        import openpyxl  # type: ignore[import-untyped]
    try:
        with zipfile.ZipFile(path) as held:
            expanded = sum(info.file_size for info in held.infolist())
            if expanded > EXPANDED:
                raise DataError(f"{path} expands to more than {EXPANDED >> 20} MiB; write it as .parquet")
            check_expansion(str(path), expanded, path.stat().st_size, "save it again")
        frame: pd.DataFrame = pd.read_excel(path, engine=openpyxl.__name__, na_values=list(MISSING))
        return frame
    except zipfile.BadZipFile as error:
        raise DataError(f"{path} is not an .xlsx file ({error}); save it again") from None


def stream(paths: Sequence[Path | RemoteFile], buffer: int, columns: list[str] | None = None) -> Stream:
    """The rows of .parquet shards, a row group at a time, or some of their columns; rows are numbered across
    all shards."""
    from pyarrow import parquet

    groups, sizes, first = list[tuple[Path | RemoteFile, int]](), list[int](), None
    for path in paths:
        with source(path) as file:
            about = parquet.read_metadata(file)
        names = about.schema.to_arrow_schema().names
        first = first or names
        if names != first:
            raise DataError(f"{path} has other columns than {paths[0]}; give all shards the same columns")
        groups += [(path, i) for i in range(about.num_row_groups)]
        sizes += [about.row_group(i).num_rows for i in range(about.num_row_groups)]
    starts = np.cumsum([0, *sizes])
    if not starts[-1]:
        raise DataError(f"{paths[0]} has no rows; at least one row is needed")

    files = {path: Unchanged(path) for path in paths}

    def read(i: int) -> pd.DataFrame:
        path, group = groups[i]
        with files[path].read(), source(path) as file:
            frame: pd.DataFrame = parquet.ParquetFile(file).read_row_group(group, columns).to_pandas()
        frame.index = pd.RangeIndex(starts[i], starts[i + 1])
        frame.attrs["file"] = str(path)
        return frame

    return Stream(sizes, read, buffer)


def source(path: Path | RemoteFile) -> AbstractContextManager[Any]:
    """What pyarrow reads: a path, or the open file of an address."""
    return nullcontext(path) if isinstance(path, Path) else path.open()


def _rectangular(path: Path, content: bytes | None, usual: str) -> str:
    """The mark between cells: the `usual` one, or another if the header has that alone. Raises for faults
    that pandas would correct silently, or report without a line."""
    try:
        with io.TextIOWrapper(opened(str(path), content), "utf-8-sig", newline="") as file:
            header = re.sub('"[^"]*"', "", file.readline())
            mark = usual if usual in header else next((m for m in MARKS if m in header), usual)
        with io.TextIOWrapper(opened(str(path), content), "utf-8-sig", newline="") as file:
            read, header_cells = next(_rows(file, mark, 0), (0, []))
            names = [name.strip() for name in header_cells]
            for number, cells in _cells_by_line(file, mark, read):
                if cells not in (0, len(names)):
                    fault = f"has {cells} cells and the header {len(names)}"
                    cure = f"give each line as many, and quote text that contains {MARKS[mark]}"
                    raise DataError(f"{path}, line {number} {fault}; {cure}")
    except UnicodeDecodeError:
        with opened(str(path), content) as raw:
            data = raw.read()
        line = data.count(b"\n", 0, _first_fault(data)) + 1
        raise DataError(f"{path}, line {line} is not UTF-8 text; save the file again as UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{path}, {error}; close every quote") from None
    names = [original(name) for name in names]
    if twice := [name for name, times in Counter(names).items() if name and times > 1]:
        raise DataError(f"{path}, line 1 has a duplicate column {min(twice)!r}; rename one")
    return mark


def _rows(lines: Iterable[str], mark: str, read: int) -> Iterator[tuple[int, list[str]]]:
    """The line on which each row ends, after `read` lines, and its cells; csv.Error names the line."""
    rows = csv.reader(lines, delimiter=mark, skipinitialspace=True)
    try:
        for cells in rows:
            yield read + rows.line_num, cells
    except csv.Error as error:
        raise csv.Error(f"line {read + rows.line_num}: {error}") from None


def _cells_by_line(file: io.TextIOWrapper, mark: str, read: int) -> Iterator[tuple[int, int]]:
    """The line on which each further row ends, after `read` lines, and its number of cells, 0 of a blank one.
    Up to the first quote, or line that may hold a cell of unusual length, marks are only counted, which takes
    a third of the time."""
    longest = csv.field_size_limit()
    for number, line in enumerate(file, read + 1):
        if '"' in line or len(line) > longest:
            yield from ((at, len(cells)) for at, cells in _rows(chain([line], file), mark, number - 1))
        else:
            yield number, line.count(mark) + 1 if line.strip("\r\n") else 0


def _first_fault(data: bytes) -> int:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    return 0


def where(frame: pd.DataFrame, i: int, name: str) -> str:
    """The position of the cell in row `i` (from 0): the line of a text file, the row of a sheet, else the
    row's index."""
    file = frame.attrs.get("file", "")
    match table_ending(Path(file)) if file else "":
        case ".csv" | ".tsv" | ".jsonl" as ending:
            row = f"line {_line(file, frame.attrs.get('content'), ending, i)}"
        case ".xlsx":
            row = f"row {i + 2}"
        case _:
            row = f"row {frame.index[i]}"
    return f"{file + ', ' if file else ''}{row}, column {name!r}"


def _line(file: str, content: bytes | None, ending: str, i: int) -> int:
    """The line on which row `i` (from 0) of a text file ends; blank lines are not rows."""
    with io.TextIOWrapper(opened(file, content), "utf-8-sig", newline="") as held:
        if ending == ".jsonl":
            return next(islice((n for n, line in enumerate(held, 1) if line.strip()), i, None), i + 1)
        lines = csv.reader(held, delimiter="," if ending == ".csv" else "\t", skipinitialspace=True)
        filled = (lines.line_num for cells in lines if cells)
        return next(islice(filled, i + 1, None), i + 2)


def reject_cells(frame: pd.DataFrame, name: str, invalid: Any, cure: str) -> None:
    """DataError at the first cell of a column where `invalid` (n,) is true."""
    invalid = np.asarray(invalid, bool)
    if invalid.any():
        i = int(invalid.argmax())
        value = frame[name].iloc[i]
        value = value.item() if isinstance(value, np.generic) else value
        shown = f"{value:g}" if isinstance(value, float) else repr(value)
        raise DataError(f"{where(frame, i, name)} holds {shown}{cure}")


def large(frame: pd.DataFrame, name: str, numbers: Any) -> None:
    cure = f", outside -{LARGEST:g} to {LARGEST:g}; correct the cell, or rescale or drop the column"
    reject_cells(frame, name, np.abs(numbers) > LARGEST, cure)


def is_text(values: Series) -> bool:
    return not isinstance(values.dtype, pd.CategoricalDtype) and (
        types.is_string_dtype(values) or values.dtype == object
    )
