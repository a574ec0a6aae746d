"""Scalars by YAML 1.2's core schema (YAML 1.2.2, section 10.3): one text means the same in YAML and in JSON."""

import re
import sys
from typing import Literal

Value = str | int | float | bool | None
Kind = Literal["null", "bool", "int", "float", "str"]

TAG = "tag:yaml.org,2002:"
MOST_DIGITS = 400  # of a number, with its point and its exponent: a double has at most 309 before its point

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER = re.compile(
    r"(?P<whole>[-+]?[0-9]+)|0o(?P<octal>[0-7]+)|0x(?P<hexadecimal>[0-9a-fA-F]+)"
    r"|(?P<real>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<endless>[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)
_BASES = {"whole": 10, "octal": 8, "hexadecimal": 16}


def resolved(text: str) -> Value:
    """Return the value of a plain scalar: null, true or false, a number, or else the text itself.

    Raises:
        ValueError: the text is a number that is not finite or has more than `MOST_DIGITS` characters.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    kind = str(found.lastgroup)
    if kind == "endless":
        raise ValueError(f"{text} is no finite number, and only these count")
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a number must have at most {MOST_DIGITS} characters, got {len(text):,}")
    number = float(text) if kind == "real" else int(found[kind], _BASES[kind])
    if abs(number) > sys.float_info.max:
        raise ValueError(f"{text[:60]} is no finite number: the largest are near 1.8e308")
    return number


def tagged(text: str, tag: str) -> Value:
    """Return the value of a scalar with one of the core schema's tags.

    Raises:
        ValueError: the schema has no such tag, or the text is no value of its kind.
    """
    kind = tag.removeprefix(TAG)
    if kind == "str":
        return text
    if kind not in ("null", "bool", "int", "float"):
        raise ValueError(f"the tag !!{kind[:60]} means nothing in a definition: leave it out")
    value = resolved(text)
    if kind == "float" and kind_of(value) == "int":
        return float(text)
    if kind_of(value) != kind:
        raise ValueError(f"the tag !!{kind} does not suit {text[:60]!r}: leave it out")
    return value


def kind_of(value: Value) -> Kind:
    """Return the core schema's name of the value's kind."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    return "int" if isinstance(value, int) else "float" if isinstance(value, float) else "str"
