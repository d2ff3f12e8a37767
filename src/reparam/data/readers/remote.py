"""Data at an address: `s3://bucket/rows.parquet` or any other that fsspec opens, and `hf:NAME` of the hub.

What fits in memory is copied into the cache, once for each version of it, and read from there as any file is.
Larger parquet files are not copied: their row groups are read when they are needed.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, TypeVar

from ...errors import DataError
from ..stream import LARGE

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem  # type: ignore[import-untyped]

ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://.")
"""A protocol has two letters or more: `C:` is a drive."""
HUB = "hf:"
PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "hf": "'reparam[hub]'"}
"""What an address of a protocol needs beside fsspec."""
SPLITS = {"valid": ("valid", "validation", "val", "dev")}
"""Other names of a split."""
Named = TypeVar("Named")
CONVERTED = "refs/convert/parquet"
"""The branch in which the hub keeps every public data set as parquet."""


def is_remote(data: str) -> bool:
    """Whether DATA is an address, or the name of a data set of the hub.

    >>> [is_remote(data) for data in ("s3://bucket/rows.csv", "hf:user/name:test", "C:/rows.csv")]
    [True, True, False]
    """
    return data.startswith(HUB) or ADDRESS.match(data) is not None


@dataclass(frozen=True)
class RemoteFile:
    """A file of a file system of fsspec."""

    system: "AbstractFileSystem"
    path: str
    size: int

    def __str__(self) -> str:
        return str(self.system.unstrip_protocol(self.path))

    @property
    def version(self) -> str:
        """What changes when the file changes: its entity tag where there is one, else its size and time."""
        self.system.invalidate_cache()
        return str(self.system.ukey(self.path))

    def open(self) -> IO[bytes]:
        return self.system.open(self.path, "rb")  # type: ignore[no-any-return]

    def copied(self) -> Path:
        """The local copy, made where this version of the file has none yet."""
        import pooch

        key = hashlib.sha256(f"{self} {self.version}".encode()).hexdigest()[:16]
        copy = Path(pooch.os_cache("reparam")) / "remote" / key / PurePosixPath(self.path).name
        if not copy.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            part = copy.with_name(copy.name + ".part")
            self.system.get_file(self.path, str(part))
            part.replace(copy)
        return copy


@contextmanager
def reached(data: str) -> Iterator[None]:
    """What goes wrong between here and there becomes a DataError."""
    try:
        yield
    except (DataError, MemoryError):
        raise
    except FileNotFoundError:
        raise DataError(f"{data}: no such file or folder; check the address") from None
    except Exception as error:
        said = str(error).strip().partition("\n")[0]
        raise DataError(f"{data} cannot be read ({type(error).__name__}: {said})") from error


def located(address: str, data: str) -> "tuple[AbstractFileSystem, str]":
    """The file system of an address, and the path there."""
    import fsspec

    protocol = address.partition("://")[0].lower()
    try:
        return fsspec.core.url_to_fs(address)  # type: ignore[no-any-return]
    except ImportError as error:
        package = PACKAGES.get(protocol)
        cure = f"pip install {package}" if package else str(error)
        raise DataError(f"{data}: {protocol}:// needs a package beside fsspec: {cure}") from error
    except ValueError as error:
        raise DataError(f"{data}: fsspec knows no protocol {protocol}://") from error


def find(data: str, buffer: int | None) -> tuple[list[Path] | list[RemoteFile], str]:
    """The files of an address or of a data set of the hub, and the split of a file that has several.

    Local copies, or with a `buffer`, or where they are too large for memory, parquet files where they are.
    """
    with reached(data):
        files, split = (_of_hub(data), "") if data.startswith(HUB) else _at_address(data)
        parquet = all(file.path.endswith(".parquet") for file in files)
        if parquet and (buffer or sum(file.size for file in files) > LARGE):
            return files, split
        return [file.copied() for file in files], split


def _at_address(data: str) -> tuple[list[RemoteFile], str]:
    match = re.fullmatch(r"(.+\.\w+):([a-z]+)", data)
    address, split = match.groups() if match else (data, "")
    system, path = located(address, data)
    if not system.isdir(path):
        return [_file(system, system.info(path))], split
    found = _parquet_below(system, path)
    if not found:
        raise DataError(
            f"{data} holds no .parquet files; name one file: a table, an array, or a .zip of images"
        )
    return found, split


def _of_hub(data: str) -> list[RemoteFile]:
    """The parquet files of `hf:USER/NAME[/CONFIGURATION][:SPLIT]`, by default those of `train`."""
    name, _, asked = data.removeprefix(HUB).partition(":")
    parts = name.strip("/").split("/")
    if not all(parts):
        raise DataError(f"{data} names no data set of the hub; write {HUB}USER/NAME, with :SPLIT if you like")
    base = "/".join(parts[:2])
    for branch in ("", f"@{CONVERTED}"):
        system, place = located(f"hf://datasets/{base}{branch}", data)
        held = _by_configuration(_parquet_below(system, place)) if system.isdir(place) else {}
        if held:
            configuration = parts[2] if len(parts) > 2 else _only(held, "default")
            splits = _named(held, configuration, data, f"{HUB}{base}/", "configuration")
            known = (word for word in SPLITS.get(asked, (asked,)) if word in splits)
            split = next(known, asked or _only(splits, "train"))
            return _named(splits, split, data, f"{HUB}{name}:", "split")
    raise DataError(f"{data}: the hub has no parquet files of it; check the name")


def _named(held: dict[str, Named], name: str, data: str, before: str, kind: str) -> Named:
    """The one of a name; DataError with all names."""
    if name not in held:
        each = " or ".join(before + other for other in held)
        raise DataError(f"{data} has no {kind} {name!r}; use {each}")
    return held[name]


def _only(held: dict[str, Any], usual: str) -> str:
    """The only name, or the usual one."""
    return next(iter(held)) if len(held) == 1 else usual


def _by_configuration(files: list[RemoteFile]) -> dict[str, dict[str, list[RemoteFile]]]:
    """Files by configuration and split, which the hub reads from names: CONFIGURATION/SPLIT-00000-of-00001,
    CONFIGURATION/SPLIT/0000 or data/SPLIT-00000; a file without a split belongs to `train`."""
    found: dict[str, dict[str, list[RemoteFile]]] = {}
    for file in files:
        inside = re.sub(r"^datasets/[^/]+/[^/@]+(@refs/convert/parquet|@[^/]+)?/", "", file.path)
        *folders, last = PurePosixPath(inside).with_suffix("").parts
        numbered = re.fullmatch(r"(?:partial-)?\d+", last)
        split = folders.pop() if numbered and folders and folders[-1] != "data" else re.split(r"-\d", last)[0]
        split = "train" if numbered and split == last else split
        configuration = "/".join(folder for folder in folders if folder != "data") or "default"
        found.setdefault(configuration, {}).setdefault(split, []).append(file)
    return found


def _parquet_below(system: "AbstractFileSystem", path: str) -> list[RemoteFile]:
    found: dict[str, Any] = system.find(path, detail=True)
    return [_file(system, found[name]) for name in sorted(found) if name.endswith(".parquet")]


def _file(system: "AbstractFileSystem", info: dict[str, Any]) -> RemoteFile:
    return RemoteFile(system, info["name"], int(info.get("size") or 0))
