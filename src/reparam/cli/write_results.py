"""Results to files, by extension: arrays, tables and images. Writes are atomic."""

import csv
import io
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..data.readers.csv_cells import inert
from ..data.stream import joined
from ..errors import DataError
from ..plotting.mosaic import is_picture, shade
from ..serialization.atomic import replacing
from .arguments import STDOUT, writable


def write(path: Path, values: Any, names: list[str] | None = None, top: float | None = None) -> None:
    """An array (n, *E) with its columns' `names`, or a frame; `top`: the value that is white in a .png."""
    write_pieces(path, [values], len(values), names, top)


def write_pieces(
    path: Path, pieces: Iterable[Any], n: int, names: list[str] | None = None, top: float | None = None
) -> None:
    """Pieces of `n` rows in total, in order; for .npy, .csv and .parquet one piece is in memory at a time."""
    writable(path)
    each = (piece.to_pandas() if hasattr(piece, "to_pandas") else piece for piece in pieces)
    if path == STDOUT:
        for i, piece in enumerate(each):
            text = io.BytesIO()
            _csv(text, piece, names, header=i == 0)
            sys.stdout.write(text.getvalue().decode())
        sys.stdout.flush()
        return
    with replacing(path) as file:
        match path.suffix.lower():
            case ".npy":
                _npy(file, (_numbers(piece, path) for piece in each), n)
            case ".npz":
                np.savez_compressed(file, X=np.concatenate([_numbers(piece, path) for piece in each]))
            case ".csv":
                for i, piece in enumerate(each):
                    _csv(file, piece, names, header=i == 0)
            case ".parquet":
                _parquet(file, (_frame(piece, names) for piece in each))
            case _:
                _png(file, joined(list(each)), top)


def _npy(file: BinaryIO, pieces: Iterable[Any], n: int) -> None:
    for i, piece in enumerate(pieces):
        if i == 0:
            described = {"descr": piece.dtype.str, "fortran_order": False, "shape": (n, *piece.shape[1:])}
            np.lib.format.write_array_header_1_0(file, described)
        file.write(np.ascontiguousarray(piece).tobytes())


def _csv(file: BinaryIO, values: Any, names: list[str] | None, header: bool) -> None:
    if hasattr(values, "columns"):
        held = inert_frame(values)
        texts = (each for each in map(held.__getitem__, held.columns) if each.dtype.kind == "O")
        returns = any("\r" in cell for each in texts for cell in each if isinstance(cell, str))
        quoting = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL  # which leaves these bare
        held.to_csv(file, index=False, header=header, quoting=quoting, errors="backslashreplace")
        return
    flat = np.asarray(values).reshape(len(values), -1)
    first = ",".join(_header(flat, names)) if header else ""
    np.savetxt(file, flat, fmt="%.9g", delimiter=",", header=first, comments="")


def inert_frame(frame: Any) -> Any:
    """A frame whose names and texts no spreadsheet runs."""

    def written(value: Any) -> Any:
        return inert(value) if isinstance(value, str) else value

    def column(values: Any) -> Any:
        return values.astype(object).map(written) if values.dtype.kind == "O" else values

    columns = {written(str(name)): column(values) for name, values in frame.items()}
    return type(frame)(columns, index=frame.index)


def _parquet(file: BinaryIO, frames: Iterable[Any]) -> None:
    from pyarrow import Table, parquet  # type: ignore[import-untyped]

    writer = None
    for frame in frames:
        table = Table.from_pandas(frame, schema=writer and writer.schema, preserve_index=False)
        writer = writer or parquet.ParquetWriter(file, table.schema)
        writer.write_table(table)
    if writer:
        writer.close()


def _png(file: BinaryIO, values: Any, top: float | None) -> None:
    from ..plotting.figures import encoded, image_grid

    shape = tuple(values.shape[1:])
    if not is_picture(shape):
        raise DataError(f"rows of shape {shape} are not images: write .npy, .npz, .csv or .parquet")
    file.write(encoded(image_grid(shade(values, top, values)))[1])


def _frame(values: Any, names: list[str] | None) -> Any:
    if hasattr(values, "columns"):
        return values
    import pandas as pd

    flat = np.asarray(values).reshape(len(values), -1)
    return pd.DataFrame(flat, columns=_header(flat, names))


def _header(flat: Any, names: list[str] | None) -> list[str]:
    return names or [f"x{i + 1}" for i in range(flat.shape[1])]


def _numbers(values: Any, path: Path) -> Any:
    array = np.asarray(values)
    if array.dtype == object:
        raise DataError(f"{path.name} holds numbers only and this table has text: write .csv or .parquet")
    return array
