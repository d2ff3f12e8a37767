"""Text files, compressed ones and stdin: their type by name, and their bytes within a limit."""

import bz2
import gzip
import io
import lzma
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from ...errors import DataError
from .remote import RemoteFile, reached

STDIN = "-"
"""DATA that is csv on stdin."""
TEXT = (".csv", ".tsv", ".jsonl")
"""Tables as text, which may be compressed."""
BINARY = (".parquet", ".feather", ".arrow", ".xlsx")
"""Other tables."""
EXPANDED = 1 << 30
"""The most bytes of text in a compressed file, of an .xlsx file and of stdin."""
PIECE = 1 << 20
HARMLESS, RATIO = 64 << 20, 200
"""A file that expands to more bytes than HARMLESS expands at most RATIO times, which data do not reach."""


def check_expansion(name: str, expanded: int, stored: int, cure: str) -> None:
    """DataError for a file of `stored` bytes that was made to fill the memory."""
    if expanded > max(HARMLESS, RATIO * stored):
        raise DataError(
            f"{name} of {stored >> 10} KiB expands to {expanded >> 20} MiB or more, over {RATIO} times "
            f"its size: {cure}"
        )


def _only_member(path: Path) -> IO[bytes]:
    """The one file of a .zip."""
    with zipfile.ZipFile(path) as held:
        files = [info for info in held.infolist() if not info.is_dir() and "__MACOSX" not in info.filename]
        if len(files) != 1:
            raise DataError(f"{path} holds {len(files)} files; a compressed table is one file")
        return held.open(files[0])


COMPRESSED: dict[str, Callable[[Path], IO[bytes]]] = {
    ".gz": lambda path: cast(IO[bytes], gzip.GzipFile(path)),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
    ".zip": _only_member,
}


def table_ending(path: Path) -> str:
    """The type of a table by its name, also of compressed text; "" where it is no table.

    >>> table_ending(Path("a/rows.csv.gz")), table_ending(Path("rows.feather")), table_ending(Path("a.gz"))
    ('.csv', '.feather', '')
    """
    if str(path) == STDIN:
        return ".csv"
    last, inner = path.suffix.lower(), Path(path.stem).suffix.lower()
    if last in COMPRESSED:
        return inner if inner in TEXT else ""
    return last if last in (*TEXT, *BINARY) else ""


def content_of(path: Path) -> bytes | None:
    """The bytes of compressed text or of stdin, at most EXPANDED; None for a file to be read where it is."""
    if str(path) == STDIN:
        held = _bounded(sys.stdin.buffer, "stdin")
        if not held.strip():
            raise DataError("stdin is empty; pipe a csv file with a header into it")
        return held
    if path.suffix.lower() not in COMPRESSED:
        return None
    try:
        with COMPRESSED[path.suffix.lower()](path) as file:
            return _bounded(file, str(path), path.stat().st_size)
    except (EOFError, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{path} is damaged or not what its name says ({error}); compress it again") from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise DataError(f"{path} is damaged or not what its name says ({error}); compress it again") from None


def _bounded(file: IO[bytes], name: str, stored: int | None = None) -> bytes:
    held = io.BytesIO()
    while piece := file.read(PIECE):
        if held.tell() + len(piece) > EXPANDED:
            cure = "write it as .parquet, which is read in parts"
            raise DataError(f"{name} expands to more than {EXPANDED >> 20} MiB; {cure}")
        if stored is not None:
            check_expansion(name, held.tell() + len(piece), stored, "give the text as it is")
        held.write(piece)
    return held.getvalue()


class Unchanged:
    """A file that is read again and again: each time it is what it was at first, by size and time, or at an
    address by its version."""

    def __init__(self, path: Path | RemoteFile) -> None:
        self.path = path
        self.before = self._now()

    def _now(self) -> object:
        if isinstance(self.path, RemoteFile):
            with reached(str(self.path)):
                return self.path.version
        try:
            found = self.path.stat()
        except OSError as error:
            raise DataError(f"{self.path} has vanished while it was read: {error.strerror}") from None
        return found.st_size, found.st_mtime_ns

    def check(self) -> None:
        if self._now() != self.before:
            raise DataError(f"{self.path} has changed while it was read: leave it as it is, and start again")

    @contextmanager
    def read(self) -> Iterator[None]:
        """Inside, the file is read; DataError where it is another before or after."""
        self.check()
        try:
            yield
        except (MemoryError, DataError):
            raise
        except Exception as error:
            self.check()
            raise DataError(f"{self.path} cannot be read any more ({type(error).__name__})") from error
        self.check()


def opened(file: str, content: bytes | None) -> IO[bytes]:
    """The bytes of a file, or those that were read before."""
    return Path(file).open("rb") if content is None else io.BytesIO(content)
