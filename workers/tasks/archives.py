"""Published archives, and the safe extraction of files from them."""

import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO


@dataclass(frozen=True)
class Archive:
    """A tar or zip archive that never changes, and the files to take from it."""

    address: str
    sha256: str
    size: int  # bytes
    members: Collection[str]  # files inside the archive's one folder; * stands for any name
    largest_member: int = 64 * 2**20  # bytes

    @property
    def file_name(self) -> str:
        return self.address.rsplit("/", 1)[-1]


class UnfitArchive(Exception):
    """The file is not the published archive."""


@dataclass(frozen=True)
class _Entry:
    name: str
    size: int  # bytes
    regular: bool  # neither folder nor link
    open: Callable[[], IO[bytes] | None]


def unpack(archive: Archive, file: Path, folder: Path) -> None:
    """Copy the archive's members from `file` to a folder that appears when it is complete.

    Raises:
        UnfitArchive: a member is missing, too large or not a file.
        OSError, tarfile.TarError, zipfile.BadZipFile: the archive cannot be read or the folder cannot be written.
    """
    growing = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(growing, ignore_errors=True)
    growing.mkdir()
    with _entries(file) as entries:
        for entry, path in _chosen(archive, entries, folder.name):
            destination = growing / path
            destination.parent.mkdir(parents=True, exist_ok=True)
            content = entry.open()
            if content is None:
                raise UnfitArchive(f"{entry.name} cannot be opened")
            with content, destination.open("wb") as out:
                shutil.copyfileobj(content, out)
    growing.rename(folder)


def _chosen(archive: Archive, entries: Collection[_Entry], folder: str) -> Iterator[tuple[_Entry, PurePosixPath]]:
    """The entries that the archive's members name, with their paths inside the folder: a name or word/name."""
    root = f"{folder}/"
    inside = {entry: PurePosixPath(entry.name.removeprefix(root)) for entry in entries if entry.name.startswith(root)}
    for member in archive.members:
        # With the slash the whole path must match; a pattern's * matches no slash, so no path leads out.
        found = [entry for entry, path in inside.items() if PurePosixPath(f"/{path}").match(f"/{member}")]
        if not found or not all(entry.regular and entry.size <= archive.largest_member for entry in found):
            raise UnfitArchive(f"{root}{member} is no file of at most {archive.largest_member} bytes")
        yield from ((entry, inside[entry]) for entry in found)


@contextmanager
def _entries(file: Path) -> Iterator[list[_Entry]]:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            yield [_of_zip(archive, info) for info in archive.infolist()]
    else:
        with tarfile.open(file) as archive:
            yield [_of_tar(archive, info) for info in archive.getmembers()]


def _of_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Entry:
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 if the archive was not made on Unix
    return _Entry(info.filename, info.file_size, kind in (0, stat.S_IFREG), lambda: archive.open(info))


def _of_tar(archive: tarfile.TarFile, info: tarfile.TarInfo) -> _Entry:
    return _Entry(info.name, info.size, info.isreg(), lambda: archive.extractfile(info))
