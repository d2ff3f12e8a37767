"""Where data comes from: a word (`digits`, `mnist:test`) or a path becomes a `Dataset` of rows.

Named sets are looked for in the folder that `$REPARAM_DATA` names, then downloaded once, with a checksum.
Files are read by their ending; nothing is ever unpickled. Whatever goes wrong is a one-line `DataError`.

>>> digits = load("digits:test")
>>> digits.X.shape, digits.X.dtype.name, digits.y.shape
((360, 8, 8), 'float32', (360,))
"""

import difflib
import gzip
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, SpecError
from .arrays import Array, Rows, archive, read_h5ad, read_npy, read_npz, reading, stream_npy
from .codec import Codec
from .stream import BUFFER, LARGE, Stream

ORIGINAL = "replace it with the original"  # the cure for a file of a named set


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows, and a label a row where the source has them."""

    name: str  # as typed, e.g. "mnist:test"
    X: Any  # (n, *E), pixels float32 in [0, 1]; or a pandas frame; or a stream of either
    y: Array | None = None  # (n,)
    keys: Array | None = None  # (n,) what rows are called: the files of a folder
    note: str = ""  # what the source chose, for the user to know

    def blocks(self) -> "Iterator[Dataset]":
        """The blocks of a stream one by one; other rows at once."""
        if not isinstance(self.X, Stream):
            yield self
            return
        for first, X in zip(self.X.starts, self.X, strict=False):
            own = slice(first, first + len(X))
            y, keys = (held if held is None else held[own] for held in (self.y, self.keys))
            yield replace(self, X=X, y=y, keys=keys)


@dataclass(frozen=True)
class Remote:
    """Where the files of a set are published; `files` maps each name to its sha256."""

    url: str
    files: Mapping[str, str]


REMOTES = {  # by the set's folder in $REPARAM_DATA and in the cache
    "mnist": Remote(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        {
            "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
    ),
    "fashion-mnist": Remote(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        {
            "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
    ),
    "binarized_mnist": Remote(
        "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/",
        {
            "binarized_mnist_train.amat": "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
            "binarized_mnist_valid.amat": "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
            "binarized_mnist_test.amat": "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
        },
    ),
}


def load(
    data: str,
    *,
    missing: tuple[str, ...] = (),
    size: tuple[int, int] | None = None,
    skip_bad: bool = False,
    like: Codec | None = None,
    buffer: int | None = None,
    label: str | None = None,
) -> Dataset:
    """The rows that DATA names: a named set or a path, with an optional `:train`, `:valid` or `:test`.

    `missing` are more spellings of a missing cell in a .csv file. `size` (height, width) and `skip_bad`,
    which leaves out pictures that cannot be read, are for folders. `like`: read as the model of this codec
    wants it, a folder at its size and a table with its columns. `buffer`: a folder of pictures, a .npy file,
    or .parquet shards are streamed, so many bytes of rows in memory at once. `label`: the column of a table
    that holds y, where it has that column.
    """
    word, split = data, ""
    if match := re.fullmatch(r"(.+):(\w+)", data):
        word, split = match.groups()
    if buffer and not Path(word).is_dir() and Path(word).suffix.lower() not in (".npy", ".parquet"):
        raise SpecError(f"{data} is not streamed; .npy, .parquet, their shards and folders of pictures are")
    if skip_bad and not Path(word).is_dir():
        raise SpecError(f"skip-bad is for folders of pictures, and {data} is none; leave it out")
    if missing and Path(word).suffix.lower() != ".csv":
        raise SpecError(f"na is for .csv files, and {data} is none; leave it out")
    if word in SETS:
        splits, read = SETS[word]
        if split and split not in splits:
            cure = " or ".join(f"{word}:{each}" for each in splits)
            raise DataError(f"{word} has no split {split!r}; use {cure}")
        return _checked(data, read(split or "train"))
    path = Path(word)
    if word and path.is_dir():
        from . import images

        part = split or ("train" if (path / "train").is_dir() else "")
        if not (path / part).is_dir():
            raise DataError(f"{path} has no folder {split!r}; leave ':{split}' out")
        if shards := sorted((path / part).glob("*.parquet")):
            return _shards(data, shards, like, buffer or BUFFER, label)
        event = like.event if like else None
        return Dataset(data, *images.read(path / part, size, event, skip_bad, buffer))
    if size:
        raise SpecError(f"a size is for folders of pictures, and {data} is none; leave --size out")
    if path.is_file() and not split and (buffer or path.stat().st_size > LARGE):
        if path.suffix.lower() == ".parquet":
            return _shards(data, [path], like, buffer or BUFFER, label)
        if path.suffix.lower() == ".npy":
            return Dataset(data, stream_npy(path, buffer or BUFFER))
    if path.suffix.lower() in TABLES and not split and path.is_file():
        from . import frames

        with reading(path, "write it again as a .csv or .parquet file"):
            frame = frames.read(path, missing)
        return _table(data, frame, [frame], like, label)
    if path.suffix.lower() not in (*READERS, *TABLES):
        near = difflib.get_close_matches(word.lower(), NAMES, n=1)
        hint = f", did you mean {near[0]!r}?" if near else "."
        cure = (
            f"The named sets are {', '.join(NAMES)}; a path must end with {' or '.join((*READERS, *TABLES))}"
            " or be a folder of pictures or of .parquet shards"
        )
        raise DataError(f"unknown data {word!r}{hint} {cure}")
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; check the path")
    return _checked(data, READERS[path.suffix.lower()](path, split))


def stream(path: str | Path, buffer: int = BUFFER) -> Stream:
    """Rows that stay on disk, for `VAE.fit`, `transform`, `score_samples` and `evaluate`.

    `path`: a .npy file, a .parquet file or a folder of such shards, or a folder of pictures. Training
    shuffles within `buffer` bytes of rows, and memory holds about twice that.
    """
    found: Stream = load(str(path), buffer=buffer).X
    return found


def _shards(name: str, paths: list[Path], like: Codec | None, buffer: int, label: str | None) -> Dataset:
    from . import frames

    with reading(paths[0], "write it again as .parquet"):
        rows = frames.stream(paths, buffer)
        labels = rows if label is None else frames.stream(paths, buffer, [label])
    return _table(name, rows, labels, like, label)


def _table(name: str, rows: Any, labels: Iterable[Any], like: Codec | None, label: str | None) -> Dataset:
    """A frame or a stream of frames, the column `label` of `labels`, blocks of the same rows, taken out as y;
    the other columns as a model's codec has them."""
    from . import tables

    def each(f: Callable[[Any], Any]) -> Any:
        return rows.map(f) if isinstance(rows, Stream) else f(rows)

    y = None
    if label is not None and label in rows[:1].columns:
        y = np.concatenate([block[label].to_numpy() for block in labels])
        rows = each(lambda block: block.drop(columns=label))
    return Dataset(name, each(like.aligned) if isinstance(like, tables.Table) else rows, y)


def _checked(name: str, rows: Rows) -> Dataset:
    X, y = rows
    if X.dtype.kind not in "biuf":
        raise DataError(f"{name} holds {X.dtype}, not numbers; save it as floats, whole numbers or bools")
    if X.ndim < 2:
        raise DataError(f"{name} has shape {X.shape}; rows and columns are needed: save X.reshape(-1, 1)")
    if 0 in X.shape:
        raise DataError(f"{name} has nothing in it, its shape is {X.shape}; at least one row is needed")
    if y is not None and y.shape != X.shape[:1]:
        raise DataError(f"{name} has {len(X)} rows and labels of shape {y.shape}; one label a row is needed")
    return Dataset(name, _pixels(X.astype(X.dtype.newbyteorder("="), copy=False)), y)


def _pixels(X: Array) -> Array:
    """Bytes and bools of three axes or more are pictures; bytes that are only 0 and 1 are not divided."""
    if X.ndim < 3 or X.dtype not in (np.uint8, np.bool_):
        return X
    return np.divide(X, 255 if X.max() > 1 else 1, dtype=np.float32)


def _digits(split: str) -> Rows:
    from sklearn.datasets import load_digits

    digits = load_digits()
    part = slice(-360, None) if split == "test" else slice(-360)
    return (digits.images[part] / 16).astype(np.float32), digits.target[part]


def _mnist(folder: str) -> Callable[[str], Rows]:
    def read(split: str) -> Rows:
        part = "t10k" if split == "test" else "train"
        images = _fetch(folder, f"{part}-images-idx3-ubyte.gz")
        labels = _fetch(folder, f"{part}-labels-idx1-ubyte.gz")
        return _idx(images, 3), _idx(labels, 1)

    return read


def _idx(path: Path, axes: int) -> Array:
    """IDX: two zeros, 8 for bytes, the number of axes, each length as a big-endian int32, the bytes."""
    with reading(path, ORIGINAL):
        raw = gzip.decompress(path.read_bytes())
        shape = np.frombuffer(raw, ">i4", count=axes, offset=4)
        if raw[:4] != bytes((0, 0, 8, axes)) or len(raw) != 4 + 4 * axes + shape.prod(dtype=np.int64):
            raise DataError(f"{path} is not an IDX file of bytes with {axes} axes; {ORIGINAL}")
        return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape).copy()


def _binarized_mnist(split: str) -> Rows:
    """Larochelle's fixed binarisation: bits in the .npz, two characters a pixel in the .amat."""
    if path := _local("binarized_mnist", "binarized_mnist.npz"):
        with reading(path, ORIGINAL), archive(path) as arrays:
            return np.unpackbits(arrays[split], axis=1).reshape(-1, 28, 28).astype(np.float32), None
    path = _fetch("binarized_mnist", f"binarized_mnist_{split}.amat")
    with reading(path, ORIGINAL):
        pixels = np.frombuffer(path.read_bytes(), np.uint8)[::2].reshape(-1, 28, 28)
        return (pixels == ord("1")).astype(np.float32), None


def _local(folder: str, file: str) -> Path | None:
    home = os.environ.get("REPARAM_DATA")
    path = Path(home or ".", folder, file)
    return path if home and path.is_file() else None


def _fetch(folder: str, file: str) -> Path:
    """The user's own file, which is trusted, or the published one, which has to match its sha256."""
    if path := _local(folder, file):
        return path
    import pooch

    remote = REMOTES[folder]
    pooch.get_logger().setLevel(logging.WARNING)  # it would print where the cache is
    cure = f"put {folder}/{file} into a folder and name that folder in $REPARAM_DATA"
    cache, sha256 = pooch.os_cache("reparam") / folder, f"sha256:{remote.files[file]}"
    try:
        return Path(pooch.retrieve(remote.url + file, sha256, fname=file, path=cache))
    except OSError as error:  # every fault of the network is one, by way of requests
        fault = f"{file} is not in $REPARAM_DATA and did not come from {remote.url} ({type(error).__name__})"
        raise DataError(f"{fault}; {cure}") from error
    except ValueError as error:
        raise DataError(f"{remote.url} gave another {file} than was published (sha256); {cure}") from error


SETS: Mapping[str, tuple[tuple[str, ...], Callable[[str], Rows]]] = {  # name: its splits, its reader
    "digits": (("train", "test"), _digits),
    "mnist": (("train", "test"), _mnist("mnist")),
    "fashion-mnist": (("train", "test"), _mnist("fashion-mnist")),
    "binarized-mnist": (("train", "valid", "test"), _binarized_mnist),
}
Reader = Callable[[Path, str], Rows]
TABLES = (".csv", ".parquet")
READERS: Mapping[str, Reader] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".h5ad": read_h5ad,
}  # by ending
NAMES = tuple(SETS)
