"""Load data: a name (`digits`, `mnist:test`), a path or an address becomes a `Dataset` of rows.

Named data sets are read from the folder `$REPARAM_DATA`, or downloaded once, with a checksum. Files are
read by extension; nothing is ever unpickled. Every failure is a one-line `DataError`.

>>> digits = load("digits:test")
>>> digits.X.shape, digits.X.dtype.name, digits.y.shape
((360, 8, 8), 'float32', (360,))
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, SpecError
from .codecs.base import Codec
from .named import NAMES, SETS
from .readers.archives import ARCHIVES, ArchiveFiles, FolderFiles
from .readers.arrays import Array, Rows, read_h5ad, read_npy, read_npz, reading, stream_npy
from .readers.embedded import RowFiles, column_of_images
from .readers.remote import HUB, RemoteFile, find, is_remote
from .readers.text import BINARY, STDIN, TEXT, table_ending
from .stream import BUFFER, LARGE, Stream


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows, and one label per row where the source has labels."""

    name: str  # as typed, e.g. "mnist:test"
    X: Any  # (n, *E), pixels float32 in [0, 1]; or a pandas frame; or a stream of either
    y: Any = None  # (n,), or a frame of covariates
    keys: Array | None = None  # (n,) names of rows: the files of a folder
    note: str = ""  # choices made for the user, e.g. the size of images
    first: int = 0  # the number of the first row, in a block of a stream

    @property
    def streamed(self) -> bool:
        """Whether X is read from disk block by block."""
        return isinstance(self.X, Stream)

    @property
    def n_blocks(self) -> int:
        """The blocks of a stream; 1 for other data."""
        return len(self.X.sizes) if self.streamed else 1

    def block(self, i: int) -> "Dataset":
        """Block i of a stream; other data in one piece."""
        if not self.streamed:
            return self
        first, X = int(self.X.starts[i]), self.X.read(i)
        y, keys = (held if held is None else held[first : first + len(X)] for held in (self.y, self.keys))
        return replace(self, X=X, y=y, keys=keys, first=first)

    def blocks(self) -> "Iterator[Dataset]":
        """The blocks one by one."""
        return map(self.block, range(self.n_blocks))


def as_dataset(X: Any, y: Any = None) -> Dataset | None:
    """X where it is a Dataset already; else rows X and their labels as one; None for no rows."""
    return X if X is None or isinstance(X, Dataset) else Dataset("data", X, y)


def load(
    data: str | PathLike[str],
    *,
    missing: tuple[str, ...] = (),
    size: tuple[int, int] | None = None,
    skip_bad: bool = False,
    like: Codec | None = None,
    buffer: int | None = None,
    label: str | None = None,
    given: tuple[str, ...] = (),
) -> Dataset:
    """The rows of a named data set, a path, an address (`s3://bucket/rows.csv`, or what else fsspec opens) or
    a data set of the hub (`hf:USER/NAME`), with an optional `:train`, `:valid` or `:test`.

    `missing`: more codes for a missing cell in a .csv or .tsv file. `size` (height, width) and `skip_bad`,
    which leaves out images that cannot be read, are for images. `like`: read for a model with this codec,
    images at its size and tables with its columns. `buffer`: stream a folder of images, a .npy file or
    .parquet shards, with this many bytes of rows in memory at once. `label`: the column of a table that
    holds y, if it has that column. `given`: columns that are covariates, for `labels=Covariates()`; y is a
    frame of them.
    """
    data = fspath(data)
    if is_remote(data):
        files, split = find(data, buffer)
        if len(files) > 1 or isinstance(files[0], RemoteFile) or data.startswith(HUB):
            return _shards(data, files, like, buffer or BUFFER, label, given, size, skip_bad)
        found = load(
            f"{files[0]}:{split}" if split else files[0],
            missing=missing,
            size=size,
            skip_bad=skip_bad,
            like=like,
            buffer=buffer,
            label=label,
            given=given,
        )
        return replace(found, name=data)
    word, split = data, ""
    if match := re.fullmatch(r"(.+):(\w+)", data):
        word, split = match.groups()
    if buffer and not holds_images(Path(word)) and Path(word).suffix.lower() not in (".npy", ".parquet"):
        raise SpecError(f"{data} cannot be streamed; use .npy, .parquet, shards or a folder of images")
    if skip_bad and not holds_images(Path(word)):
        raise SpecError(f"skip-bad is for folders of images, and {data} is not one; leave it out")
    if missing and table_ending(Path(word)) not in (".csv", ".tsv"):
        raise SpecError(f"na is for .csv and .tsv files, and {data} is not one; leave it out")
    if word in SETS:
        splits, read = SETS[word]
        if split and split not in splits:
            cure = " or ".join(f"{word}:{each}" for each in splits)
            raise DataError(f"{word} has no split {split!r}; use {cure}")
        return _checked(data, read(split or "train"))
    path = Path(word)
    if word and path.is_dir():
        from .readers import images

        part = split or ("train" if (path / "train").is_dir() else "")
        if not (path / part).is_dir():
            raise DataError(f"{path} has no folder {split!r}; leave ':{split}' out")
        if shards := sorted((path / part).glob("*.parquet")):
            return _shards(data, shards, like, buffer or BUFFER, label, given, size, skip_bad)
        event = like.event if like else None
        return Dataset(data, *images.read(FolderFiles(path / part), size, event, skip_bad, buffer))
    if word and holds_images(path):
        from .readers import images

        event = like.event if like else None
        return Dataset(data, *images.read(ArchiveFiles(path, split), size, event, skip_bad, buffer))
    if size:
        raise SpecError(f"size is for folders of images, and {data} is not one; leave --size out")
    if path.is_file() and not split and (buffer or path.stat().st_size > LARGE):
        if path.suffix.lower() == ".parquet":
            return _shards(data, [path], like, buffer or BUFFER, label, given)
        if path.suffix.lower() == ".npy":
            return Dataset(data, stream_npy(path, buffer or BUFFER))
    ending = table_ending(path)
    if ending and not split and (word == STDIN or path.is_file()):
        from .readers import tables as frames

        with reading(path, "write it again as a .csv or .parquet file"):
            frame = frames.read(path, missing)
        return _table(data, frame, [frame], like, label, given)
    if not ending and path.suffix.lower() not in READERS:
        near = difflib.get_close_matches(word.lower(), NAMES, n=1)
        hint = f", did you mean {near[0]!r}?" if near else "."
        cure = (
            f"The named sets are {', '.join(NAMES)}; a path must end with "
            f"{' or '.join((*READERS, *TEXT, *BINARY))} or be a folder, .zip or .tar of images, "
            "or a folder of .parquet shards"
        )
        raise DataError(f"unknown data {word!r}{hint} {cure}")
    if not path.is_file():
        raise DataError(f"{path}: no such file; check the path")
    if path.suffix.lower() == ".h5ad":
        X, cells = read_h5ad(path, split)
        names = _columns_of_y(data, map(str, cells.columns), label, given)
        return replace(_checked(data, (X, None)), y=_y_of([cells], names, given))
    return _checked(data, READERS[path.suffix.lower()](path, split))


def holds_images(path: Path) -> bool:
    """Whether a path is a folder or an archive of images; a compressed table is not."""
    archive = path.suffix.lower() in ARCHIVES and not table_ending(path)
    return path.is_dir() or (archive and path.is_file())


def stream(path: str | Path, buffer: int = BUFFER) -> Stream:
    """Rows that stay on disk, for `VAE.fit`, `transform`, `score_samples` and `evaluate`.

    `path`: a .npy file, a .parquet file or a folder of such shards, or a folder of images. Training
    shuffles within `buffer` bytes of rows, and memory holds about twice that.
    """
    found: Stream = load(str(path), buffer=buffer).X
    return found


def _shards(
    name: str,
    paths: Sequence[Path | RemoteFile],
    like: Codec | None,
    buffer: int,
    label: str | None,
    given: tuple[str, ...],
    size: tuple[int, int] | None = None,
    skip_bad: bool = False,
) -> Dataset:
    """The rows of .parquet files: of tables a stream, or the images that they hold."""
    from pyarrow import parquet  # type: ignore[import-untyped]

    from .readers import images, tables as frames

    with reading(paths[0], "write it again as .parquet"), frames.source(paths[0]) as file:
        column = column_of_images(parquet.read_schema(file))
    if column:
        local = [path for path in paths if isinstance(path, Path)]
        if len(local) < len(paths):
            raise DataError(f"{name} holds more than {LARGE >> 30} GiB of images; copy them into a folder")
        with reading(local[0], "write it again as .parquet"):
            files = RowFiles(name, local, column, label)
        return Dataset(name, *images.read(files, size, like.event if like else None, skip_bad, None))
    with reading(paths[0], "write it again as .parquet"):
        rows = frames.stream(paths, buffer)
        columns = [name for name in given or (label or "",) if name in rows[:1].columns]
        labels = frames.stream(paths, buffer, columns) if columns else rows
    return _table(name, rows, labels, like, label, given)


def _table(
    name: str,
    rows: Any,
    labels: Iterable[Any],
    like: Codec | None,
    label: str | None,
    given: tuple[str, ...],
) -> Dataset:
    """A frame or a stream of frames. The column `label` of `labels`, blocks of the same rows, becomes y, or
    the columns `given` as a frame; the other columns are those of the codec `like`."""
    from .codecs import table as tables

    def each(f: Callable[[Any], Any]) -> Any:
        return rows.map(f) if isinstance(rows, Stream) else f(rows)

    names = _columns_of_y(name, map(str, rows[:1].columns), label, given)
    if given and len(given) == len(rows[:1].columns):
        raise DataError(f"{name} has covariates only: leave a column or more for the model")
    y = _y_of(labels, names, given)
    rows = each(lambda block: block.drop(columns=names)) if names else rows
    return Dataset(name, each(like.aligned) if isinstance(like, tables.TableCodec) else rows, y)


def _columns_of_y(name: str, columns: Iterable[str], label: str | None, given: tuple[str, ...]) -> list[str]:
    """Of the columns those of y: the covariates `given`, or `label` if it is there."""
    held = list(columns)
    if absent := [each for each in given if each not in held]:
        raise DataError(f"{name} has no column {absent[0]!r}, a covariate; it has {', '.join(held)}")
    return list(given) or [each for each in (label,) if each in held]


def _y_of(frames: Iterable[Any], names: list[str], given: tuple[str, ...]) -> Any:
    """The columns `names` of the frames, a frame where they are `given` as covariates, else labels (n,)."""
    import pandas as pd

    if not names:
        return None
    y = pd.concat([frame[names] for frame in frames], ignore_index=True)
    return y if given else y[names[0]].to_numpy()


def _checked(name: str, rows: Rows) -> Dataset:
    X, y = rows
    if X.dtype.kind not in "biuf":
        raise DataError(f"{name} holds {X.dtype}, not numbers; save it as floats, integers or bools")
    if X.ndim < 2:
        raise DataError(f"{name} has shape {X.shape}; rows and columns are needed: save X.reshape(-1, 1)")
    if 0 in X.shape:
        raise DataError(f"{name} is empty, its shape is {X.shape}; at least one row is needed")
    if y is not None and y.shape != X.shape[:1]:
        raise DataError(f"{name} has {len(X)} rows and labels of shape {y.shape}; use one label per row")
    return Dataset(name, _pixels(X.astype(X.dtype.newbyteorder("="), copy=False)), y)


def _pixels(X: Array) -> Array:
    """Bytes and bools of three axes or more are images; bytes that are only 0 and 1 are not divided."""
    if X.ndim < 3 or X.dtype not in (np.uint8, np.bool_):
        return X
    return np.divide(X, 255 if X.max() > 1 else 1, dtype=np.float32)


Reader = Callable[[Path, str], tuple[Any, Any]]
READERS: Mapping[str, Reader] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".h5ad": read_h5ad,
}  # by extension
