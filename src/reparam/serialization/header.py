"""The header of a model file, read without torch."""

import hashlib
import json
import math
import os
import re
import stat
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import DataError, FormatError
from . import version_1

FORMAT = "reparam"
VERSION = 3
"""3 has a checksum; 2 has not; 1 has older names."""
FIRST = "tacit"
"""The library's name, used as the format's name and key, in files of version 1."""
LONGEST = 1 << 24
"""The most characters of a header: the history of about 60,000 epochs."""
MODEL = {"spec": dict, "event": list, "codec": dict, "history": list, "trained_on": dict, "has_missing": bool}
FIGURES = ("bound", "rate", "distortion")
SEEDS = 1 << 32
"""Seeds are smaller."""

CHECKSUM = re.compile(rb'(\\"sha256\\": \\")([0-9a-f]{64})(?=\\")')
"""The checksum in the outer header: of the whole file with zeros in its place."""
UNSIGNED = "0" * 64
PIECE = 1 << 20


def read_header(path: str | Path, newer: bool = False) -> dict[str, Any]:
    """The header only, without the weights, whose checksum is verified. `newer`: that of a format of the
    future too, as it is."""
    with opened(path) as file:
        return header_of(file, path, newer)


def opened(path: str | Path) -> BinaryIO:
    """A regular file, opened for reading; a pipe or a device would block."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise DataError(f"cannot read {path}: it is not a regular file")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise DataError(f"cannot read {path!r}: {error}") from None
    return os.fdopen(handle, "rb")


def header_of(file: BinaryIO, path: str | Path, newer: bool = False) -> dict[str, Any]:
    """The header of an opened file, which is read once to its end."""
    try:
        first = file.read(8)
        size = int.from_bytes(first, "little")
        if not 2 <= size <= 2 * LONGEST + (64 << 20):
            raise ValueError(size)
        words = file.read(size)
        outer = parsed(words)
        held = outer["__metadata__"]
        inner = held[FORMAT if FORMAT in held else FIRST]
        if len(inner) > LONGEST:
            raise FormatError(f"{path} has a header of {len(inner)} characters, above the limit {LONGEST}")
        header = parsed(inner)
        found = header["format"], header["version"]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FormatError(f"{path} is not a reparam model file, or it is damaged") from None
    if found[0] not in (FORMAT, FIRST) or type(found[1]) is not int or found[1] < 1:
        raise FormatError(f"{path} has format {found[0]} {found[1]}; this version reads {FORMAT} {VERSION}")
    if found[1] > VERSION and not newer:
        raise FormatError(
            f"{path} has format {found[0]} {found[1]}; this version reads {FORMAT} {VERSION}. Update reparam"
        )
    if "sha256" in header or found[1] >= 3:
        check(file, first, words, header.get("sha256"), path)
    if found[1] > VERSION:
        return header  # type: ignore[no-any-return]
    if found[1] == 1:
        header = version_1.header(header)
    if fault := _fault(header):
        raise FormatError(f"{path} has a damaged header: {fault}")
    return header  # type: ignore[no-any-return]


def check(file: BinaryIO, first: bytes, words: bytes, expected: Any, path: str | Path) -> None:
    """FormatError where a file is not what was written; it is read from behind its header on."""
    unsigned, found = CHECKSUM.subn(lambda m: m[1] + UNSIGNED.encode(), words)
    digest = hashlib.sha256(first + unsigned)
    while piece := file.read(PIECE):
        digest.update(piece)
    if found != 1 or digest.hexdigest() != expected:
        raise FormatError(f"{path} is damaged: its checksum differs. Use a copy, or train again")


def signed(data: bytes) -> bytes:
    """A file with its checksum in the place of zeros."""
    size = 8 + int.from_bytes(data[:8], "little")
    digest = hashlib.sha256(data).hexdigest().encode()
    return CHECKSUM.sub(lambda m: m[1] + digest, data[:size]) + data[size:]


def parsed(words: str | bytes) -> Any:
    """JSON with finite numbers and no key twice; ValueError elsewhere."""
    return json.loads(words, object_pairs_hook=_once, parse_constant=_finite, parse_float=_finite)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) < len(pairs):
        raise ValueError("a key stands twice")
    return held


def _finite(word: str) -> float:
    if not math.isfinite(number := float(word)):
        raise ValueError(f"{word} is not finite")
    return number


def _fault(header: Any) -> str | None:
    """The first field of the wrong type in a header; that of a stopped training has only spec and history."""
    for name, kind in MODEL.items():
        absent = "training" in header and name not in ("spec", "history")
        if not absent and not isinstance(header.get(name), kind):
            return f"{name} is not a {kind.__name__}"
    if not all(isinstance(words, str) for words in header["spec"].values()):
        return "spec is not text"
    if not all(type(size) is int for size in header.get("event", [])):
        return "event is not whole numbers"
    if "codec" in header and (fault := _codec_fault(header["codec"])):
        return fault
    if header.get("classes") is not None and not _is_list_of_values(header["classes"]):
        return "classes is not a list of text and numbers"
    if not all(map(_is_value, header.get("trained_on", {}).values())):
        return "trained_on is not text and numbers"
    if type(header.get("seed", 0)) is not int or not 0 <= header.get("seed", 0) < SEEDS:
        return "seed is not a whole number below 2^32"
    if not all(map(_is_epoch, header["history"])):
        return "history is not a list of epochs"
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) and abs(value) < 1e300


def _is_value(value: Any) -> bool:
    return value is None or isinstance(value, str) or _is_number(value)


def _is_list_of_values(held: Any) -> bool:
    return isinstance(held, list) and all(map(_is_value, held))


def _codec_fault(codec: dict[str, Any]) -> str | None:
    """What is wrong with the columns of a table, which are shown without being built."""
    columns = codec.get("columns", [])
    if not isinstance(columns, list) or not all(isinstance(column, dict) for column in columns):
        return "columns is not a list of columns"
    spikes = [column.get("spike", []) for column in columns]
    pairs = all(isinstance(spike, list) and len(spike) in (0, 2) for spike in spikes)
    shown = [*chain(*spikes), *(column.get("missing", 0) for column in columns)] if pairs else []
    if not pairs or not all(isinstance(n, int | float) and abs(n) < 1e300 for n in shown):
        return "the frequent numbers of columns are not understood"
    if not all(isinstance(column.get(key), str) for column in columns for key in ("name", "kind")):
        return "a column has no name or kind"
    return None


def _is_epoch(row: Any) -> bool:
    """Whether a row of the history has its figures, and what else it has are numbers or numbers by name."""
    if not isinstance(row, dict) or any(name not in row for name in FIGURES):
        return False
    terms = row.get("terms", {})
    if not isinstance(terms, dict) or type(row.get("epoch", 0)) is not int:
        return False
    numbers = [*terms.values(), *(value for name, value in row.items() if name != "terms")]
    if not all(number is None or _is_number(number) for number in numbers):
        return False
    known = not row.get("summed") or row["bound"] is None or None not in (row.get("loss"), *terms.values())
    return known and ("validation" in row or not row.get("summed"))


def file_of(path: Path) -> Path:
    """The model file of a run folder, or the file itself."""
    file = path / "model.safetensors" if path.is_dir() else path
    if not file.is_file():
        inside = sorted(map(str, (found.parent for found in path.glob("*/model.safetensors"))))
        cure = " or ".join(inside[:5]) if inside else "a run folder or a .safetensors file"
        raise DataError(f"there is no model at {path}: give {cure}")
    return file
