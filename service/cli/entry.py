"""From the shell to a command and back: errors become lines on stderr and an exit code."""

import os
import sys
from collections.abc import Sequence

import typer

from service.cli.application import application
from service.cli.exit_codes import KINDS, ExitCode, UsageError, code_of
from service.stack import ChildDied


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    try:
        code = application(arguments, prog_name="pernodedrop", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, `head` for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except KINDS as error:
        sys.stderr.write(told(error))
        return code_of(error)
    return code if isinstance(code, int) else ExitCode.DONE


def told(error: Exception) -> str:
    """What the user reads of an error: lines, the last ones beginning with `error:`."""
    match error:
        case typer.Abort():
            return "stopped: nothing was changed\n"
        case UsageError():
            lines = [_usage(error)]
        case OSError():  # a folder without permission, a full disk
            lines = [f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"]
        case _:
            lines = str(error).splitlines()
    log = [f"  {line}" for line in error.last_lines] if isinstance(error, ChildDied) else []
    return "\n".join([*log, *(f"error: {line}" for line in lines), ""])


def _usage(error: Exception) -> str:
    """The error's line and where to read on."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "pernodedrop"
    message = str(getattr(error, "format_message", lambda: error)()).rstrip(".")
    return f"{message}: see `{command} --help`"
