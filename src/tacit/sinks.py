"""Results to files, by their ending: arrays, tables and pictures. Writes are atomic."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from .errors import DataError, SpecError
from .figures import encoded, image_grid
from .storage import replace_file
from .tiles import is_picture, shade

ENDINGS = (".npy", ".npz", ".csv", ".parquet", ".png")


def check(path: Path) -> None:
    """Refuse an ending that nothing can be written to, before the work is done."""
    if path.suffix.lower() not in ENDINGS:
        raise SpecError(
            f"cannot write {path.suffix or 'a file without an ending'}: use {', '.join(ENDINGS[:-1])} or .png"
        )


def write(path: Path, values: Any, names: list[str] | None = None, top: float | None = None) -> None:
    """An array (n, *E) with its columns' `names`, or a frame; `top`: the value that is white in a .png."""
    check(path)
    values = values.to_pandas() if hasattr(values, "to_pandas") else values
    frame = hasattr(values, "columns")
    if path.suffix.lower() in (".csv", ".parquet") and not frame:
        flat = np.asarray(values).reshape(len(values), -1)
        header = names or [f"x{i + 1}" for i in range(flat.shape[1])]
        if path.suffix.lower() == ".parquet":
            import pandas as pd

            values, frame = pd.DataFrame(flat, columns=header), True
    buffer = io.BytesIO()
    match path.suffix.lower():
        case ".npy":
            np.save(buffer, _numbers(values, path))
        case ".npz":
            np.savez_compressed(buffer, X=_numbers(values, path))
        case ".csv" if frame:
            values.to_csv(buffer, index=False)
        case ".csv":
            np.savetxt(buffer, flat, fmt="%.9g", delimiter=",", header=",".join(header), comments="")
        case ".parquet":
            values.to_parquet(buffer, index=False)
        case _:
            shape = tuple(values.shape[1:])
            if not is_picture(shape):
                raise DataError(f"rows of shape {shape} are no pictures: write .npy, .npz, .csv or .parquet")
            buffer.write(encoded(image_grid(shade(values, top, values)))[1])
    replace_file(path, buffer.getvalue())


def _numbers(values: Any, path: Path) -> Any:
    array = np.asarray(values)
    if array.dtype == object:
        raise DataError(f"{path.name} holds numbers only and this table has text: write .csv or .parquet")
    return array
