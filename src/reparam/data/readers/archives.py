"""Files of a folder, or of a .zip or .tar that is read in place: nothing is extracted to disk."""

import io
import tarfile
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath
from typing import IO

from ...errors import DataError

ARCHIVES = (".zip", ".tar")
MEMBER = 256 << 20
"""The most bytes of one file of an archive: it is held in memory while it is read."""
Member = zipfile.ZipInfo | tarfile.TarInfo


class Files(ABC):
    """Named files at one place: `names`, relative to it and sorted."""

    place: Path
    names: list[PurePosixPath]

    @abstractmethod
    def open(self, name: PurePosixPath) -> IO[bytes]:
        """The bytes of a file, from the start; they can be searched."""


class FolderFiles(Files):
    """The files below a folder."""

    def __init__(self, place: Path) -> None:
        self.place = place
        paths = sorted(path for path in place.rglob("*") if path.is_file())
        self.names = [PurePosixPath(path.relative_to(place).as_posix()) for path in paths]

    def open(self, name: PurePosixPath) -> IO[bytes]:
        return (self.place / name).open("rb")


class ArchiveFiles(Files):
    """The regular files of a .zip or an uncompressed .tar, below its folder `part` if that is given. A folder
    that holds everything is left out of the names, as if it had been extracted and given as DATA."""

    def __init__(self, place: Path, part: str = "") -> None:
        self.place = place
        self._members: dict[PurePosixPath, Member] = {}
        try:
            zipped = place.suffix.lower() == ".zip"
            self._zip = zipfile.ZipFile(place) if zipped else None
            listed = self._in_zip(self._zip) if self._zip else self._in_tar()
        except (zipfile.BadZipFile, tarfile.TarError) as error:
            raise DataError(
                f"{place} is damaged, or not a {place.suffix} file ({error}); write it again"
            ) from None
        for name, member in listed:
            if name.is_absolute() or ".." in name.parts:
                raise DataError(f"{place} holds a file outside of itself, {str(name)!r}; write it again")
            self._members[name] = member
        self._strip()
        if part or any(name.parts[0] == "train" for name in self._members):
            self._below(part or "train")
        self.names = sorted(self._members)

    def _in_zip(self, held: zipfile.ZipFile) -> list[tuple[PurePosixPath, Member]]:
        files = [info for info in held.infolist() if not info.is_dir() and "__MACOSX" not in info.filename]
        return [(PurePosixPath(info.filename), info) for info in files]

    def _in_tar(self) -> list[tuple[PurePosixPath, Member]]:
        with tarfile.TarFile(self.place) as held:
            files = [info for info in held if info.isreg() and not info.issparse()]
        return [(PurePosixPath(info.name), info) for info in files]

    def _strip(self) -> None:
        def shared() -> bool:
            names = self._members
            return len({name.parts[0] for name in names}) == 1 and max(len(name.parts) for name in names) > 2

        while shared() and all(len(name.parts) > 1 for name in self._members):
            self._members = {PurePosixPath(*n.parts[1:]): member for n, member in self._members.items()}

    def _below(self, part: str) -> None:
        inside = {n: m for n, m in self._members.items() if n.parts[0] == part and len(n.parts) > 1}
        if not inside:
            raise DataError(f"{self.place} has no folder {part!r}; leave ':{part}' out")
        self._members = {PurePosixPath(*n.parts[1:]): member for n, member in inside.items()}

    def open(self, name: PurePosixPath) -> IO[bytes]:
        member = self._members[name]
        size = member.file_size if isinstance(member, zipfile.ZipInfo) else member.size
        if size > MEMBER:
            raise DataError(f"its {size >> 20} MiB are too many")
        if isinstance(member, zipfile.ZipInfo):
            assert self._zip is not None
            return io.BytesIO(self._zip.read(member))
        with self.place.open("rb") as file:
            file.seek(member.offset_data)
            return io.BytesIO(file.read(size))
