"""Problems of a study definition, each with a path, a rule and the value got."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pernodedrop.visible import visible

MOST_PROBLEMS = 50  # reported at once
MOST_LISTED = 10  # values that a message names
LONGEST_SHOWN = 60  # characters of an offending value that a message repeats


@dataclass(frozen=True)
class Problem:
    """One broken rule; `message` is a full sentence and starts with `path`."""

    path: str
    message: str

    @classmethod
    def at(cls, path: str, rule: str) -> "Problem":
        return cls(path, f"{path} {rule}")


class InvalidDefinition(Exception):
    """The study definition breaks at least one rule; `problems` lists them, str() gives one line each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(islice(problems, MOST_PROBLEMS))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(problem.message for problem in self.problems)


def shown(value: Any) -> str:
    """The value as it stands in a JSON file, cut to a length that fits a line of a log."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple | set):
        return "a list"
    if isinstance(value, str):
        value = value[: LONGEST_SHOWN + 1]  # before quoting, so that a megabyte is never copied
    if isinstance(value, int) and abs(value) > 10**LONGEST_SHOWN:
        return "a number of many digits"
    text = json.dumps(value, ensure_ascii=False, default=lambda other: type(other).__name__)
    text = visible(text)  # among others half a character, which cannot be sent
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def listed(values: Iterable[Any]) -> str:
    """`"a", "b" or "c"`; names a choice in a message, at most MOST_LISTED of them."""
    given = list(values)
    texts = [shown(value) for value in given[:MOST_LISTED]]
    if len(given) > MOST_LISTED:
        return f"{', '.join(texts)}, ... ({len(given)} in all)"
    return " or ".join(filter(None, [", ".join(texts[:-1]), *texts[-1:]]))
