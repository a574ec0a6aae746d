"""Dumps of a test's database, made and restored by Postgres's own programs while its clients live on."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from service.storage.embedded import binaries

Restore = Callable[[str, Path], None]  # a database's URL, and a dump of it


def dumped(url: str, file: Path) -> Path:
    """A dump of the database as it is now."""
    _run("pg_dump", "--format=custom", f"--file={file}", f"--dbname={_plain(url)}")
    return file


def over_the_old_one(url: str, dump: Path) -> None:
    """Drop every table and make it again, in one transaction, which live clients may make wait for them in a circle."""
    command = ("pg_restore", "--clean", "--if-exists", "--single-transaction", f"--dbname={_plain(url)}", str(dump))
    for _ in range(10):
        try:
            return _run(*command)
        except subprocess.CalledProcessError as error:
            if "deadlock detected" not in error.stderr:
                raise
    raise TimeoutError("every restore met a deadlock")


def into_a_new_database(url: str, dump: Path) -> None:
    """Drop the database, and restore one of its name."""
    name = sa.make_url(url).database
    _on_server(url, f'DROP DATABASE "{name}" WITH (FORCE)')
    _on_server(url, f'CREATE DATABASE "{name}" OWNER pernodedrop')
    _run("pg_restore", "--exit-on-error", f"--dbname={_plain(url)}", str(dump))


def into_emptied_tables(url: str, dump: Path) -> None:
    """Keep the tables, and replace the rows of ours and Optuna's."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        found = connection.execute(
            sa.text(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('fleet', 'public')"
            )
        )
        connection.execute(sa.text(f"TRUNCATE {', '.join(found.scalars())}"))
    engine.dispose()
    options = ("--data-only", "--disable-triggers", "--single-transaction")
    _run("pg_restore", *options, f"--dbname={_plain(url)}", str(dump))


RESTORES = (over_the_old_one, into_a_new_database, into_emptied_tables)


def _plain(url: str) -> str:
    return sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _on_server(url: str, statement: str) -> None:
    engine = sa.create_engine(sa.make_url(url).set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


def _run(program: str, *options: str) -> None:
    installs = binaries.installs()
    command = [installs[max(installs)] / "bin" / program, *options]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
