"""Who has ordered what is being done: noted in the transaction that does it, so neither is there without the other.

Servers and commands say it once, around the call that does it (`ordering`); the storage notes it where it does it
(`note`), and does not where nothing changes by it, so that who has ordered it can be told. What nobody has ordered, as
a worker's or our own upkeep, leaves no note.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from service.storage.database.access_tables import deeds

LONGEST_NAME = 200  # characters of a caller's or a study's name
LONGEST_DETAIL = 500  # characters


@dataclass(frozen=True)
class Ordered:
    """What somebody has ordered."""

    caller: str
    deed: str  # such as "pause"
    detail: Mapping[str, Any] = field(default_factory=dict)  # its words, without a secret


Asks = Callable[[], Ordered | None]  # what is being ordered: None where it is nothing that is noted


@dataclass
class Given:
    """An order while it is done."""

    asks: Asks
    changes: bool = False  # whether anything changes by it


_GIVEN: ContextVar[Given | None] = ContextVar("the order that is being done", default=None)


@contextmanager
def ordering(asks: Asks) -> Iterator[Given]:
    """Let what is done within the block, in other threads for it too, be noted as what `asks` returns by then."""
    given = Given(asks)
    before = _GIVEN.set(given)
    try:
        yield given
    finally:
        _GIVEN.reset(before)


def note(connection: sa.Connection, study: str | None) -> None:
    """Note, in the transaction of what is being done to the study of this name, who has ordered it, if anybody has.

    This is called where something changes, and only there. Whatever is long is cut, and every letter but ASCII is
    escaped: any database can store it.
    """
    given = _GIVEN.get()
    if given is None:
        return
    given.changes = True
    ordered = given.asks()
    if ordered is None:
        return
    said = json.dumps(ordered.detail, ensure_ascii=True, default=str) if ordered.detail else ""
    row = {
        "caller": _plain(ordered.caller),
        "deed": _plain(ordered.deed),
        "study": None if study is None else _plain(study),
        "detail": said if len(said) <= LONGEST_DETAIL else f"{said[: LONGEST_DETAIL - 3]}...",
    }
    connection.execute(deeds.insert().values(row))


def _plain(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()[:LONGEST_NAME].replace("\0", "")
