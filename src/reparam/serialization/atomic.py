"""Atomic writes: a complete new file, or the old one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import DataError


def replace_file(path: Path, data: bytes) -> None:
    """Write all of `data` to `path`, or leave the old file."""
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A temporary file that replaces `path` when complete, and is removed on an error."""
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
