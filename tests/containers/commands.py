"""Run a program to its end; what it said is the error where it fails."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class CommandFailed(Exception):
    """A program ended with a failure; the message has its command line and the end of its output."""


class OutOfReach(Exception):
    """No Docker engine can be had here; the message says why in one line."""


@contextmanager
def fetching(what: str) -> Iterator[None]:
    """A failure inside means that this machine cannot reach where `what` comes from.

    Raises:
        OutOfReach: instead of CommandFailed.
    """
    try:
        yield
    except CommandFailed as error:
        raise OutOfReach(f"{what} cannot be fetched: {str(error).splitlines()[-1]}") from error


def run(
    command: list[str | Path],
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    standard_input: IO[bytes] | None = None,
    seconds: float = 900,
) -> str:
    """Return what `command` wrote to its standard output.

    Raises:
        CommandFailed: it is not there, ended with another status than 0 or took longer than `seconds`.
    """
    line = " ".join(map(str, command))
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=folder,
            stdin=standard_input or subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandFailed(f"{line}: {error}") from error
    output = done.stdout.decode(errors="replace")
    if done.returncode:
        said = (output + done.stderr.decode(errors="replace"))[-4000:].strip()
        raise CommandFailed(f"{line}: exit status {done.returncode}\n{said}")
    return output
