"""Table files to data frames, and checks of their cells. An error names file, line and column."""

import csv
import datetime
import io
import json
import warnings
import zipfile
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from ...errors import DataError, extra
from ..codecs.base import LARGEST
from ..stream import Stream
from .text import EXPANDED, content_of, opened, table_ending

ABSENT = ("", "?", "-", "--", "NA", "N/A", "n/a", "#N/A")
MISSING = (*ABSENT, "NaN", "nan", "NULL", "null", "None", "none", "missing")
FAR = 1e6
"""A value this many interquartile ranges from the median causes a warning."""
MOST = 0.8
"""If this share of a text column are numbers, or dates, the other cells are errors."""
FEW = 20
"""Whole numbers with at most this many different values may be classes."""
DATE = r"^(?:(?P<year>\d{4})|\d{1,2})(?P<mark>[-/.])\d{1,2}(?P=mark)(?:\d{4}|\d{1,2})\b"
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
        frame = pd.read_parquet(path) if ending == ".parquet" else pd.read_feather(path)
    frame.attrs["file"] = str(path)
    if content is not None:
        frame.attrs["content"] = content
    if frame.empty:
        raise DataError(f"{path} has a header and no rows; at least one row is needed")
    return frame


def _separated(path: Path, content: bytes | None, missing: tuple[str, ...], mark: str) -> pd.DataFrame:
    _rectangular(path, content, mark)
    spellings = [*MISSING, *missing]
    words: Any = {"na_values": spellings, "skipinitialspace": True, "low_memory": False, "sep": mark}
    try:
        with opened(str(path), content) as file:
            frame: pd.DataFrame = pd.read_csv(file, **words)
    except pd.errors.ParserError as error:
        fault = str(error).split(": ")[-1]
        raise DataError(
            f"{path} is not a table ({fault}); close every quote, separate cells with commas"
        ) from None
    for name in frame.columns:
        if _is_text(frame[name]):
            frame[name] = frame[name].map(lambda v: v.strip() if isinstance(v, str) else v)
    return frame


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
            if sum(info.file_size for info in held.infolist()) > EXPANDED:
                raise DataError(f"{path} expands to more than {EXPANDED >> 20} MiB; write it as .parquet")
        frame: pd.DataFrame = pd.read_excel(path, engine=openpyxl.__name__, na_values=list(MISSING))
        return frame
    except zipfile.BadZipFile as error:
        raise DataError(f"{path} is not an .xlsx file ({error}); save it again") from None


def stream(paths: list[Path], buffer: int, columns: list[str] | None = None) -> Stream:
    """The rows of .parquet shards, a row group at a time, or some of their columns; rows are numbered across
    all shards."""
    from pyarrow import parquet  # type: ignore[import-untyped]

    groups, sizes, first = list[tuple[Path, int]](), list[int](), None
    for path in paths:
        about = parquet.read_metadata(path)
        names = about.schema.to_arrow_schema().names
        first = first or names
        if names != first:
            raise DataError(f"{path} has other columns than {paths[0]}; give all shards the same columns")
        groups += [(path, i) for i in range(about.num_row_groups)]
        sizes += [about.row_group(i).num_rows for i in range(about.num_row_groups)]
    starts = np.cumsum([0, *sizes])
    if not starts[-1]:
        raise DataError(f"{paths[0]} has no rows; at least one row is needed")

    def read(i: int) -> pd.DataFrame:
        path, group = groups[i]
        frame: pd.DataFrame = parquet.ParquetFile(path).read_row_group(group, columns).to_pandas()
        frame.index = pd.RangeIndex(starts[i], starts[i + 1])
        frame.attrs["file"] = str(path)
        return frame

    return Stream(sizes, read, buffer)


def _rectangular(path: Path, content: bytes | None, separator: str) -> None:
    """Raise for faults that pandas would correct silently, or report without a line."""
    try:
        with io.TextIOWrapper(opened(str(path), content), "utf-8-sig", newline="") as file:
            lines = csv.reader(file, delimiter=separator, skipinitialspace=True)
            names = [name.strip() for name in next(lines, [])]
            if len(names) == 1 and (mark := next((m for m in ";\t|" if m in names[0]), None)):
                cure = "save the file with commas, and numbers with decimal points"
                cure += "; or call it .tsv" * (mark == "\t")
                raise DataError(f"{path}, line 1 has {mark!r} between its cells; {cure}")
            for cells in lines:
                if len(cells) not in (0, len(names)):
                    fault = f"has {len(cells)} cells and the header {len(names)}"
                    cure = "give each line as many, and quote text that contains commas"
                    raise DataError(f"{path}, line {lines.line_num} {fault}; {cure}")
    except UnicodeDecodeError:
        with opened(str(path), content) as raw:
            data = raw.read()
        line = data.count(b"\n", 0, _first_fault(data)) + 1
        raise DataError(f"{path}, line {line} is not UTF-8 text; save the file again as UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{path}, line {lines.line_num}: {error}; close every quote") from None
    if twice := {name for name in names if name and names.count(name) > 1}:
        raise DataError(f"{path}, line 1 has a duplicate column {min(twice)!r}; rename one")


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


def check(frame: pd.DataFrame) -> None:
    """Raise for values that are no numbers, text, bools or dates, for numbers too large, text among numbers
    or dates, and dates of two formats."""
    for name in frame.columns:
        _check_type(frame[name])
        if frame[name].isna().all():
            file = frame.attrs.get("file")
            about = f"{file + ', ' if file else ''}column {name!r}"
            warnings.warn(f"{about} is empty and not modelled; drop it or fill it", stacklevel=2)
        elif _is_text(frame[name]):
            _check_text(frame, name)
        elif types.is_numeric_dtype(frame[name]) and not types.is_bool_dtype(frame[name]):
            _check_numbers(frame, name)


PLAIN = (str, bool, int, float, np.bool_, np.integer, np.floating, datetime.date, np.datetime64)
"""Types of the values of a column of objects."""
CURES = {
    "complex": "give the real and the imaginary part a column each",
    "timedelta64": "write numbers: {0}.dt.total_seconds()",
    "duration": "write numbers: {0}.dt.total_seconds()",
    "period": "write dates: {0}.dt.to_timestamp()",
    "interval": "write text: {0}.astype(str)",
    "timestamp": "write dates of pandas: {0}.astype('datetime64[us]')",
    "date": "write dates of pandas: {0}.astype('datetime64[us]')",
    "decimal": "write numbers: {0}.astype(float)",
    "Decimal": "write numbers: {0}.astype(float)",
    **dict.fromkeys(("list", "tuple", "dict", "ndarray"), "give each number a column of its own"),
    "bytes": "write text: {0}.str.decode('utf-8')",
}
"""By the beginning of a type's name, what to do instead."""


def _check_type(values: Series) -> None:
    """DataError where a column's values are of a type that no column is read as, and cannot be stored."""
    held, kind = values, str(values.dtype)
    if isinstance(values.dtype, pd.CategoricalDtype):
        held, kind = pd.Series(values.cat.categories), str(values.cat.categories.dtype)
    if held.dtype == object:
        wrong = next((each for each in held.dropna() if not isinstance(each, PLAIN)), None)
        kind = "" if wrong is None else type(wrong).__name__
    elif types.is_datetime64_any_dtype(held.dtype) and "pyarrow" not in kind and held is values:
        return
    cure = next((words for begin, words in CURES.items() if kind.startswith(begin)), "")
    if cure or (held.dtype == object and kind) or types.is_datetime64_any_dtype(held.dtype):
        words = (cure or "write numbers, text or dates: {0}.astype(str)").format(f"X[{values.name!r}]")
        raise DataError(f"column {values.name!r} holds values of type {kind}; {words}")


def large(frame: pd.DataFrame, name: str, numbers: Any) -> None:
    cure = f", outside -{LARGEST:g} to {LARGEST:g}; correct the cell, or rescale or drop the column"
    reject_cells(frame, name, np.abs(numbers) > LARGEST, cure)


def _check_numbers(frame: pd.DataFrame, name: str) -> None:
    numbers = frame[name].to_numpy(dtype=float, na_value=np.nan)
    large(frame, name, numbers)
    low, middle, high = np.nanquantile(numbers, (0.25, 0.5, 0.75))
    far = np.abs(numbers - middle) > FAR * (high - low)
    if high > low and far.any():
        i = int(far.argmax())
        warnings.warn(
            f"{where(frame, i, name)} holds {numbers[i]:g}, an outlier "
            f"(half of them are in {low:g} to {high:g}): it inflates the column's scale; correct or drop it",
            stacklevel=2,
        )


def _check_text(frame: pd.DataFrame, name: str) -> None:
    held = frame[name].notna().to_numpy()
    text = frame[name][held].astype(str)
    numbers = pd.to_numeric(text, errors="coerce")
    number = numbers.notna()
    classes = (numbers.dropna() % 1 == 0).all() and text.nunique() <= min(FEW, len(text) // 2)
    dates = text.str.extract(DATE)
    form = dates["mark"] + np.where(dates["year"].notna(), "Y", "")
    wrong = np.zeros(len(frame), bool)
    if MOST <= number.mean() < 1 and not classes:
        wrong[held] = ~number
        reject_cells(
            frame, name, wrong, " among numbers; correct it, or pass it with --na if it means missing"
        )
    elif form.notna().mean() >= MOST:
        wrong[held] = form != form.mode()[0]
        like = text[form == form.mode()[0]].iloc[0]
        reject_cells(frame, name, wrong, f" among dates like {like!r}; write every date as YYYY-MM-DD")


def _is_text(values: Series) -> bool:
    return not isinstance(values.dtype, pd.CategoricalDtype) and (
        types.is_string_dtype(values) or values.dtype == object
    )
