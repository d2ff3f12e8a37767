"""One .safetensors file: weights, and a header of canonical JSON. Nothing in it is ever executed."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors, save as save_tensors
from torch import Tensor

from .errors import DataError, FormatError

FORMAT = "tacit"
VERSION = 1
KEY = "tacit"
LONGEST = 1 << 20


def write(path: str | Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write atomically: equal models give equal bytes, and a broken write leaves nothing behind."""
    text = json.dumps({"format": FORMAT, "version": VERSION, **header}, sort_keys=True, allow_nan=False)
    if len(text) > LONGEST:
        raise FormatError(
            f"the header has {len(text)} characters; at most {LONGEST} fit. Shorten the history"
        )
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    replace_file(Path(path), save_tensors(held, {KEY: text}))


def replace_file(path: Path, data: bytes) -> None:
    """`path` holds either what it held before or all of `data`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def read_header(path: str | Path) -> dict[str, Any]:
    """The header alone, without touching the weights."""
    try:
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if not 2 <= size <= 2 * LONGEST + (64 << 20):
                raise FormatError(f"{path} is not a tacit model file, or it is damaged")
            outer = json.loads(file.read(size))
        header = json.loads(outer["__metadata__"][KEY])
        found = header["format"], header["version"]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except FormatError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FormatError(f"{path} is not a tacit model file, or it is damaged") from None
    if found[0] != FORMAT or not isinstance(found[1], int) or found[1] > VERSION:
        raise FormatError(
            f"{path} has format {found[0]} {found[1]}; this version reads {FORMAT} {VERSION}. Update tacit"
        )
    assert isinstance(header, dict)
    return header


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    header = read_header(path)
    try:
        return load_tensors(Path(path).read_bytes()), header
    except (SafetensorError, ValueError, KeyError):
        raise FormatError(f"{path} is damaged: its weights cannot be read") from None


def pour(model: torch.nn.Module, tensors: dict[str, Tensor], path: str | Path) -> None:
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise FormatError(
            f"{path}: the weights do not fit the spec ({str(error).splitlines()[-1].strip()})"
        ) from None


def file_of(path: Path) -> Path:
    """The model file of a run folder, or the file itself."""
    file = path / "model.safetensors" if path.is_dir() else path
    if not file.is_file():
        raise DataError(f"there is no model at {path}: name a run folder or a .safetensors file")
    return file
