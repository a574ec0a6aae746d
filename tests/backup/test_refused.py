"""What cannot be dumped or restored is said in one line, and nothing is changed or left."""

import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.studies import studies
from tests.backup.conftest import Run
from tests.databases import Databases
from tests.homes.stored import SCHEMAS
from tests.homes.stored import restore as fill
from tests.storage.conftest import make_definition


def line(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of an error."""
    assert done.returncode in (1, 2), (done.returncode, done.stdout)
    [said] = done.stderr.splitlines()
    assert said.startswith("error: ")
    return said


@pytest.mark.wide
def test_what_is_no_dump_is_refused(empty_database_url: str, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("CREATE TABLE t ();")
    assert "is no dump" in line(run("db", "restore", str(file), url=empty_database_url))
    file.write_bytes(b"PGDMP and no more")
    assert "is damaged" in line(run("db", "restore", str(file), url=empty_database_url))
    assert "there is no file" in line(run("db", "restore", str(tmp_path / "none"), url=empty_database_url))
    assert "is a folder" in line(run("db", "restore", str(tmp_path), url=empty_database_url))


def test_a_database_that_has_something_is_left_as_it_is(
    db: Database, database_url: str, run: Run, tmp_path: Path
) -> None:
    studies.create(db, make_definition("s", trials=2))
    file = tmp_path / "dump"
    assert run("db", "dump", str(file), url=database_url).returncode == 0
    studies.create(db, make_definition("later", trials=2))
    said = line(run("db", "restore", str(file), url=database_url))
    assert "is not empty (fleet.studies, " in said
    assert "CREATE DATABASE" in said
    assert studies.get(db, "later").counts["waiting"] == 2


def test_a_dump_that_fails_leaves_the_earlier_one(
    db: Database, database_url: str, superuser_url: str, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "dump"
    file.write_text("the earlier one")
    engine = sa.create_engine(superuser_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE SCHEMA strange; CREATE TABLE strange.t ()"))
        connection.execute(sa.text("REVOKE ALL ON SCHEMA strange FROM public"))
    engine.dispose()
    said = line(run("db", "dump", str(file), url=database_url))
    assert "permission denied" in said
    assert "pernodedrop:" not in said  # no password
    assert file.read_text() == "the earlier one"
    assert [one.name for one in tmp_path.iterdir()] == ["dump"]
    assert "no plain file" in line(run("db", "dump", str(tmp_path), url=database_url))


def test_a_dump_of_another_program_is_refused(
    empty_database_url: str, database_url: str, run: Run, tmp_path: Path
) -> None:
    from tests.dumps import dumped

    file = dumped(empty_database_url, tmp_path / "dump")
    assert "a dump of another program" in line(run("db", "restore", str(file), url=empty_database_url))


def test_without_a_database_a_dump_names_what_to_set(run: Run, tmp_path: Path) -> None:
    assert "there is no database: DATABASE_URL is not set" in line(run("db", "dump", str(tmp_path / "dump")))


@pytest.mark.parametrize("schema", [SCHEMAS[0], pytest.param(SCHEMAS[-1], marks=pytest.mark.wide)])
def test_a_dump_of_an_earlier_release_is_restored_and_upgraded(
    empty_database_url: str, databases: Databases, run: Run, tmp_path: Path, schema: str
) -> None:
    """Made by pg_dump, as operators did before there was a command for it."""
    from tests.dumps import dumped

    fill(schema, empty_database_url)
    file = dumped(empty_database_url, tmp_path / "dump")
    with databases.fresh() as name:
        done = run("db", "restore", str(file), url=databases.url(name))
        assert done.returncode == 0, done.stderr
        assert "in training wait" in done.stdout
        with Database.open(databases.url(name)) as moved:
            moved.check()
            assert studies.get(moved, "killed").counts["running"] == 0
            assert audit(moved) == []
