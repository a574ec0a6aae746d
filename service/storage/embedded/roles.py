"""The server's two roles: the owner, a superuser that only this folder uses, and ours, which owns our database.

Whoever has the database's URL has our role: a worker, and with it whatever a task runs. As a superuser it could run
programs and read files by SQL.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2

from service.ports import LOOPBACK

NAME = "pernodedrop"  # of our role and of its database
OWNER = "postgres"
FORMER = "pernodedrop_former"  # the superuser of a server that an earlier release made, which had our name

_ABSENT = ("password authentication failed", f'database "{NAME}" does not exist')

# What the former superuser owns outside of the system's schemas, each as ALTER names it.
_OWNED = """
    SELECT format('SCHEMA %%I', nspname) FROM pg_namespace
    WHERE nspowner = %(former)s::regrole AND nspname !~ '^pg_|^information_schema$|^public$'
    UNION ALL
    SELECT format('%%s %%s', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END,
        c.oid::regclass)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE relowner = %(former)s::regrole AND nspname !~ '^pg_|^information_schema$' AND relkind IN ('r', 'p', 'v', 'S')
        AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND c.relkind = 'S' AND deptype IN ('a', 'i'))
    UNION ALL
    SELECT format('TYPE %%s', t.oid::regtype) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE typowner = %(former)s::regrole AND nspname !~ '^pg_|^information_schema$' AND typtype IN ('e', 'd')
    UNION ALL
    SELECT format('ROUTINE %%s', p.oid::regprocedure) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE proowner = %(former)s::regrole AND nspname !~ '^pg_|^information_schema$'
"""


def settle(port: int, password: str, owner_password: str) -> None:
    """Make sure that our role and its database are there, and that the role is no superuser.

    It may be called again after it was interrupted anywhere.

    Raises:
        psycopg2.OperationalError: the server does not answer yet, or the passwords are not those of its roles.
    """
    try:
        with _session(port, NAME, password, NAME) as cursor:
            cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
            [is_superuser] = cursor.fetchone()
    except psycopg2.OperationalError as error:
        if not any(sign in str(error) for sign in _ABSENT):
            raise
        if not _made(port, password, owner_password):
            raise
        return
    if is_superuser:
        _take_over(port, password, owner_password)


def _made(port: int, password: str, owner_password: str) -> bool:
    """Make what is missing of role and database; return False if nothing was, or this is not the owner's password."""
    try:
        with _session(port, OWNER, owner_password, "postgres") as cursor:
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (NAME,))
            if lacks_role := cursor.fetchone() is None:
                cursor.execute(f"CREATE ROLE {NAME} LOGIN PASSWORD %s", (password,))
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (NAME,))
            if lacks_database := cursor.fetchone() is None:
                cursor.execute(f"CREATE DATABASE {NAME} OWNER {NAME}")
            return lacks_role or lacks_database
    except psycopg2.OperationalError:
        return False


def _take_over(port: int, password: str, owner_password: str) -> None:
    """Give an earlier release's server an owner, and all that is ours to a role without privileges.

    The first superuser of a server always stays one, so it gets another name, and no login.
    """
    with _session(port, NAME, password, "postgres") as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (OWNER,))
        verb = "CREATE" if cursor.fetchone() is None else "ALTER"
        cursor.execute(f"{verb} ROLE {OWNER} SUPERUSER LOGIN PASSWORD %s", (owner_password,))
    with _session(port, OWNER, owner_password, NAME) as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"ALTER ROLE {NAME} RENAME TO {FORMER}")
        cursor.execute(f"ALTER ROLE {FORMER} NOLOGIN")
        cursor.execute(f"CREATE ROLE {NAME} LOGIN PASSWORD %s", (password,))
        cursor.execute(f"ALTER DATABASE {NAME} OWNER TO {NAME}")
        cursor.execute(_OWNED, {"former": FORMER})
        for (what,) in cursor.fetchall():
            cursor.execute(f"ALTER {what} OWNER TO {NAME}")
        cursor.execute("COMMIT")


@contextmanager
def _session(port: int, user: str, password: str, database: str) -> Iterator[Any]:
    """A cursor that commits every statement."""
    connection = psycopg2.connect(
        host=LOOPBACK, port=port, user=user, password=password, dbname=database, connect_timeout=10
    )
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
