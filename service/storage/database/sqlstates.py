"""What an error of the database means for whoever met it: one table, by SQLSTATE.

The exceptions say too little: Optuna wraps them, psycopg2 has seven classes for 250 codes, and a full disk is an
OperationalError as is a name that no index takes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

import psycopg2
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from service.storage.database import refusals
from service.storage.errors import StorageError


class Remedy(Enum):
    """What to do about an error of the database. It is never the fault of a trial's configuration."""

    WAIT = "wait"  # it passes, or an operator ends it, and until then nobody can go on
    AGAIN = "again"  # it need not happen again; if it does, it is a fault
    INPUT = "input"  # the values cannot be stored, today or tomorrow
    OURS = "ours"  # a statement that this database does not take: a defect, of the program or of the tables


@dataclass(frozen=True)
class Trouble:
    """An error of the database."""

    remedy: Remedy
    code: str | None  # the SQLSTATE; None where no server answered
    state: str  # a few words for people, after "the database"
    line: str  # the server's own message and the SQLSTATE, on one line

    @property
    def needs_somebody(self) -> bool:
        """Whether it is most likely a wrong address, user or right, which only a person ends: nobody has answered, or
        the server refuses just this program."""
        return self.remedy is Remedy.OURS or self.code is None or self.code[:2] in _NEED_SOMEBODY


AWAY = "does not answer"
FULL = "has a full disk"
_NEED_SOMEBODY = ("28", "3D", "3F", "42", "08")

# By code where it stands here, else by class. https://www.postgresql.org/docs/current/errcodes-appendix.html
TABLE: Mapping[str, tuple[Remedy, str]] = {
    "08": (Remedy.WAIT, AWAY),  # the connection
    "0A": (Remedy.AGAIN, "refuses a statement"),  # such as a plan made before its table changed
    "22": (Remedy.INPUT, "refuses a value"),
    "23": (Remedy.AGAIN, "has a conflicting row"),
    "25": (Remedy.AGAIN, "has ended a transaction"),
    "25006": (Remedy.WAIT, "is read-only"),  # a replica, or an operator's doing
    "28": (Remedy.WAIT, "refuses this user"),
    "3D": (Remedy.WAIT, "is missing"),
    "3F": (Remedy.WAIT, "has no tables"),  # as while a dump is restored
    "40": (Remedy.AGAIN, "has ended a transaction for another"),  # serialization, deadlock
    "42": (Remedy.OURS, "refuses a statement"),
    "42501": (Remedy.WAIT, "denies a permission"),
    "42P01": (Remedy.WAIT, "has no tables"),
    "53": (Remedy.WAIT, "is short of resources"),
    "53100": (Remedy.WAIT, FULL),
    "53200": (Remedy.WAIT, "is short of memory"),
    "53300": (Remedy.WAIT, "has no free connection"),
    "54": (Remedy.INPUT, "refuses a value"),  # too long for an index, too many columns
    "55": (Remedy.AGAIN, "is not ready for a statement"),
    "55006": (Remedy.WAIT, "has something in use"),
    "55P03": (Remedy.WAIT, "waits for a lock"),
    "57": (Remedy.WAIT, AWAY),  # 57P01 to 57P05: it ends, it crashed, it starts
    "57014": (Remedy.AGAIN, "took too long over a statement"),  # its time limit, or somebody cancelled it
    "58": (Remedy.AGAIN, "has trouble with a file"),
    "58030": (Remedy.WAIT, "has trouble with its disk"),
    "XX": (Remedy.AGAIN, "has an internal error"),
}
_DEFECT = (Remedy.OURS, "refuses a statement")

_LOST = (OperationalError, InterfaceError, psycopg2.OperationalError, psycopg2.InterfaceError)
DATABASE_ERRORS = (SQLAlchemyError, StorageInternalError, psycopg2.Error)


def trouble_of(error: BaseException) -> Trouble | None:
    """Return what the error means if the database is behind it, else None.

    Errors that hide another are looked through; a decision of the storage (`StorageError`) hides none.
    """
    if isinstance(error, StorageError):
        return None
    chain = list(_chain(error))
    for one in chain:
        if code := getattr(one, "pgcode", None):
            remedy, state = _meaning(code)
            return Trouble(remedy, code, state, f"{_first_line(one)} (SQLSTATE {code})")
    for one in chain:
        if isinstance(one, PoolTimeout):
            return Trouble(Remedy.WAIT, None, "has no free connection", _first_line(one))
        if isinstance(one, _LOST) or (isinstance(one, DBAPIError) and one.connection_invalidated):
            return _of_connection(str(getattr(one, "orig", None) or one))
    if any(isinstance(one, DATABASE_ERRORS) for one in chain):
        return Trouble(_DEFECT[0], None, _DEFECT[1], _first_line(error))
    return None


def _of_connection(said: str) -> Trouble:
    code, line = refusals.code_of(said), refusals.line_of(said)
    if code == refusals.WRONG_SETTING:
        return Trouble(Remedy.WAIT, None, "cannot be asked", line)
    if code is None:
        return Trouble(Remedy.WAIT, None, AWAY, line)
    remedy, state = _meaning(code)
    return Trouble(remedy, code, state, line)


def _meaning(code: str) -> tuple[Remedy, str]:
    return next((TABLE[code[:n]] for n in (5, 2) if code[:n] in TABLE), _DEFECT)


def told(error: BaseException) -> str:
    """One line for a log about any error."""
    trouble = trouble_of(error)
    return f"the database {trouble.state}: {trouble.line}" if trouble else _first_line(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, then those that it hides."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        left += [getattr(one, "orig", None), one.__cause__, None if one.__suppress_context__ else one.__context__]


def _first_line(error: BaseException) -> str:
    """The server's message or the error's first line, without the statement and links to manuals."""
    said = getattr(getattr(error, "diag", None), "message_primary", None) or str(error)
    return next(iter(said.strip().splitlines()), type(error).__name__)
