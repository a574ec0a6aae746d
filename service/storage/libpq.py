"""What libpq, which makes every connection to Postgres, takes of the environment where an address leaves it open.

A database of somebody else's may need it: certificates, a service file, a password file. Our own server does not: its
address says everything, and a variable that is meant for another server would only keep us from it.
"""

import os
from collections.abc import Mapping

import psycopg2

_LINED = "PGCONNECT_TIMEOUT"
# What an address says itself, by the argument of psycopg2 that has it.
_SAID = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGDATABASE": "dbname", "PGPASSWORD": "password"}
# Those that our own settings replace, or that no connection fails of.
_WITHOUT_EFFECT = ("PGAPPNAME", "PGCLIENTENCODING", _LINED, "PGDATA", "PGDATESTYLE", "PGTZ")


def variables() -> list[str]:
    """The names of libpq's variables that are set: PG and letters, such as PGSSLMODE, and one with a line."""
    return sorted(name for name in os.environ if name == _LINED or (name.startswith("PG") and name.isalpha()))


def forget() -> None:
    """Take libpq's variables out of this process's environment, and so out of that of its children."""
    for name in variables():
        del os.environ[name]


def options(ours: str) -> str:
    """`PGOPTIONS` of the environment and then ours, of which the later ones count."""
    return f"{os.environ.get('PGOPTIONS', '')} {ours}".strip()


def named(error: psycopg2.OperationalError, arguments: Mapping[str, object]) -> psycopg2.OperationalError:
    """The error of a connection with these arguments, in a line that names the variables that had a part in it."""
    taken = [name for name in variables() if name not in _WITHOUT_EFFECT and _SAID.get(name) not in arguments]
    if not taken:
        return error
    said = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return psycopg2.OperationalError(f"{said}; the environment sets {', '.join(taken)}")
