"""How this program is called where its reader is: printed commands are those that work there."""

import os
import re
import shutil
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path

NAME = "pernodedrop"
PROGRAM = "PERNODEDROP_COMMAND"  # what a reader types for `pernodedrop`: the compose file sets it
WORKER = "PERNODEDROP_WORKER_COMMAND"  # what starts a worker there


def called(arguments: str, environment: Mapping[str, str] = os.environ) -> str:
    """The command line of these arguments, such as `watch my-study`."""
    if arguments.partition(" ")[0] == "worker" and environment.get(WORKER):
        return environment[WORKER]
    return f"{_program(environment)} {arguments}"


def as_called(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """The text, in which every command between backticks is one that works here."""
    return re.sub(rf"`{NAME} ([^`]+)`", lambda found: f"`{called(found[1], environment)}`", text)


def pass_on(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let the processes that this one starts, such as the dashboard, print commands as this one is called."""
    program = _program(environment)
    if program != NAME:
        environment[PROGRAM] = program


def _program(environment: Mapping[str, str]) -> str:
    given = environment.get(PROGRAM, "").strip()
    typed = Path(sys.argv[0] if sys.argv else "")
    if given or typed.name != NAME:
        return given or NAME
    found = shutil.which(NAME)
    try:
        if found is not None and Path(found).resolve() == typed.resolve():
            return NAME
        path = Path(os.path.abspath(typed))  # noqa: PTH100 (a link stays)
        here = Path.cwd()
    except FileNotFoundError:  # the folder in which this began is gone
        return str(typed)
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
