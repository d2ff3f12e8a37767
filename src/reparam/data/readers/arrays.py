"""Arrays from .npy and .npz files: never unpickled, and the header is checked before memory is allocated."""

import math
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...memory import is_out_of_memory
from .. import sparse
from ..stream import Stream
from .remote import RemoteFile
from .text import Unchanged, check_expansion

Array = NDArray[Any]
Rows = tuple[Array, Array | None]  # X and, where there are labels, y
X_KEYS = ("X", "x", "images", "imgs", "data")  # names that an array in a .npz may have
Y_KEYS = ("y", "labels", "targets")
MOST_NUMBERS = 2**31  # a larger array raises an error before it is allocated: 8 GiB in float32
BLOCK = 4 << 20  # bytes that a stream reads at once


@contextmanager
def reading(path: Path | RemoteFile, cure: str) -> Iterator[None]:
    """A parser may raise anything on a damaged file; every exception becomes a DataError."""
    try:
        if isinstance(path, Path) and path.is_file() and path.stat().st_size == 0:
            raise DataError(f"{path} is empty (0 bytes); {cure}")
        yield
    except (DataError, MemoryError):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        fault = f"{path} cannot be read ({type(error).__name__}), it may be damaged or truncated"
        if "Object arrays" in str(error):  # numpy raises before it unpickles anything
            fault, cure = f"{path} holds Python objects, which are never unpickled", "save plain numbers"
        raise DataError(f"{fault}; {cure}") from error


def read_npy(path: Path, split: str) -> Rows:
    if split:
        raise DataError(f"{path} is one array and has no split {split!r}; leave ':{split}' out")
    with reading(path, "write it again with numpy.save"), path.open("rb") as file:
        _affordable(file, path.stat().st_size, str(path))
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False), None


def stream_npy(path: Path, buffer: int) -> Stream:
    """The rows of a .npy file, read in blocks in order; pixels are scaled as by `load`."""
    with reading(path, "write it again with numpy.save"), path.open("rb") as file:
        shape, transposed, dtype = _header(file)
        first, row = file.tell(), dtype.itemsize * math.prod(shape[1:])
        if len(shape) < 2 or transposed or dtype.kind not in "biuf" or 0 in shape:
            raise DataError(
                f"{path} holds {dtype} of shape {shape}; a stream needs rows of numbers, in C order"
            )
        if first + row * shape[0] != path.stat().st_size:
            raise DataError(
                f"{path} does not have the size of shape {shape} in its header; write it again with numpy"
            )
    each = max(1, BLOCK // row)
    sizes = [min(each, shape[0] - start) for start in range(0, shape[0], each)]

    file_now = Unchanged(path)

    def read(i: int) -> Array:
        with file_now.read():
            rows = np.fromfile(path, dtype, math.prod((sizes[i], *shape[1:])), offset=first + i * each * row)
        return rows.reshape(sizes[i], *shape[1:]).astype(dtype.newbyteorder("="), copy=False)

    held = Stream(sizes, read, buffer)
    if len(shape) < 3 or dtype not in (np.uint8, np.bool_):
        return held
    top = 255 if any(block.max() > 1 for block in held) else 1
    return held.map(lambda X: np.divide(X, top, dtype=np.float32))


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)


def _affordable(file: IO[bytes], size: int, name: str) -> None:
    """Raise, before allocation, for an array too large or larger than its `size` bytes."""
    shape, _, dtype = _header(file)
    if math.prod(shape) > MOST_NUMBERS:
        cure = "save fewer rows, or a .npy file and --buffer 64"
        raise DataError(f"{name} has shape {shape}, too many numbers for memory; {cure}")
    if math.prod(shape) * dtype.itemsize > size and not dtype.hasobject:
        raise DataError(
            f"{name} has fewer numbers than shape {shape} in its header; write it again with numpy"
        )


def read_npz(path: Path, split: str) -> Rows:
    """Read only the arrays needed: X and y, or with a split X_train, train_images and the like."""
    with reading(path, "write it again with numpy.savez"), archive(path) as arrays:
        keys = arrays.files
        if set(keys) >= sparse.KEYS and not split:
            y = _key(keys, Y_KEYS, "")
            return sparse.assembled(arrays), np.asarray(arrays[y]) if y else None
        listed = textwrap.shorten(", ".join(keys), 200, placeholder=" ...") or "none"
        for part in [split] if split else ["", "train"]:
            if x := _key(keys, X_KEYS, part):
                X, y = _member(arrays, x, path), _key(keys, Y_KEYS, part)
                if X.ndim > 1 or len(keys) <= 2:
                    return _flat(X, _member(arrays, y, path) if y else None)
        if split:
            cure = f"name them X_{split} and y_{split}"
            raise DataError(f"{path} has no split {split!r} (its arrays: {listed}); {cure}")
        if len(keys) != 1:
            raise DataError(f"{path} has no array with a known name (its arrays: {listed}); name the data X")
        return _member(arrays, keys[0], path), None


def read_h5ad(path: Path, split: str) -> tuple[Any, Any]:
    """The counts of cells, and the frame that describes the cells."""
    if split:
        raise DataError(f"{path} is one matrix and has no split {split!r}; leave ':{split}' out")
    with reading(path, "write it again with AnnData.write_h5ad"):
        return sparse.read_h5ad(path)


def _member(arrays: Any, key: str, path: Path) -> Array:
    member = next(info for info in arrays.zip.infolist() if info.filename in (key, f"{key}.npy"))
    with arrays.zip.open(member) as file:
        _affordable(file, member.file_size, f"{path}, array {key!r}")
    return np.asarray(arrays[key])


def _flat(X: Array, y: Array | None) -> Rows:
    """A grid of images with one label each (Omniglot: characters, then drawers) becomes flat rows."""
    if y is not None and y.ndim > 1 and X.ndim > y.ndim + 1 and X.shape[: y.ndim] == y.shape:
        return X.reshape(-1, *X.shape[y.ndim :]), y.reshape(-1)
    return X, y


@contextmanager
def archive(path: Path) -> Iterator[Any]:
    """Open the file here, because np.load leaves a damaged file open."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        expanded = sum(info.file_size for info in arrays.zip.infolist())
        check_expansion(str(path), expanded, path.stat().st_size, "write it with numpy.savez, uncompressed")
        yield arrays


def _key(keys: Iterable[str], words: Iterable[str], split: str) -> str | None:
    styles = ("{0}_{1}", "{1}_{0}") if split else ("{0}",)
    names = (style.format(word, split) for word in words for style in styles)
    return next((name for name in names if name in keys), None)
