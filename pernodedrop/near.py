"""The name that was probably meant: every message that refuses a name asks here. The module imports nothing of ours."""

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 100  # characters of a name that are compared: a longer one takes time, and is no slip of the hand
SHORTEST_PART = 4  # characters of a part that stands for the whole name


def nearest(name: object, known: Iterable[object]) -> str | None:
    """The one of `known` that is nearest to `name`, whatever its capitals and its _ or -; None where none is near.

    A name is also near where it is a part of one alone, as `gaussian` is of `pernodedrop-gaussian`.
    """
    if not isinstance(name, str):
        return None
    wanted = _plain(name[:LONGEST])
    plain = {_plain(each): each for each in known if isinstance(each, str)}
    close = get_close_matches(wanted, plain, n=1)
    if close:
        return plain[close[0]]
    around = [each for each in plain if len(wanted) >= SHORTEST_PART and wanted in each]
    return plain[around[0]] if len(around) == 1 else None


def did_you_mean(name: object, known: Iterable[object], otherwise: str) -> str:
    """`did you mean X?` where a known name is near, else the other remedy."""
    meant = nearest(name, known)
    return otherwise if meant is None else f"did you mean {meant}?"


def hint(name: object, known: Iterable[object]) -> str:
    """`: did you mean "X"?`, to end a message that lists what there is; empty where no name is near."""
    meant = nearest(name, known)
    return "" if meant is None else f': did you mean "{meant}"?'


def _plain(name: str) -> str:
    return name.casefold().replace("_", "-").replace(" ", "-")
