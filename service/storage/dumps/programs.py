"""Runs pg_dump and pg_restore, in the version of the server, with progress and errors of one line."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa

from service.storage import libpq
from service.storage.database.address import normalise_url
from service.storage.embedded import EmbeddedPostgresError, binaries
from service.storage.errors import DumpFailed

Say = Callable[[str], None]

TOLD_EVERY_S = 5.0
_LOOK_S = 0.1
_MAJOR = re.compile(r"\(PostgreSQL\) (\d+)")
_DEBIAN = Path("/usr/lib/postgresql")


def program(name: str, major: int) -> Path:
    """The program of this major version: the embedded one, that on PATH, or Debian's.

    Another version would refuse the server, or write what the server does not understand.

    Raises:
        DumpFailed: there is none; the message names the versions that are there.
    """
    found: dict[int, Path] = {}
    for path in _candidates(name):
        version = _major_of(path)
        if version is not None:
            found.setdefault(version, path)
    if major in found:
        return found[major]
    there = f"those here are of {', '.join(map(str, sorted(found)))}" if found else "there is none here"
    raise DumpFailed(
        f"the server is Postgres {major}, which takes a {name} of {major}, and {there}: install it (Debian: "
        f"postgresql-client-{major}) or put it on PATH"
    )


def _candidates(name: str) -> Iterator[Path]:
    with suppress(EmbeddedPostgresError):  # an installation without the wheel
        yield from (install / "bin" / name for install in binaries.installs().values())
    on_path = shutil.which(name)
    if on_path is not None:
        yield Path(on_path)
    yield from sorted(_DEBIAN.glob(f"*/bin/{name}"))


def _major_of(path: Path) -> int | None:
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _MAJOR.search(said)
    return int(found[1]) if found else None


def connecting(url: str) -> tuple[str, dict[str, str]]:
    """What names the database to one of the programs, without its password, and the environment that has that."""
    address = sa.make_url(normalise_url(url))
    environment = dict(os.environ)
    if address.password is not None:
        environment["PGPASSWORD"] = str(address.password)
    environment["PGOPTIONS"] = libpq.options("-c timezone=UTC -c lock_timeout=0 -c statement_timeout=0")
    environment["PGCLIENTENCODING"] = "UTF8"
    environment["PGCONNECT_TIMEOUT"] = "10"
    plain = address.set(drivername="postgresql", password=None)
    return plain.render_as_string(hide_password=False), environment


def run(command: Sequence[str | Path], environment: dict[str, str], progress: Callable[[str], str], say: Say) -> None:
    """Run the program to its end; every few seconds `say` what `progress` makes of its last line.

    Raises:
        DumpFailed: it has failed; the message is its own last line.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            told = time.monotonic()
            while process.poll() is None:
                time.sleep(_LOOK_S)
                if time.monotonic() - told >= TOLD_EVERY_S:
                    told = time.monotonic()
                    say(progress(_last_line(said.fileno())))
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        said.seek(0)
        lines = said.read().splitlines()
    if process.returncode != 0:
        raise DumpFailed(_reason(lines) or f"{Path(command[0]).name} ended with status {process.returncode}")


def _last_line(file: int) -> str:
    size = os.fstat(file).st_size
    text = os.pread(file, 4096, max(0, size - 4096)).decode(errors="replace")
    return next(iter(text.strip().splitlines()[-1:]), "")


def _reason(lines: Sequence[str]) -> str:
    """The first error that a program names: what follows is its consequence."""
    errors = [line for line in lines if "error:" in line]
    return " ".join((errors[0] if errors else lines[-1] if lines else "").split())
