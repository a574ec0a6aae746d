"""Fetching a published archive once: resumed after a break, verified, unpacked as a whole or not at all."""

import fcntl
import hashlib
import shutil
import tarfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from workers.tasks.errors import DataUnavailable

TIMEOUT_S = 30.0  # without a byte


@dataclass(frozen=True)
class Archive:
    """A tar archive that never changes, and what to take from it."""

    address: str
    sha256: str
    size: int  # bytes
    members: Collection[str]  # file names inside the archive's one folder
    largest_member: int = 64 * 2**20  # bytes

    @property
    def file_name(self) -> str:
        return self.address.rsplit("/", 1)[-1]


def provide(archive: Archive, folder: Path) -> None:
    """See to it that `folder` holds the archive's members; a folder that exists is left as it is.

    Of several processes one downloads and the others wait. An archive that lies beside the folder is used.

    Raises:
        DataUnavailable: there is no network, no space or no permission, or the file is not the published one.
    """
    if folder.is_dir():
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder.with_name(f".{folder.name}.lock")):
            if not folder.is_dir():
                _fetch_and_unpack(archive, folder)
    except (httpx.HTTPError, OSError, tarfile.TarError, _Unfit) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataUnavailable(
            f"{folder} is missing and {archive.address} could not be fetched ({reason}): "
            f"put the folder there, or {archive.file_name} into {folder.parent}"
        ) from error


class _Unfit(Exception):
    """What arrived is not the published archive."""


def _fetch_and_unpack(archive: Archive, folder: Path) -> None:
    file = folder.parent / archive.file_name
    if not file.exists():
        part = file.with_name(f"{file.name}.part")
        _download(archive, part)
        _verify(archive, part)
        part.rename(file)
    else:
        _verify(archive, file)
    _unpack(archive, file, folder)
    file.unlink()


def _download(archive: Archive, part: Path) -> None:
    """Append to `part` what it lacks; a server that cannot continue starts it over."""
    present = part.stat().st_size if part.exists() else 0
    if present >= archive.size:
        return
    headers = {"Range": f"bytes={present}-", "Accept-Encoding": "identity"}
    with httpx.stream("GET", archive.address, headers=headers, timeout=TIMEOUT_S, follow_redirects=True) as answer:
        answer.raise_for_status()
        resumed = answer.status_code == httpx.codes.PARTIAL_CONTENT
        with part.open("ab" if resumed else "wb") as out, _bar(archive, present if resumed else 0) as advance:
            received = present if resumed else 0
            for chunk in answer.iter_raw():  # as it arrives: what a break would lose is little
                received += len(chunk)
                if received > archive.size:
                    raise _Unfit(f"the server sends more than the published {archive.size} bytes")
                out.write(chunk)
                advance(len(chunk))
    if received < archive.size:
        raise _Unfit(f"it broke off after {received} of {archive.size} bytes; the next attempt continues")


def _verify(archive: Archive, file: Path) -> None:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if digest != archive.sha256:
        file.unlink()
        raise _Unfit(f"{file.name} had SHA-256 {digest}, published is {archive.sha256}; it was removed")


def _unpack(archive: Archive, file: Path, folder: Path) -> None:
    """Copy the named members, and no path from inside the archive, to a folder that appears when complete."""
    growing = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(growing, ignore_errors=True)
    growing.mkdir()
    with tarfile.open(file) as tar:
        for name in archive.members:
            content = _regular_file(tar, f"{folder.name}/{name}", archive.largest_member)
            with content, (growing / name).open("wb") as out:
                shutil.copyfileobj(content, out)
    growing.rename(folder)


def _regular_file(tar: tarfile.TarFile, name: str, largest: int) -> IO[bytes]:
    member = tar.getmember(name) if name in tar.getnames() else None
    content = tar.extractfile(member) if member and member.isreg() and member.size <= largest else None
    if content is None:
        raise _Unfit(f"{name} is no file of at most {largest} bytes")
    return content


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Only one process at a time is inside the block; the system lifts the lock of one that dies."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _bar(archive: Archive, present: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal's standard error; gives the function that advances it by some bytes."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(archive.file_name, total=archive.size, completed=present)
        yield lambda size: progress.advance(bar, size)
