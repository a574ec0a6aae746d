"""JSON from anybody, as plain data of bounded numbers and depth."""

import json
import math
from typing import Any

from search_spaces.problems import shown

LONGEST_NUMBER = 40  # characters: a float needs 24


class BadCapsule(ValueError):
    """The file is no capsule, or not one that can be trusted; the message is one line."""


def plain_json(data: bytes, what: str) -> Any:
    """The data in the text; `what` names it in messages.

    Raises:
        BadCapsule: it is no JSON in UTF-8, has a number that no 64 bits hold or a key twice, or is too deep.
    """
    try:
        return json.loads(
            data.decode(), parse_int=_whole, parse_float=_real, parse_constant=_constant, object_pairs_hook=_object
        )
    except RecursionError as error:
        raise BadCapsule(f"{what} is too deep") from error
    except UnicodeDecodeError as error:
        raise BadCapsule(f"{what} must be JSON in UTF-8") from error
    except BadCapsule as error:
        raise BadCapsule(f"{what} {error}") from error
    except ValueError as error:
        raise BadCapsule(f"{what} is no JSON: {' '.join(str(error).split())[:120]}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise BadCapsule(f"must have each key once, got {shown(key)} twice")
        found[key] = value
    return found


def _whole(text: str) -> int:
    number = int(text) if len(text) <= LONGEST_NUMBER else None
    if number is None or abs(number) >= 2**63:
        raise BadCapsule(f"must have numbers of at most 64 bits, got {text[:LONGEST_NUMBER]}")
    return number


def _real(text: str) -> float:
    number = float(text) if len(text) <= LONGEST_NUMBER else math.inf
    if not math.isfinite(number):
        raise BadCapsule(f"must have numbers of at most 64 bits, got {text[:LONGEST_NUMBER]}")
    return number


def _constant(text: str) -> float:
    raise BadCapsule(f"must not have {text}, which JSON does not know")
