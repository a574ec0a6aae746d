"""Opening, initialising and checking the database."""

import logging
import multiprocessing

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from service.storage.database import access_tables, webhook_tables  # tables that `metadata` has once they are imported
from service.storage.database.address import normalise_url
from service.storage.database.database import Database, initialise
from service.storage.database.tables import SCHEMA, metadata
from service.storage.errors import DatabaseUnreachable, SchemaOutdated, StorageError


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_spelling_of_a_postgres_url_is_taken(scheme: str) -> None:
    assert normalise_url(f"{scheme}://me:s%40cret@db:5433/x") == "postgresql+psycopg2://me:s%40cret@db:5433/x"


@pytest.mark.parametrize("text", ["sqlite:///x.db", "mysql://db/x", "not a url", ""])
def test_other_databases_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="DATABASE_URL"):
        normalise_url(text)


def test_a_wrong_url_does_not_show_its_password() -> None:
    with pytest.raises(ValueError, match="mysql") as caught:
        normalise_url("mysql://me:secret@db/x")
    assert "secret" not in str(caught.value)


def test_an_empty_database_is_outdated_until_initialised(empty_database_url: str) -> None:
    with Database.open(empty_database_url) as db:
        with pytest.raises(SchemaOutdated, match="pernodedrop db init"):
            db.check()
        initialise(empty_database_url)
        db.check()
        initialise(empty_database_url)
        db.check()


def test_a_question_for_the_version_leaves_no_line_in_the_log(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Servers ask every five seconds."""
    logging.getLogger("alembic").setLevel(logging.INFO)  # Optuna may have set another one, once it has connected
    with Database.open(database_url) as db, caplog.at_level(logging.INFO):
        db.check_ready()
    assert caplog.messages == []


def test_a_newer_schema_is_left_alone(database_url: str) -> None:
    with Database.open(database_url) as db:
        with db.engine.begin() as connection:
            connection.execute(sa.text(f"UPDATE {SCHEMA}.alembic_version SET version_num = '9999'"))
        with pytest.raises(SchemaOutdated, match="9999"):
            db.check()
        with pytest.raises(StorageError, match="newer"):
            initialise(database_url)


def test_concurrent_first_starts_are_safe(empty_database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    starts = [context.Process(target=initialise, args=(empty_database_url,)) for _ in range(6)]
    for start in starts:
        start.start()
    for start in starts:
        start.join(120)
    assert [start.exitcode for start in starts] == [0] * 6
    with Database.open(empty_database_url) as db:
        db.check()
        assert db.optuna.get_all_studies() == []


def test_the_migrations_make_the_tables_that_the_code_knows(database_url: str) -> None:
    with Database.open(database_url) as db, db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "version_table_schema": SCHEMA,
                "include_name": lambda name, kind, _: kind != "schema" or name == SCHEMA,
                "compare_type": True,
                "compare_server_default": True,
            },
        )
        assert {access_tables.access_keys, webhook_tables.webhooks} <= {*metadata.tables.values()}
        assert compare_metadata(context, metadata) == []


def test_nobody_there(unused_port: int) -> None:
    with (
        Database.open(f"postgresql://me:secret@127.0.0.1:{unused_port}/x") as db,
        pytest.raises(DatabaseUnreachable, match="does not answer") as caught,
    ):
        db.check()
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_password_is_said_to_be_one(database_url: str) -> None:
    wrong = sa.make_url(database_url).set(password="wr0ng").render_as_string(hide_password=False)
    with Database.open(wrong) as db, pytest.raises(DatabaseUnreachable, match="refuses this user") as caught:
        db.check()
    assert "check the password" in str(caught.value)
    assert "wr0ng" not in str(caught.value)
