"""YAML from people: read with a bound on what a small file can grow into."""

import json
from typing import Any

import yaml

# A definition needs some ten thousand values in a few levels, and no alias.
MOST_VALUES = 500_000  # with every alias counted as what it stands for
MOST_ALIASES = 1_000
DEEPEST = 32  # levels
LONGEST_VALUE = 4_000  # characters: a description has 2,000

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is five times as fast


class NotYaml(ValueError):
    """The text is no YAML, or more than a definition may be; the message is one line."""


def read_yaml(text: str | bytes) -> Any:
    """The data in the text, such as JSON can say but for dates; JSON is YAML too.

    Raises:
        NotYaml: the text is not that; `str()` says the line, the rule and the remedy.
    """
    try:
        _check(text)
        loaded = yaml.load(text, _LOADER)  # noqa: S506 (a safe one)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        place = f"line {where.line + 1}: " if where else ""
        raise NotYaml(f"{place}{getattr(error, 'problem', None) or getattr(error, 'reason', error)}") from error
    except ValueError as error:  # a date such as 2026-99-99
        raise error if isinstance(error, NotYaml) else NotYaml(f"{error}: put text into quotes") from error
    try:
        json.dumps(loaded, default=str)
    except (TypeError, ValueError) as error:  # a key that is a list, a number of thousands of digits
        raise NotYaml(f"JSON cannot say it ({str(error).partition(';')[0]}): put text into quotes") from error
    return loaded


def _check(text: str | bytes) -> None:
    """Walk through the text without building anything, and count.

    Raises NotYaml at the first bound that it breaks, and yaml.YAMLError.
    """
    count = _Count()
    for event in yaml.parse(text, _LOADER):
        rule = count.broken_by(event)
        if rule is not None:
            line = "" if event.start_mark is None else f"line {event.start_mark.line + 1}: "
            raise NotYaml(f"{line}{rule}")


class _Count:
    """What a text would grow into, event by event."""

    def __init__(self) -> None:
        self._values = self._aliases = 0
        self._open: list[tuple[str | None, int]] = []  # collections: their anchors, and the values before them
        self._known: dict[str | None, int] = {}  # the values that an anchor stands for

    def broken_by(self, event: yaml.Event) -> str | None:
        """The rule that the text breaks with this event, if any."""
        match event:
            case yaml.AliasEvent():
                if event.anchor not in self._known:
                    return f"the alias *{str(event.anchor)[:60]} stands for nothing before it, or for itself"
                self._aliases += 1
                self._values += self._known[event.anchor]
            case yaml.ScalarEvent():
                if len(event.value) > LONGEST_VALUE:
                    return f"a value must have at most {LONGEST_VALUE:,} characters, got {len(event.value):,}"
                self._known[event.anchor] = 1
                self._values += 1
            case yaml.CollectionStartEvent():
                if len(self._open) == DEEPEST:
                    return f"it must be at most {DEEPEST} levels deep: a definition needs six"
                self._known.pop(event.anchor, None)  # until it ends, its name would mean itself
                self._open.append((event.anchor, self._values))
                self._values += 1
            case yaml.CollectionEndEvent():
                anchor, before = self._open.pop()
                self._known[anchor] = self._values - before
        return self._too_much()

    def _too_much(self) -> str | None:
        if self._aliases > MOST_ALIASES:
            return f"it must hold at most {MOST_ALIASES:,} aliases (*name): write the values out"
        if self._values > MOST_VALUES:
            return (
                f"it must hold at most {MOST_VALUES:,} values, what its aliases (*name) repeat included: "
                "a study definition is a page of text"
            )
        return None
