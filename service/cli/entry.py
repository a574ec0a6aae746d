"""Runs a command line; errors become lines on stderr and an exit code."""

import re
import sys
from collections.abc import Sequence

import typer
from pydantic import ValidationError

from pernodedrop.door import discard
from pernodedrop.near import hint, nearest
from pernodedrop.visible import visible_lines
from service.cli.application import application
from service.cli.exit_codes import KINDS, ExitCode, UsageError, code_of
from service.cli.output import of_stdout, width_of, wrapped
from service.stack import ChildDied

_CHOICE = re.compile(r": '(?P<given>.*)' is not one of '(?P<known>.*)'$")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    code = _code_of_running(arguments)
    try:
        sys.stdout.flush()
    except OSError as error:
        code = code or _told(of_stdout(error))
        discard(sys.stdout)
    return code


def _code_of_running(arguments: Sequence[str] | None) -> int:
    try:
        code = application(arguments, prog_name="pernodedrop", standalone_mode=False)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except KINDS as error:
        return _told(error)
    return code if isinstance(code, int) else ExitCode.DONE


def _told(error: Exception) -> int:
    """Write the error's lines, and return its exit code; a reader such as `head` that has gone is told nothing."""
    code = code_of(error)
    if not isinstance(error, BrokenPipeError) and not _is_interrupt(error):
        try:
            sys.stderr.write(error_text(error))
            sys.stderr.flush()
        except OSError:  # nobody can be told
            discard(sys.stderr)
    return code


def _with_value(message: str, cause: ValidationError) -> str:
    """The message of a number or a date that is none, with what was given; other rules name it themselves."""
    [found, *_] = cause.errors(include_url=False, include_context=False)
    before, itself, rule = message.partition("Input should be ")
    return f"{before}must be {rule.partition(',')[0]}, got {str(found['input'])[:40]!r}" if itself else message


def _is_interrupt(error: Exception) -> bool:
    """Whether Ctrl-C came outside of a question: typer makes an Abort of both."""
    return isinstance(error, typer.Abort) and isinstance(error.__cause__, KeyboardInterrupt)


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
    said = "\n".join([*log, *(f"error: {line}" for line in lines), ""])
    return visible_lines(wrapped(said, width_of(sys.stderr)))


def _usage(error: Exception) -> str:
    """The error's line and the help to read."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "pernodedrop"
    message = str(getattr(error, "format_message", lambda: error)()).rstrip(".") or "name a command"
    if isinstance(error.__cause__, ValidationError):
        message = _with_value(message, error.__cause__)
    message = message.replace(": Value error, ", ": ")  # the class of what a choice of words raises
    if (choice := _CHOICE.search(message)) is not None:  # whatever an option or an argument chooses from
        message += hint(choice["given"], choice["known"].split("', '"))
    option, known = getattr(error, "option_name", None), [] if context is None else context.command.params
    if option is not None and message.startswith("No such option"):
        names = [name for one in known for name in one.opts if name.startswith("-")]
        message = f"No such option: {option}"
        if (meant := nearest(option, names)) is not None:
            message += f", did you mean {meant}?"
    return f"{message}{' see' if message.endswith('?') else ': see'} `{command} --help`"
