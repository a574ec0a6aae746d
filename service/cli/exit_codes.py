"""The exit codes of commands, and the errors that lead to them."""

from enum import IntEnum
from typing import cast

import typer

from service.client import Refused, Unreachable
from service.stack import ChildDied
from service.storage.embedded import EmbeddedPostgresError
from service.storage.errors import DatabaseUnreachable, StorageError

# The base of usage errors, of which typer exports only BadParameter.
UsageError = cast(type[Exception], typer.BadParameter.__base__)


class ExitCode(IntEnum):
    DONE = 0
    FAILED = 1
    WRONG = 2  # usage or definition
    UNREACHABLE = 3
    INTERRUPTED = 130


class Failure(Exception):
    """A command cannot continue; the user reads the message."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code


KINDS: tuple[type[Exception], ...] = (
    Failure,
    UsageError,
    typer.Abort,
    Refused,
    Unreachable,
    ChildDied,
    EmbeddedPostgresError,
    StorageError,
    OSError,
)


def code_of(error: Exception) -> ExitCode:
    """The exit code of an error of `KINDS`."""
    match error:
        case Failure(code=code):
            return code
        case Unreachable() | DatabaseUnreachable():
            return ExitCode.UNREACHABLE
        case UsageError() | Refused(status=400 | 413 | 422):
            return ExitCode.WRONG
        case typer.Abort():
            return ExitCode.INTERRUPTED
        case _:
            return ExitCode.FAILED
