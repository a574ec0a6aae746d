"""Errors of the database in one line for whoever runs a command."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic.util.exc import CommandError

from service.storage.database.sqlstates import Remedy, Trouble, trouble_of
from service.storage.errors import DatabaseRefuses, DatabaseUnreachable, SchemaOutdated

_REFUSED = "authentication failed"  # of a password; psycopg2 does not pass on the SQLSTATE (28P01)


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
    if _REFUSED in trouble.line:
        return DatabaseUnreachable(
            f"the database refuses this user ({trouble.line}): check the password in DATABASE_URL or PGPASSWORD"
        )
    if trouble.remedy is not Remedy.WAIT:
        return DatabaseRefuses(f"the database {trouble.state} ({trouble.line}): try again, else read its log")
    remedy = "is it running?" if trouble.code is None else "try again when it can"
    return DatabaseUnreachable(f"the database {trouble.state} ({trouble.line}): {remedy}")
