"""JSON from people, by the rules of every text from them: see `growing`."""

import json
import re
from typing import Any

from search_spaces.core_schema import resolved
from search_spaces.growing import LONGEST_VALUE, Growing, Place, Refused

_TOKEN = re.compile(
    r'(?P<open>[\[{])|(?P<close>[\]}])|(?P<text>"[^"\\]*(?:\\.[^"\\]*)*")|(?P<other>[^\s\[\]{}",:]+)|(?P<line>\n)'
)


class Malformed(Refused):
    """The text is no JSON; `str()` says where."""


def read_json(text: str, places: dict[str, Place] | None = None, *, longest: int = LONGEST_VALUE) -> Any:
    """The data in the text; a number is finite, an object has a key once, and a text `longest` characters at most.

    `places`: see `Growing`.

    Raises:
        Malformed: it is no JSON.
        Refused: it is one that does not count: see `Growing`.
    """
    try:
        json.loads(text, parse_int=len, parse_float=len, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise Malformed(Place(error.lineno, error.colno), f"{error.msg[:1].lower()}{error.msg[1:]}") from None
    except _Constant as error:
        raise Malformed(_first(error.name, text), f"{error.name} is no finite number, and JSON has no other") from None
    except RecursionError:
        pass  # far deeper than `Growing` takes
    return _grown(text, places, longest)


def decoded(data: bytes) -> str:
    """The text in UTF-8, or in the UTF-16 or UTF-32 that its first bytes show, without a byte order mark.

    Raises:
        Refused: the bytes are no such text.
    """
    encoding = json.detect_encoding(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        place = place_after(data[: error.start].decode(encoding, "replace"))
        raise Refused(
            place, f"the byte 0x{data[error.start]:02x} is no {encoding[:6].upper()}: save it as UTF-8"
        ) from None


def place_after(text: str) -> Place:
    """The place of what follows the text."""
    return Place(text.count("\n") + 1, len(text) - text.rfind("\n"))


def _grown(text: str, places: dict[str, Place] | None, longest: int) -> Any:
    """The data of valid JSON."""
    growing, line, begin = Growing(places, longest), 1, 0
    for token in _TOKEN.finditer(text):
        place = Place(line, token.start() - begin + 1)
        match token.lastgroup:
            case "line":
                line, begin = line + 1, token.end()
            case "open":
                growing.open({} if token[0] == "{" else [], place)
            case "close":
                growing.close()
            case "text":
                growing.value(json.loads(token[0]), place)
            case _:
                try:
                    growing.value(resolved(token[0]), place)
                except Refused:
                    raise
                except ValueError as error:
                    raise Refused(place, str(error)) from None
    return growing.root


class _Constant(ValueError):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _no_constant(name: str) -> Any:
    raise _Constant(name)


def _first(constant: str, text: str) -> Place:
    """Where the constant stands, which is the text's first."""
    line, begin = 1, 0
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "line":
            line, begin = line + 1, token.end()
        elif token[0] == constant:
            return Place(line, token.start() - begin + 1)
    raise AssertionError(f"there is no {constant}")
