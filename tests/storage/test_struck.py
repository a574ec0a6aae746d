"""Commands that are cut off in the middle go on, or say in one line why they cannot."""

import threading
import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from service.cli import main
from service.storage.audit import audit
from service.storage.database import database, patience
from service.storage.database.database import Database, initialise
from tests.storage.queueing import execute

CUT_OFF = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


def cut_off(db: Database, obstacle: str, call: Callable[[], object]) -> list[object]:
    """End the server's side of the call where it waits for what `obstacle` holds; return what the call returns."""
    returned: list[object] = []
    thread = threading.Thread(target=lambda: returned.append(call()))
    with db.engine.connect() as holder, db.engine.connect() as other:
        holder.execute(sa.text(obstacle))
        thread.start()
        deadline = time.monotonic() + 60
        while other.execute(sa.text(CUT_OFF)).scalar_one() == 0:
            other.rollback()  # a transaction sees one state of the activity
            assert time.monotonic() < deadline, "it never waited"
            time.sleep(0.01)
    thread.join(60)
    return returned


@pytest.mark.parametrize("obstacle", ["CREATE SCHEMA fleet", "CREATE TABLE public.studies (study_id int)"])
def test_initialising_goes_on(empty_database_url: str, obstacle: str) -> None:
    with Database.open(empty_database_url) as db:
        assert cut_off(db, obstacle, lambda: initialise(empty_database_url)) == [None]
        db.check()
        assert db.optuna.get_all_studies() == []


def test_the_audit_goes_on(db: Database) -> None:
    assert cut_off(db, "LOCK TABLE fleet.curves IN ACCESS EXCLUSIVE MODE", lambda: audit(db)) == [[]]


@pytest.mark.parametrize(
    ("harm", "command", "code", "said"),
    [
        ("DELETE FROM fleet.alembic_version", "init", 1, "fleet.alembic_version is empty, so the version"),
        ("DELETE FROM fleet.alembic_version", "audit", 1, "schema is missing, this program needs "),
        ("INSERT INTO fleet.alembic_version VALUES ('0001')", "init", 1, "version table is damaged"),
        ("INSERT INTO fleet.alembic_version VALUES ('0001')", "audit", 1, "version table is damaged"),
        ("DROP TABLE fleet.alembic_version", "init", 1, "fleet.alembic_version is empty"),
        ("DROP TABLE fleet.curves", "audit", 3, 'has no tables (relation "fleet.curves" does not exist'),
        ("ALTER TABLE fleet.runs DROP COLUMN token CASCADE", "audit", 1, "refuses a statement (column r.token"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(  # noqa: PLR0917 (what pytest gives, by name)
    db: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    harm: str, command: str, code: int, said: str,
) -> None:  # fmt: skip
    execute(db, harm)
    for module, name in ((database, "STRUCK_S"), (patience, "AGAIN_S")):
        monkeypatch.setattr(module, name, 0.0)
    monkeypatch.setattr("service.storage.audit.STRUCK_S", 0.0)
    monkeypatch.setenv("DATABASE_URL", db.url)
    assert main(["db", command]) == code
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert said in error


@pytest.mark.parametrize("table", ["public.alembic_version", "public.version_info"])
def test_optunas_emptied_version_table_is_filled_again(db: Database, table: str) -> None:
    execute(db, f"DELETE FROM {table}")
    initialise(db.url)
    assert db.optuna.get_all_studies() == []
