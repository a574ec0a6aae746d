"""Errors of the database in one line for whoever runs a command."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from alembic.util.exc import CommandError

from service.storage.database.sqlstates import AWAY, Remedy, Trouble, trouble_of
from service.storage.errors import DatabaseRefuses, DatabaseUnreachable, SchemaOutdated

# What to do, by SQLSTATE or its class.
_REMEDIES: Mapping[str, str] = {
    "08P01": "if a pooler is in between, let it ignore this startup parameter, or name Postgres itself in DATABASE_URL",
    "25006": "try again when it takes writes, or name the server that does in DATABASE_URL",
    "28": "correct the user in DATABASE_URL, or let it log in (LOGIN, pg_hba.conf)",
    "28P01": "check the password in DATABASE_URL or PGPASSWORD; in a URL @ is written %40, / %2F and % %25",
    "3D": "correct the name in DATABASE_URL, or CREATE DATABASE",
    "3F": "run `pernodedrop db init`",
    "42501": "GRANT it to the user of DATABASE_URL",
    "53100": "make room there, and everything that waits goes on by itself",
    "42P01": "run `pernodedrop db init`, or restore them from a backup",
}


@contextmanager
def plainly() -> Iterator[None]:
    """Give the database's errors within the block one line.

    Raises:
        DatabaseUnreachable: it does not answer, refuses this user, or cannot serve anybody.
        DatabaseRefuses: it refuses what it was asked.
        SchemaOutdated: the table that says of which version its tables are does not say it.
    """
    try:
        yield
    except CommandError as error:
        raise SchemaOutdated(f"the database's version table is damaged ({error}): restore it from a backup") from error
    except Exception as error:
        trouble = trouble_of(error)
        if trouble is None:
            raise
        raise _refusal(trouble) from error


def _refusal(trouble: Trouble) -> DatabaseUnreachable | DatabaseRefuses:
    said = f"the database {trouble.state} ({trouble.line})"
    if trouble.remedy is not Remedy.WAIT:
        return DatabaseRefuses(f"{said}: try again, else read its log", passes=trouble.remedy is Remedy.AGAIN)
    return DatabaseUnreachable(f"{said}: {_remedy(trouble)}", state=trouble.state, passes=not trouble.needs_somebody)


def _remedy(trouble: Trouble) -> str:
    if trouble.code is None:
        return "is it running?" if trouble.state == AWAY else "correct DATABASE_URL, or libpq's variable of this name"
    codes = (trouble.code, trouble.code[:2])
    return next((_REMEDIES[code] for code in codes if code in _REMEDIES), "try again when it can")
