"""Builds the data of a text from people, whatever its syntax, and refuses what is ambiguous or too much.

Both readers, of JSON and of YAML, tell it what they meet and where, so that the same rules hold for both.
"""

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from search_spaces.problems import shown
from search_spaces.scalars import SURROGATE

# A definition has at most some thirty thousand values, in a few levels, and no alias.
MOST_VALUES = 100_000  # with every alias counted as what it stands for
MOST_ALIASES = 1_000
DEEPEST = 32  # levels
LONGEST_VALUE = 4_000  # characters: a description has 2,000
MOST_PLACES = 20_000  # that are noted
LONGEST_PATH = 300  # characters: what lies below has the place of what is above it

MERGE = object()  # stands for YAML's key <<


class Place(NamedTuple):
    """A line and a column of a text, from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


class Refused(ValueError):
    """The text is not one that counts; the message is one line, which begins with the place."""

    def __init__(self, place: Place, rule: str) -> None:
        super().__init__(f"{place}: {rule}")
        self.place = place


@dataclass
class _Open:
    """A list or an object whose end has not come."""

    built: Any
    anchor: str | None
    before: int  # values before it
    place: Place
    path: str = ""  # its keys from the root, with dots between
    key: Any = None
    has_key: bool = False
    keys: dict[Any, Place] = field(default_factory=dict)
    merged: list[dict[str, Any]] = field(default_factory=list)


class Growing:
    """The data so far. `places` is filled with the place of each key and entry, by its path such as `budget.trials`;
    of what an alias stands for, only the alias has one."""

    def __init__(self, places: dict[str, Place] | None = None, longest: int = LONGEST_VALUE) -> None:
        """Data whose texts have at most `longest` characters; `places` is given where each part stands."""
        self.root: Any = None
        self._places, self._longest = places, longest
        self._open: list[_Open] = []
        self._values = self._aliases = 0
        self._known: dict[str, tuple[Any, int]] = {}  # what an anchor stands for, and of how many values it is

    @property
    def wants_key(self) -> bool:
        """Whether the next value is a key of an object."""
        return bool(self._open) and isinstance(self._open[-1].built, dict) and not self._open[-1].has_key

    def value(self, value: Any, place: Place, anchor: str | None = None) -> None:
        """Add a scalar, or MERGE; as a key where one is due.

        Raises:
            Refused: it breaks a rule, as all that follow.
        """
        if isinstance(value, str):
            value = _whole_characters(value, place)
            if len(value) > self._longest:
                raise Refused(place, f"a value must have at most {self._longest:,} characters, got {len(value):,}")
        self._count(1, place)
        if anchor is not None:
            self._known[anchor] = value, 1
        self._add(value, place)

    def alias(self, anchor: str, place: Place) -> None:
        """Add a copy of what the anchor stands for: a later change of one leaves the other alone."""
        if anchor not in self._known:
            raise Refused(place, f"the alias *{anchor[:60]} stands for nothing before it, or for itself")
        self._aliases += 1
        if self._aliases > MOST_ALIASES:
            raise Refused(place, f"it must hold at most {MOST_ALIASES:,} aliases (*name): write the values out")
        value, size = self._known[anchor]
        self._count(size, place)
        self._add(deepcopy(value) if isinstance(value, dict | list) else value, place)

    def open(self, built: dict[str, Any] | list[Any], place: Place, anchor: str | None = None) -> None:
        """Begin a list or an object."""
        if self.wants_key:
            raise Refused(place, f"a key must be text, got {shown(built)}")
        if len(self._open) == DEEPEST:
            raise Refused(place, f"it must be at most {DEEPEST} levels deep: a definition needs six")
        if anchor is not None:
            self._known.pop(anchor, None)  # until it ends, its name would mean itself
        self._open.append(_Open(built, anchor, self._values, place, self._noted(place)))
        self._count(1, place)

    def close(self) -> None:
        """End the list or the object that was begun last."""
        ended = self._open.pop()
        for other in ended.merged:
            for key, value in other.items():
                ended.built.setdefault(key, value)
        if ended.anchor is not None:
            self._known[ended.anchor] = ended.built, self._values - ended.before
        self._add(ended.built, ended.place)

    def _noted(self, place: Place) -> str:
        """The path of what comes now, whose place is noted if it has none."""
        if self._places is None or not self._open:
            return ""
        around = self._open[-1]
        key = len(around.built) if isinstance(around.built, list) else around.key
        path = f"{around.path}.{key}" if around.path else str(key)
        if len(path) > LONGEST_PATH:
            return around.path
        if len(self._places) < MOST_PLACES:
            self._places.setdefault(path, place)
        return path

    def _count(self, more: int, place: Place) -> None:
        self._values += more
        if self._values > MOST_VALUES:
            raise Refused(
                place,
                f"it must hold at most {MOST_VALUES:,} values, what its aliases (*name) repeat included: "
                "a study definition is a page of text",
            )

    def _add(self, value: Any, place: Place) -> None:
        if not self._open:
            self.root = value
            return
        around = self._open[-1]
        if isinstance(around.built, list):
            self._noted(place)
            around.built.append(value)
        elif not around.has_key:
            _check_key(value, place, around.keys)
            around.key, around.has_key, around.keys[value] = value, True, place
            if value is not MERGE:
                self._noted(place)
        elif around.key is MERGE:
            around.merged += _mergeable(value, place)
            around.has_key = False
        else:
            around.built[around.key] = value
            around.has_key = False


def place_of(path: str, places: Mapping[str, Place]) -> Place | None:
    """Where the path stands, or the nearest part above it that does; None where none does."""
    while path and path not in places:
        path = path.rpartition(".")[0]
    return places.get(path)


def _check_key(key: Any, place: Place, earlier: dict[Any, Place]) -> None:
    if key is not MERGE and not isinstance(key, str):
        remedy = "" if isinstance(key, dict | list) else ": put it into quotes"
        raise Refused(place, f"a key must be text, got {shown(key)}{remedy}")
    if key in earlier:
        name = "<<" if key is MERGE else shown(key)
        raise Refused(place, f"the key {name} stands at {earlier[key]} already: keep one of them")


def _mergeable(value: Any, place: Place) -> list[dict[str, Any]]:
    """The objects that a key << takes up, the strongest first."""
    several = value if isinstance(value, list) else [value]
    for one in several:
        if not isinstance(one, dict):
            raise Refused(place, f"<< must have objects, such as *name of one, got {shown(one)}")
    return several


def _whole_characters(text: str, place: Place) -> str:
    """The text with a character for each pair of surrogates, which JSON's escapes make of a character."""
    if re.search(SURROGATE, text) is None:
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise Refused(place, "it holds half a character (one of \\ud800 to \\udfff alone): write the whole") from None
