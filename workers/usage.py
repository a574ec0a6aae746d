"""Command lines whose refusals are one line: the rule, what was given, what was probably meant, and the help to read.

Every command of the workers reads its options by it.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from pernodedrop.near import did_you_mean, hint
from pernodedrop.visible import visible_lines

WRONG = 2  # exit code
MOST_SHOWN = 40  # characters of what was given
_ABOUT = re.compile(r"argument (?P<option>\S+?)(?:/\S+)*: (?P<rule>.*)", re.DOTALL)


class Options(argparse.ArgumentParser):
    """A parser of a command line, whose help keeps its lines."""

    def __init__(self, command: str, description: str | None, examples: str | None = None) -> None:
        raw = argparse.RawDescriptionHelpFormatter
        super().__init__(command, description=description, epilog=examples, formatter_class=raw)

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """The options; ends the process with `WRONG` where they are wrong."""
        given = sys.argv[1:] if args is None else list(args)
        there = list(self._option_string_actions)
        for word in given[: given.index("--")] if "--" in given else given:
            option = word.partition("=")[0]
            if option.startswith("--") and not any(each.startswith(option) for each in there):
                self.error(f"there is no option {option[:MOST_SHOWN]}: {did_you_mean(option, there, 'leave it out')}")
        options, others = self.parse_known_args(given, namespace)
        if others := [word for word in others if word != "--"]:
            self.error(f"there is nothing that {others[0][:MOST_SHOWN]!r} could mean: leave it out")
        return options

    def error(self, message: str) -> NoReturn:
        """Say it in one line, and end the process."""
        about = _ABOUT.fullmatch(message)
        if about is not None:
            rule = about["rule"]
            message = f"{about['option']}{' ' if rule.startswith('must ') else ': '}{rule}"
        line = " ".join(message.split())
        with suppress(OSError):  # nobody can be told
            end = " see" if line.endswith("?") else ": see"
            sys.stderr.write(visible_lines(f"error: {line}{end} `{self.prog} --help`\n"))
        sys.exit(WRONG)


def one_of(*known: str) -> Callable[[str], str]:
    """Reads one of these words."""

    def read(text: str) -> str:
        if text not in known:
            rule = f"must be one of {', '.join(known)}, got {text[:MOST_SHOWN]!r}{hint(text, known)}"
            raise argparse.ArgumentTypeError(rule)
        return text

    return read
