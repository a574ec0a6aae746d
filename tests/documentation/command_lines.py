"""The commands of a block: whether each of them, its options and its files are there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from tests.documentation.blocks import ROOT, Block


def commands(block: Block) -> Iterator[list[str]]:
    """The words of every command, without what is set in front of it and what receives its output."""
    for line in block.text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&")
        lexer.whitespace_split = True
        words: list[str] = []
        try:
            for word in [*lexer, ";"]:
                if not set(word) <= set("|;&"):
                    words.append(word)
                    continue
                while words and re.match(r"\w+=", words[0]):
                    words.pop(0)
                if words:
                    yield words
                words = []
        except ValueError:  # a quoted text of several lines, as a body in JSON
            continue


def flaw(words: list[str]) -> str | None:
    """What is wrong with one of the project's own commands, or None."""
    program, *arguments = words
    match Path(program).name:
        case "pernodedrop":
            return _flaw_of_ours(arguments)
        case "make":
            targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
            lacking = [word for word in arguments if "=" not in word and word not in targets]
            return f"the Makefile has no {', '.join(lacking)}" if lacking else None
        case "python" | "python3":
            return _flaw_of_script(arguments)
        case _:
            return None


def _flaw_of_ours(arguments: list[str]) -> str | None:
    from service.cli.application import application
    from service.cli.exit_codes import UsageError

    command: Any = typer.main.get_command(application)
    path = ["pernodedrop"]
    while isinstance(command, TyperGroup):
        name, *arguments = arguments or [""]
        if name not in command.commands:
            return f"`{' '.join(path)}` has no command {name!r}"
        command = command.commands[name]
        path.append(name)
    try:
        command.make_context(path[-1], arguments)
    except UsageError as error:
        return f"`{' '.join(path)}`: {error}"
    return None


def _flaw_of_script(arguments: list[str]) -> str | None:
    match arguments:
        case ["-m", module, *options] if (path := ROOT / module.replace(".", "/")).parent != ROOT:
            file = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
        case [script, *options] if script.endswith(".py"):
            file = ROOT / script
        case _:
            return None
    if not file.exists():
        return f"there is no {file.relative_to(ROOT)}"
    known = _with_imported(file.read_text())
    lacking = [word for word in options if word.startswith("--") and f'"{word.partition("=")[0]}"' not in known]
    return f"{file.relative_to(ROOT)} does not know {', '.join(lacking)}" if lacking else None


def _with_imported(text: str) -> str:
    """A script's text with that of the scripts whose options it takes over."""
    names = re.findall(r"^from benchmarks import (\w+)", text, flags=re.MULTILINE)
    return "".join([text, *((ROOT / f"benchmarks/{name}.py").read_text() for name in names)])
