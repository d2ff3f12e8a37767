"""The header of a model file, read without torch."""

import json
from pathlib import Path
from typing import Any

from ..errors import DataError, FormatError
from . import version_1

FORMAT = "reparam"
VERSION = 2
FIRST = "tacit"
"""The library's name, used as the format's name and key, in files of version 1."""
LONGEST = 1 << 24
"""The most characters of a header: the history of about 60,000 epochs."""
MODEL = {"spec": dict, "event": list, "codec": dict, "history": list, "trained_on": dict, "has_missing": bool}
FIGURES = ("bound", "rate", "distortion")


def read_header(path: str | Path) -> dict[str, Any]:
    """The header only, without the weights."""
    try:
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if not 2 <= size <= 2 * LONGEST + (64 << 20):
                raise ValueError(size)
            outer = json.loads(file.read(size))
        held = outer["__metadata__"]
        inner = held[FORMAT if FORMAT in held else FIRST]
        if len(inner) > LONGEST:
            raise FormatError(f"{path} has a header of {len(inner)} characters, above the limit {LONGEST}")
        header = json.loads(inner)
        found = header["format"], header["version"]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FormatError(f"{path} is not a reparam model file, or it is damaged") from None
    if found[0] not in (FORMAT, FIRST) or not isinstance(found[1], int) or found[1] > VERSION:
        raise FormatError(
            f"{path} has format {found[0]} {found[1]}; this version reads {FORMAT} {VERSION}. Update reparam"
        )
    if found[1] == 1:
        header = version_1.header(header)
    if fault := _fault(header):
        raise FormatError(f"{path} has a damaged header: {fault}")
    return header  # type: ignore[no-any-return]


def _fault(header: Any) -> str | None:
    """The first field of the wrong type in a header; that of a stopped training has only spec and history."""
    for name, kind in MODEL.items():
        absent = "training" in header and name not in ("spec", "history")
        if not absent and not isinstance(header.get(name), kind):
            return f"{name} is not a {kind.__name__}"
    if not all(isinstance(words, str) for words in header["spec"].values()):
        return "spec is not text"
    if header.get("classes") is not None and not isinstance(header["classes"], list):
        return "classes is not a list"
    if not all(map(_is_epoch, header["history"])):
        return "history is not a list of epochs"
    return None


def _is_epoch(row: Any) -> bool:
    """Whether a row of the history has its figures, and where the bound is a sum over classes, the loss."""
    if not isinstance(row, dict) or any(
        name not in row or not isinstance(row[name], float | int | None) for name in FIGURES
    ):
        return False
    if not row.get("summed") or row["bound"] is None:
        return True
    terms = row.get("terms")
    numbers = [row.get("loss"), *(terms.values() if isinstance(terms, dict) else [terms])]
    return "validation" in row and all(isinstance(number, float | int) for number in numbers)


def file_of(path: Path) -> Path:
    """The model file of a run folder, or the file itself."""
    file = path / "model.safetensors" if path.is_dir() else path
    if not file.is_file():
        raise DataError(f"there is no model at {path}: give a run folder or a .safetensors file")
    return file
