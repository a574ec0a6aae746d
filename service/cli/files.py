"""Writes what commands make: into a plain file whole or not at all, and through whatever else the path leads to."""

import fcntl
import os
import stat
import sys
import tempfile
from pathlib import Path

from service.cli.exit_codes import ExitCode, Failure
from service.cli.session import say

_OPEN_FILES = Path("/dev/fd")  # this process's descriptors, on Linux and macOS


def save(path: Path, content: str | bytes) -> None:
    """Write the content by `write`, and say where it lies, unless it went to standard output.

    Raises:
        Failure: it cannot be written there; the message names the path and the reason.
    """
    if not write(path, content):
        say(str(path.absolute()))


def write(path: Path, content: str | bytes) -> bool:
    """Write the content, text as UTF-8; returns whether `path` is this process's standard output.

    A plain file is replaced when the new one is whole, with the permissions of the earlier one; symbolic links stay
    and lead to it. Pipes, terminals and devices are written to, and so is a file that this process was given open, as
    /dev/stdout often is, and one that has further names.

    Raises:
        Failure: it cannot be written there; the message names the path and the reason.
    """
    try:
        return _write(path, content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise Failure(f"cannot write {path}: {_reason(path, error)}") from error


def _write(path: Path, data: bytes) -> bool:
    """Write the data; returns whether that was standard output."""
    try:
        status = path.stat()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, data, None)
        return False
    if stat.S_ISDIR(status.st_mode):
        raise Failure(f"cannot write {path}: it is a folder, name a file", ExitCode.WRONG)
    if stat.S_ISBLK(status.st_mode):
        raise Failure(f"cannot write {path}: it is a disk, name a file", ExitCode.WRONG)
    given = _given(status)
    if given is not None:
        sys.stdout.flush()
        _pour(given, data)
        return given == 1
    if not stat.S_ISREG(status.st_mode):
        _pour_into(path, data)
    elif not os.access(path, os.W_OK):
        raise Failure(f"cannot write {path}: it is read-only")
    elif status.st_nlink > 1 or not os.access(path.resolve().parent, os.W_OK | os.X_OK):
        _pour_into(path, data)
    else:
        _replace(path, data, status)
    return False


def _given(status: os.stat_result) -> int | None:
    """The descriptor by which this process has the file open for writing since its start: the shell's `> file`."""
    for file in sorted(_OPEN_FILES.iterdir(), key=_number) if _OPEN_FILES.is_dir() else ():
        number = _number(file)
        try:
            writes = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
            if writes and os.path.samestat(status, os.fstat(number)):
                return number
        except OSError:  # the listing's own descriptor
            continue
    return None


def _number(file: Path) -> int:
    return int(file.name)


def _replace(path: Path, data: bytes, earlier: os.stat_result | None) -> None:
    """Write the file that `path` leads to beside it, with an earlier one's owner and permissions, and rename it."""
    target = Path(os.path.realpath(path))
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as folder:
        unfinished = Path(folder) / "unfinished"
        unfinished.write_bytes(data)
        if earlier is not None:
            made = unfinished.stat()
            if (earlier.st_uid, earlier.st_gid) != (made.st_uid, made.st_gid):
                try:
                    os.chown(unfinished, earlier.st_uid, earlier.st_gid)
                except OSError:  # only root gives files away
                    return _pour_into(path, data)
            unfinished.chmod(stat.S_IMODE(earlier.st_mode))
        try:
            unfinished.replace(target)
        except OSError:  # a container mounts single files, which cannot be replaced
            if earlier is None:
                raise
            _pour_into(path, data)


def _pour_into(path: Path, data: bytes) -> None:
    """Write into what is there, which stays what it is; a plain file is cut to the new length."""
    number = os.open(path, os.O_WRONLY | os.O_NOCTTY)
    try:
        _pour(number, data)
        if stat.S_ISREG(os.fstat(number).st_mode):
            os.ftruncate(number, len(data))
    finally:
        os.close(number)


def _pour(number: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(number, rest) :]


def _reason(path: Path, error: OSError) -> str:
    blocking = next((each for each in path.parents if each.exists() and not each.is_dir()), None)
    return f"{blocking} is no folder" if blocking else str(error.strerror or error)
