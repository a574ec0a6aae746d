"""Every command that takes more than a study's name shows an example, and each example can be typed."""

import inspect
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from service.cli.application import application

ROOT: Any = typer.main.get_command(application)
ELSEWHERE = {"worker", "reproduce"}  # they print a help of their own
SELDOM = {"--help", "--json", "--socket"}


def commands(group: Any = ROOT, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*before, name))
        elif name not in ELSEWHERE:
            yield (*before, name), command


ALL = dict(commands())


def examples(command: Any) -> list[list[str]]:
    """The lines of its help that are typed, each as its words."""
    lines = inspect.getdoc(command.callback).splitlines()
    return [shlex.split(line.partition(" > ")[0]) for line in lines if line.startswith("  pernodedrop ")]


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_a_command_with_choices_has_an_example_of_itself(words: tuple[str, ...]) -> None:
    command = ALL[words]
    given = {name for one in command.params for name in one.opts} - SELDOM
    if len(given) > 1:
        assert any(tuple(typed[1 : len(words) + 1]) == words for typed in examples(command)), given


@pytest.mark.parametrize("words", [words for words in ALL if examples(ALL[words])], ids=" ".join)
def test_each_example_can_be_typed(words: tuple[str, ...]) -> None:
    for _, *typed in examples(ALL[words]):
        called = next((one for one in ALL if tuple(typed[: len(one)]) == one), None)
        assert called is not None or typed[0] in ELSEWHERE, typed
        if called is not None:
            ALL[called].make_context(" ".join(called), typed[len(called) :])
