"""The server's roles: whoever has its URL is no superuser, on servers of earlier releases neither."""

import stat
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.storage.database.database import Database, initialise
from service.storage.embedded import EmbeddedPostgres
from service.storage.studies import studies
from tests.embedded.test_embedded import Owner, query
from tests.storage.conftest import make_definition


def test_whoever_has_the_url_is_no_superuser(home: Path, owner: Owner) -> None:
    server = owner()
    url = server.start()
    assert query(url, "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user") == [
        (False, False, False)
    ]
    for statement in (f"COPY (SELECT 1) TO PROGRAM 'touch {home}/ran'", "SELECT pg_read_file('postgresql.conf')"):
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            query(url, statement)
    assert query(server.owner_url(), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(True,)]
    assert stat.S_IMODE((home / "postgres/owner-password").stat().st_mode) == 0o600


def made_by_an_earlier_release(home: Path, server: EmbeddedPostgres) -> str:
    """Start a server whose only role is its superuser; return the URL of its database."""
    url = sa.make_url(server.start())
    owner = server.owner_url()
    for statement in (
        "DROP DATABASE pernodedrop",
        "DROP ROLE pernodedrop",
        "CREATE ROLE other SUPERUSER LOGIN PASSWORD 'other'",
    ):
        _apart(owner, statement)
    other = sa.make_url(owner).set(username="other", password="other").render_as_string(hide_password=False)
    _apart(other, "ALTER ROLE postgres RENAME TO pernodedrop")
    _apart(other, f"ALTER ROLE pernodedrop PASSWORD '{url.password}'")
    ours = url.set(database="postgres").render_as_string(hide_password=False)
    _apart(ours, "DROP ROLE other")
    _apart(ours, "CREATE DATABASE pernodedrop")
    (home / "postgres/owner-password").unlink()
    return url.render_as_string(hide_password=False)


def _apart(url: str, statement: str) -> None:
    """Execute a statement outside of any transaction."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


def test_a_server_of_an_earlier_release_loses_its_superuser_and_no_row(home: Path, owner: Owner) -> None:
    server = owner()
    url = made_by_an_earlier_release(home, server)
    initialise(url)
    with Database.open(url) as db:
        studies.create(db, make_definition("kept"))
    assert query(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(True,)]
    server.release()
    for _ in range(2):
        server = owner()
        assert server.start() == url
        assert query(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(False,)]
        initialise(url)
        with Database.open(url) as db:
            assert [study.name for study in studies.page(db)] == ["kept"]
        for kind, column in (("pg_class", "relowner"), ("pg_type", "typowner"), ("pg_proc", "proowner")):
            left = f"SELECT count(*) FROM {kind} WHERE {column} = 'pernodedrop_former'::regrole AND oid >= 16384"
            assert query(url, left) == [(0,)]
        server.release()
