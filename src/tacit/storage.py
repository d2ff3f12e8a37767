"""One .safetensors file: weights, and a header of canonical JSON. Nothing in it is ever executed."""

import json
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors, save as save_tensors
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from .errors import DataError, FormatError

FORMAT = "tacit"
VERSION = 1
KEY = "tacit"
LONGEST = 1 << 20
SLACK = 1 << 26
"""Bytes that a model may allocate beside what its file holds while it is built."""
DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a header that was tampered with may raise."""
MODEL = {"spec": dict, "event": list, "codec": dict, "history": list, "trained_on": dict, "holes": bool}
FIGURES = ("bound", "rate", "distortion")


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
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when all is written, and leaves nothing behind when not."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(name, 0o644)
        try:
            os.replace(name, path)
        except IsADirectoryError:
            raise DataError(f"cannot write {path}: it is a folder; name a file in it") from None
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
        inner = outer["__metadata__"][KEY]
        if len(inner) > LONGEST:
            raise FormatError(f"{path} has a header of {len(inner)} characters; at most {LONGEST} are read")
        header = json.loads(inner)
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
    if fault := _fault(header):
        raise FormatError(f"{path} has a damaged header: {fault}")
    return header  # type: ignore[no-any-return]


def _fault(header: Any) -> str | None:
    """What is not of its kind in a header; one of a stopped training has no more than spec and history."""
    for name, kind in MODEL.items():
        absent = "training" in header and name not in ("spec", "history")
        if not absent and not isinstance(header.get(name), kind):
            return f"{name} is no {kind.__name__}"
    if not all(isinstance(words, str) for words in header["spec"].values()):
        return "spec is no text"
    if header.get("classes") is not None and not isinstance(header["classes"], list):
        return "classes is no list"
    for row in header["history"]:
        if not isinstance(row, dict) or any(
            name not in row or not isinstance(row[name], float | int | None) for name in FIGURES
        ):
            return "history is no list of epochs"
    return None


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    header = read_header(path)
    try:
        return load_tensors(Path(path).read_bytes()), header
    except (SafetensorError, ValueError, KeyError):
        raise FormatError(f"{path} is damaged: its weights cannot be read") from None


class Bounded(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While a model is built, refuse a tensor that its file does not justify, before it is allocated."""

    def __init__(self, tensors: dict[str, Tensor], path: str | Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.left = SLACK + 16 * sum(tensor.nbytes for tensor in tensors.values())
        self.path = path

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        held = [arg for arg in args if isinstance(arg, Tensor)]
        sizes = next((arg for arg in args if isinstance(arg, list | tuple)), None)
        if name.startswith(("empty", "zeros", "ones", "full", "rand", "new_")) and sizes is not None:
            self.take(math.prod(sizes))
        elif not held and name in ("arange", "linspace", "randperm", "eye"):
            whole = [abs(arg) for arg in args if isinstance(arg, int)]
            self.take(math.prod(whole) if name == "eye" else max(whole, default=0))
        elif len(held) > 1:
            self.take(_broadcast(held))
        return func(*args, **(kwargs or {}))

    def take(self, numbers: int) -> None:
        self.left -= 4 * numbers
        if self.left < 0:
            raise FormatError(f"{self.path}: the spec promises a larger model than the file holds")


def _broadcast(tensors: list[Tensor]) -> int:
    try:
        return math.prod(torch.broadcast_shapes(*(tensor.shape for tensor in tensors)))  # type: ignore[no-untyped-call]
    except RuntimeError:
        return 0


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
