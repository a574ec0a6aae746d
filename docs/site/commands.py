"""The page of the commands, from the command line itself."""

import re
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperArgument, TyperGroup

from service.cli.application import application

INTRO = """\
# Commands

`pernodedrop --help` lists them, and `pernodedrop COMMAND --help` says the same as this page.
"""


def page() -> str:
    group = typer.main.get_command(application)
    assert isinstance(group, TyperGroup)
    return "\n".join([INTRO, *_commands(group, "pernodedrop")])


def _commands(group: TyperGroup, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if isinstance(command, TyperGroup):
            yield from _commands(command, f"{path} {name}")
            continue
        yield f"## {path} {name}\n"
        yield f"{_plain(command.help or '')}\n"
        rows = [_row(parameter) for parameter in command.params if not getattr(parameter, "hidden", False)]
        if rows:
            yield "| | |\n| --- | --- |"
            yield from rows
            yield ""


def _row(parameter: Any) -> str:
    if isinstance(parameter, TyperArgument):
        name = f"`{parameter.metavar or parameter.name}`"
    else:
        name = ", ".join(f"`{one}`" for one in parameter.opts)
    said = " ".join(_plain(getattr(parameter, "help", None) or "").replace("|", "\\|").split())
    return f"| {name} | {said} |"


def _plain(text: str) -> str:
    """The help without the terminal's marks; examples become code."""
    text = re.sub(r"\[/?(?:bold|dim|italic)\]", "", text).replace("\b", "").replace("\\[", "[")
    return re.sub(r"(?m)^ *(pernodedrop .*)$", r"    \1", text)
