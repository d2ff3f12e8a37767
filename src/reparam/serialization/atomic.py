"""Atomic writes: a complete new file, or the old one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import DataError

try:
    import fcntl
except ImportError:  # Windows: a second run in one folder is not noticed
    fcntl = None  # type: ignore[assignment]

PREFIX = ".reparam-"
"""How the name of a temporary file begins."""
LEAST = 1 << 20
"""A disk with fewer bytes left is full."""


def replace_file(path: Path, data: bytes, previous: Path | None = None) -> None:
    """Write all of `data` to `path`, or leave the old file; a complete one is kept as `previous`."""
    with replacing(path, previous) as file:
        file.write(data)


@contextmanager
def replacing(path: Path, previous: Path | None = None) -> Iterator[BinaryIO]:
    """A temporary file that replaces `path` when complete, and is removed on an error; the file that it
    replaces is kept as `previous`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{PREFIX}{path.name}.")
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        if previous is not None and path.is_file():
            os.replace(path, previous)
        try:
            os.replace(name, path)
        except IsADirectoryError:
            raise DataError(f"cannot write {path}: it is a folder; name a file in it") from None
        _sync(path.parent)
    except FileNotFoundError:
        raise DataError(f"cannot write {path}: its folder was removed meanwhile") from None
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def check_writable(path: Path, *, folder: bool = False) -> None:
    """DataError where a file, or a `folder`, cannot be written there, before any work is done for it."""
    if folder and path.exists() and not path.is_dir():
        raise DataError(f"cannot write into {path}: it is a file; name a folder")
    if path.is_dir() and not folder:
        raise DataError(f"cannot write {path}: it is a folder; name a file in it")
    place = next(each for each in (path, *path.absolute().parents) if each.exists())
    if place.is_file() and place == path:
        place = path.absolute().parent
    if not place.is_dir():
        raise DataError(f"cannot write {path}: {place} is no folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise DataError(f"cannot write {path}: {place} is read-only for you")
    disk = shutil.disk_usage(place)
    if disk.total and disk.free < LEAST:
        raise DataError(f"cannot write {path}: its disk is full, {disk.free >> 10} KiB are free")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Inside, `folder` exists and is this process's own; the lock of a dead process counts for nothing."""
    path = folder / ".lock"
    try:
        new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise DataError(f"cannot write to {folder}: {error.strerror}") from None
    try:
        if fcntl is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = _is_same(handle, path)
            except BlockingIOError:
                held = False
            if not held:
                raise DataError(f"another run is writing to {folder}: wait for it, or give another -o")
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()
                if new:
                    folder.rmdir()
    finally:
        os.close(handle)


def is_locked(folder: Path) -> bool:
    """Whether a process is inside `locked(folder)`."""
    try:
        handle = os.open(folder / ".lock", os.O_RDWR)
    except OSError:
        return False
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return fcntl is None
    except BlockingIOError:
        return True
    finally:
        os.close(handle)


def _is_same(handle: int, path: Path) -> bool:
    """Whether a file that is open still has that name."""
    return path.exists() and os.path.samestat(os.fstat(handle), path.stat())


def clear_leftovers(folder: Path) -> None:
    """Remove the temporary files that a killed process has left of its writes to a folder."""
    for path in folder.glob(f"{PREFIX}*"):
        with suppress(OSError):
            path.unlink()


def _sync(folder: Path) -> None:
    """The new name is on the disk, so that a power cut does not lose it."""
    with suppress(OSError):  # not every system can
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
