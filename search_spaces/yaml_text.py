"""Text from people: YAML 1.2 or JSON, read by one set of rules wherever it comes from."""

import json
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from search_spaces.core_schema import TAG, resolved, tagged
from search_spaces.growing import MERGE, Growing, Place, Refused
from search_spaces.json_text import Malformed, decoded, place_after, read_json

VERSION = (1, 2)

# The parser takes up to 0.1 ms for a value and 4 s for a million characters: a text within these takes less than a
# second. JSON is read by C, and has the bounds of `growing` alone.
LONGEST_YAML = 250_000  # characters
MOST_WRITTEN = 10_000  # values and keys, an alias as one
AS_JSON = "a study definition is a page of text, and a program can send it as JSON, which may be longer"

# The parser fails in ways of its own where a text is no YAML, as at an escape beyond Unicode.
FAILURES = (YAMLError, ValueError, ArithmeticError, LookupError, AttributeError, TypeError, AssertionError)

# By what the parser says of the commonest slips.
REMEDIES = {
    "'\\t'": "indent with spaces, not with tabs",
    "mapping values are not allowed": "put text that has a colon and a space into quotes",
    "cannot start any token": "put text that begins with this character into quotes",
    "could not find expected ':'": "write `key: value`, and put longer text into quotes",
}


class NotYaml(ValueError):
    """The text is no YAML, or not one that counts; the message is one line with the place."""

    def __init__(self, message: str, place: Place | None = None) -> None:
        super().__init__(message)
        self.place = place


def read_yaml(text: str | bytes, places: dict[str, Place] | None = None) -> Any:
    """The data in the text, such as JSON can say it. `places` is filled with where each key stands: see `Growing`.

    Scalars are read by YAML 1.2's core schema: only true and false are booleans, 014 is 14, 1e-5 is a number, and dates
    and 1:30 are text. The key << takes up other objects, and an alias is a copy. JSON is read as `read_json` does, so
    that it means the same in a file as in a request.

    Raises:
        NotYaml: the text is not that; `str()` says the line, the column, the rule and the remedy.
    """
    try:
        whole = decoded(text) if isinstance(text, bytes) else text
        try:
            return read_json(whole, places)
        except Malformed as error:
            if len(whole) > LONGEST_YAML:
                raise _too_long(whole, error) from None
            return _grown(whole, places)
    except Refused as error:
        raise NotYaml(str(error), error.place) from None


def written(value: str | float | bool) -> str:
    """The scalar as a line of a definition has it: text without quotes where it is read as the same text."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        plain = value == value.strip() and "\n" not in value and read_yaml(f"- {value}") == [value]
    except NotYaml:
        plain = False
    return value if plain else json.dumps(value, ensure_ascii=False)


def _too_long(text: str, malformed: Malformed) -> Refused:
    """What is said of a text that is no JSON, as which it may have been meant."""
    if text.lstrip()[:1] in ("{", "["):
        return Refused(malformed.place, f"this is no JSON, and YAML must have at most {LONGEST_YAML:,} characters")
    place = place_after(text[:LONGEST_YAML])
    return Refused(place, f"YAML must have at most {LONGEST_YAML:,} characters, got {len(text):,}: {AS_JSON}")


def _grown(text: str, places: dict[str, Place] | None) -> Any:
    growing, documents, written_out = Growing(places), 0, 0
    for event in _events(text):
        place = _place_of(event.start_mark)
        written_out += isinstance(event, NodeEvent)
        if written_out > MOST_WRITTEN:
            raise Refused(place, f"YAML must hold at most {MOST_WRITTEN:,} values and keys: {AS_JSON}")
        match event:
            case DocumentStartEvent():
                documents += 1
                if documents > 1:
                    raise Refused(place, "another document begins: put it into a text of its own")
                if event.version not in (None, VERSION):
                    raise Refused(place, "text is read as YAML 1.2: leave the line %YAML out")
            case AliasEvent():
                growing.alias(event.anchor, place)
            case ScalarEvent():
                growing.value(_scalar(event, place, is_key=growing.wants_key), place, event.anchor)
            case MappingStartEvent() | SequenceStartEvent():
                is_map = isinstance(event, MappingStartEvent)
                if event.tag not in (None, "!", TAG + ("map" if is_map else "seq")):
                    raise Refused(place, f"the tag {_short(event.tag)} means nothing in a definition: leave it out")
                growing.open({} if is_map else [], place, event.anchor)
            case CollectionEndEvent():
                growing.close()
    return growing.root


def _scalar(event: ScalarEvent, place: Place, *, is_key: bool) -> Any:
    tag = event.tag
    try:
        if tag is None or tag == "!":
            if event.style is not None or tag == "!":  # in quotes, or a block of text
                return event.value
            return MERGE if is_key and event.value == "<<" else resolved(event.value)
        return tagged(event.value, tag)
    except ValueError as error:
        raise Refused(place, str(error)) from None


def _events(text: str) -> Iterator[Event]:
    """What the parser meets.

    Raises:
        Refused: the text is no YAML.
    """
    events, place = YAML(typ="safe", pure=True).parse(text), Place(1, 1)
    while True:
        try:
            event = next(events, None)
        except ReaderError as error:
            raise Refused(place_after(text[: error.position]), _unprintable(error)) from None
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise Refused(_place_of(mark) if mark else place, _problem(error)) from None
        except FAILURES as error:
            raise Refused(place, f"what follows is no YAML ({_in_one_line(error)})") from None
        if event is None:
            return
        place = _place_of(event.end_mark)
        yield event


def _place_of(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)


def _unprintable(error: ReaderError) -> str:
    return f"the character U+{error.character:04X} must not stand in YAML: remove it"


def _problem(error: MarkedYAMLError) -> str:
    problem = _in_one_line(error.problem or error.context)
    remedy = next((remedy for words, remedy in REMEDIES.items() if words in problem), None)
    return problem if remedy is None else f"{problem}: {remedy}"


def _in_one_line(what: object) -> str:
    return " ".join(str(what).split())[:200]


def _short(tag: str) -> str:
    return tag.replace(TAG, "!!")[:60]
