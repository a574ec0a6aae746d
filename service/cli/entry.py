"""Runs a command line; errors become lines on stderr and an exit code."""

import os
import sys
from collections.abc import Sequence

import typer

from pernodedrop.visible import visible_lines
from service.cli.application import application
from service.cli.exit_codes import KINDS, ExitCode, UsageError, code_of
from service.stack import ChildDied


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    try:
        code = application(arguments, prog_name="pernodedrop", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except KINDS as error:
        sys.stderr.write(error_text(error))
        return code_of(error)
    return code if isinstance(code, int) else ExitCode.DONE


def error_text(error: Exception) -> str:
    """Return the lines that the user reads of an error; the last ones begin with `error:`."""
    match error:
        case typer.Abort():
            return "stopped: nothing was changed\n"
        case UsageError():
            lines = [_usage(error)]
        case OSError():  # a folder without permission, a full disk
            lines = [f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"]
        case _:
            lines = str(error).split("\n")
    log = [f"  {line}" for line in error.last_lines] if isinstance(error, ChildDied) else []
    return visible_lines("\n".join([*log, *(f"error: {line}" for line in lines), ""]))


def _usage(error: Exception) -> str:
    """The error's line and the help to read."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "pernodedrop"
    message = str(getattr(error, "format_message", lambda: error)()).rstrip(".")
    return f"{message}: see `{command} --help`"
