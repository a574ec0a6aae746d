"""Where checkpoints and weights lie: a folder of this machine or any fsspec URL. Both keep files in folders.

In a folder nothing is followed or waited for that is no plain file: a link, a pipe or a device that somebody planted.
"""

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from pernodedrop.installation import need

MOST_BYTES = 8 * 2**30  # of a file that is read
CHUNK = 2**20  # bytes of a file that are in memory at once where it is read in pieces

_LOCAL = re.compile("(file|local)://|file:(?=/)")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DRAFT = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Place(Protocol):
    """A folder or a store. A method raises OSError, and a store's may raise any error."""

    def names(self, folder: str) -> list[str]:
        """The names in a folder, none if there is no such folder."""

    def all_names(self) -> Mapping[str, list[str]]:
        """The names in every folder, by folder."""

    def read(self, folder: str, name: str, first: int | None = None) -> bytes:
        """A file's bytes, or only its `first` ones."""

    def pieces(self, folder: str, name: str) -> Iterator[bytes]:
        """A file's bytes, at most CHUNK of them at once. The file is opened at the first one."""

    def write(self, folder: str, name: str, data: memoryview) -> None:
        """Replace a file, or make it, in one step."""

    def remove(self, folder: str, names: Sequence[str]) -> None:
        """Remove files, and the folder if nothing else is in it. Files that are gone are no error."""

    def flaw(self) -> str | None:
        """Why it can keep nothing, as far as that is known without writing; None where it may."""


def place_of(url: str) -> Place:
    """The place of a URL. A text without a protocol is a folder's path, whatever letters are in it.

    Raises:
        ImportError, ValueError: fsspec cannot open such a URL, or it has a relative path.
    """
    if local := _LOCAL.match(url):
        path = url[local.end() :]
        if not path.startswith("/"):
            raise ValueError(f"a file URL has an absolute path, as in file:///{path or 'folder'}")
        return Folder(Path(path))
    return Store(url) if "://" in url else Folder(Path(url).expanduser())


class Folder:
    """A folder of this machine, or one that it has mounted."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self, folder: str) -> list[str]:
        try:
            with self._opened(folder) as within:
                return [entry.name for entry in os.scandir(within)]
        except FileNotFoundError:
            return []

    def all_names(self) -> Mapping[str, list[str]]:
        try:
            with os.scandir(self._root) as found:
                folders = [entry.name for entry in found if entry.is_dir(follow_symlinks=False)]
        except (FileNotFoundError, NotADirectoryError):
            return {}
        return {folder: self.names(folder) for folder in folders}

    def read(self, folder: str, name: str, first: int | None = None) -> bytes:
        with self._reading(folder, name) as file:
            return file.read(-1 if first is None else first)

    def pieces(self, folder: str, name: str) -> Iterator[bytes]:
        with self._reading(folder, name) as file:
            yield from iter(lambda: file.read(CHUNK), b"")

    def write(self, folder: str, name: str, data: memoryview) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            (self._root / folder).mkdir()
        draft = f"{name}.{secrets.token_hex(8)}.draft"
        with self._opened(folder) as within:
            try:
                with os.fdopen(os.open(draft, _DRAFT, 0o666, dir_fd=within), "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(draft, name, src_dir_fd=within, dst_dir_fd=within)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(draft, dir_fd=within)
                raise

    def remove(self, folder: str, names: Sequence[str]) -> None:
        with self._opened(folder) as within:
            for name in names:
                with contextlib.suppress(FileNotFoundError):  # another worker has removed it
                    os.unlink(name, dir_fd=within)
        with contextlib.suppress(OSError):  # it also holds another database's
            (self._root / folder).rmdir()

    def flaw(self) -> str | None:
        there = next(path for path in (self._root, *self._root.parents) if os.path.lexists(path))
        if not os.path.isdir(there):  # noqa: PTH112 (Path.is_dir raises where a parent may not be looked into)
            return f"{there} is no folder"
        return None if os.access(there, os.W_OK | os.X_OK) else f"{there} cannot be written"

    @contextlib.contextmanager
    def _reading(self, folder: str, name: str) -> Iterator[BinaryIO]:
        with self._opened(folder) as within, os.fdopen(os.open(name, _FILE, dir_fd=within), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise OSError("it is no plain file")
            _check_size(status.st_size)
            yield file

    @contextlib.contextmanager
    def _opened(self, folder: str) -> Iterator[int]:
        within = os.open(self._root / folder, _FOLDER)
        try:
            yield within
        finally:
            os.close(within)


class Store:
    """An fsspec URL. Object stores show a file only when it is complete."""

    def __init__(self, url: str) -> None:
        need("a place at a URL", "worker", "fsspec")
        self._url = url
        self._opened()

    def names(self, folder: str) -> list[str]:
        files, root = self._opened()
        try:
            found = files.ls(f"{root}/{folder}", detail=True)
        except FileNotFoundError:
            return []
        return [_name(one["name"]) for one in found if one["type"] == "file"]

    def all_names(self) -> Mapping[str, list[str]]:
        files, root = self._opened()
        found: dict[str, list[str]] = {}
        for path in files.find(root, maxdepth=2):
            folder, _, name = path.rpartition("/")
            found.setdefault(_name(folder), []).append(name)
        return found

    def read(self, folder: str, name: str, first: int | None = None) -> bytes:
        files, root = self._opened()
        path = f"{root}/{folder}/{name}"
        _check_size(files.size(path) or 0)
        data: bytes = files.cat_file(path, end=first)
        return data

    def pieces(self, folder: str, name: str) -> Iterator[bytes]:
        files, root = self._opened()
        with files.open(f"{root}/{folder}/{name}", "rb", block_size=CHUNK) as file:
            yield from iter(lambda: file.read(CHUNK), b"")

    def write(self, folder: str, name: str, data: memoryview) -> None:
        files, root = self._opened()
        files.pipe_file(f"{root}/{folder}/{name}", bytes(data))

    def remove(self, folder: str, names: Sequence[str]) -> None:
        files, root = self._opened()
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                files.rm_file(f"{root}/{folder}/{name}")

    def flaw(self) -> str | None:
        from fsspec.implementations.memory import MemoryFileSystem

        files, _ = self._opened()
        lost = isinstance(files, MemoryFileSystem)
        return "what is kept there is gone with the process that wrote it: name a folder or a store" if lost else None

    def _opened(self) -> tuple[Any, str]:
        """The file system and the root in it, without a stale cache."""
        import fsspec

        files, root = fsspec.core.url_to_fs(self._url)
        files.invalidate_cache()
        return files, root.rstrip("/")


def unusable(url: str | None) -> str | None:
    """The reason why `url` can keep nothing, in one line: an unknown protocol, a file in the folder's place, a folder
    that may not be written. None if it can, or there is none."""
    try:
        return None if url is None else place_of(url).flaw()
    except (ImportError, ValueError) as error:
        return " ".join(str(error).split())
    except Exception as error:  # a store that reads or connects as it is opened raises any error
        return " ".join(f"{type(error).__name__}: {error}".split())


def _name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        raise OSError(f"it has {size} bytes, more than the {MOST_BYTES} of a file that is read")
