"""Errors of the database, raised by triggers under a real worker, cost no healthy trial."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest
import sqlalchemy as sa

from search_spaces import StudyDefinition
from service.storage import audit
from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.storage.runs import history
from service.storage.states import RunState
from service.storage.studies import curves, studies, trials
from tests.databases import Databases
from tests.nursery import SharedNursery
from tests.storage.queueing import execute
from tests.workers.conftest import finished, only_trial, own_study, until

pytestmark = pytest.mark.xdist_group("sqlstates")  # one process starts the worker that the module shares

Figures = Mapping[tuple[int, int], Mapping[str, float]]  # metrics by repeat and epoch

CODES = (
    *("08000", "08003", "08006", "0A000", "22003", "22021", "22P02", "23503", "23505", "25006", "25P02", "25P03"),
    *("28000", "28P01", "3D000", "3F000", "40001", "40003", "40P01", "42501", "42601", "42P01", "42P10", "53000"),
    *("53100", "53200", "53300", "54000", "54001", "55000", "55006", "55P03", "57014", "57P01", "57P02", "57P03"),
    *("57P05", "58000", "58030", "58P01", "F0000", "P0001", "XX000", "XX001", "XX002"),
)

# Raises `code` at the calls that `at` names; a sequence counts on where a transaction is rolled back.
STRIKE = """
    CREATE SEQUENCE {name};
    CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('{name}') IN ({at}) THEN RAISE EXCEPTION 'struck' USING errcode = '{code}'; END IF;
        RETURN new;
    END $$;
    CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW {when} EXECUTE FUNCTION {name}();
"""
PLACES = (
    *(("fleet.curves", "INSERT"), ("fleet.run_history", "INSERT"), ("studies", "UPDATE")),
    *(("trials", "INSERT"), ("trials", "UPDATE"), ("trial_params", "INSERT"), ("trial_values", "INSERT")),
    *(("trial_user_attributes", "INSERT"), ("trial_intermediate_values", "INSERT"), ("fleet.studies", "UPDATE")),
)


def strike(
    db: Database, name: str, table: str, event: str = "INSERT", *, code: str, at: str = "1", when: str = ""
) -> None:
    clause = f"WHEN ({when})" if when else ""
    execute(db, STRIKE.format(name=name, table=table, event=event, code=code, at=at, when=clause))


@pytest.fixture(scope="module")
def url(databases: Databases, template_database: str) -> Iterator[str]:
    """A database with one worker for all tests here."""
    with databases.fresh(template_database) as name:
        yield databases.owner_url(name)


@pytest.fixture(scope="module")
def worker(nursery: SharedNursery, url: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "workers", "--device", "cpu", "--lease", "3", "--poll", "0.1", "--checkpoints"]
    process = nursery.start([*command, "none"], {**os.environ, "DATABASE_URL": url})
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    with Database.open(url) as database:
        yield database


@pytest.fixture
def sound(db: Database, worker: subprocess.Popen[bytes]) -> Iterator[None]:
    """The worker outlives the test, and the books are sound."""
    yield
    assert worker.poll() is None
    until(lambda: audit.audit(db) == [])  # a sweep ends what a stop has left of Optuna


def fragile(name: str, count: int = 1, **parts: object) -> StudyDefinition:
    """A study whose trials fail where an attempt counts, and that all train the same."""
    space = {"learning_rate": {"type": "categorical", "choices": [0.01]}}
    return own_study(name, trials=count, retries=0, search_space=space, **parts)  # type: ignore[arg-type]


def run_ids(db: Database, study: StudyRecord) -> list[int]:
    return [record.run_id for record in trials.page(db, study, limit=1000)]


def figures(db: Database, run: int) -> Figures:
    """The run's curves without the time that they took."""
    found = curves.epochs_of_run(db, run)
    return {at: {name: v for name, v in metrics.items() if name != "train_seconds"} for at, metrics in found.items()}


@pytest.fixture(scope="module")
def undisturbed(url: str, worker: subprocess.Popen[bytes]) -> Figures:
    """What every trial here that is not stopped comes to."""
    with Database.open(url) as db:
        study = studies.create(db, fragile("undisturbed"))
        until(finished(db, "undisturbed"))
        return figures(db, only_trial(db, study).run_id)


@pytest.mark.wide
@pytest.mark.usefixtures("sound")
def test_every_error_raised_once_costs_no_trial(db: Database, undisturbed: Figures) -> None:
    study = studies.create(db, fragile("codes", len(CODES)))
    studies.set_state(db, "codes", "paused")
    for run, code in zip(run_ids(db, study), CODES, strict=True):
        strike(db, f"strike_{run}", "fleet.curves", code=code, at="5", when=f"new.run_id = {run}")
    studies.set_state(db, "codes", "running")
    until(finished(db, "codes"))
    records = trials.page(db, study, limit=1000)
    assert {code: (one.state, one.reason) for code, one in zip(CODES, records, strict=True)} == dict.fromkeys(
        CODES, (RunState.COMPLETE, None)
    )
    assert [figures(db, one.run_id) for one in records] == [undisturbed] * len(CODES)


@pytest.mark.usefixtures("sound")
def test_wherever_it_is_raised_it_costs_no_trial(db: Database, undisturbed: Figures) -> None:
    strike(db, "claimed", "fleet.runs", "UPDATE", code="XX000", when="old.state = 'waiting'")
    strike(db, "held", "fleet.runs", "UPDATE", code="XX000", at="1, 3, 5, 7, 9, 11", when="old.state = 'running'")
    for number, (table, event) in enumerate(PLACES):
        strike(db, f"place_{number}", table, event, code="XX000", at="2, 5")
    study = studies.create(db, fragile("places", 2, pruner={"name": "median"}))
    until(finished(db, "places"))
    for number, (table, _) in enumerate(PLACES):
        execute(db, f"DROP TRIGGER place_{number} ON {table}")
    execute(db, "DROP TRIGGER claimed ON fleet.runs; DROP TRIGGER held ON fleet.runs")
    records = trials.page(db, study)
    assert {(one.state, one.attempts) for one in records} == {(RunState.COMPLETE, 1)}
    assert [figures(db, one.run_id) for one in records] == [undisturbed] * 2


@pytest.mark.usefixtures("sound")
@pytest.mark.wide
def test_a_read_only_database_is_waited_for(db: Database, postgres_url: str, url: str) -> None:
    study = studies.create(db, fragile("read-only", 2, epochs=8, options={"seconds": 0.1}))
    until(lambda: trials.page(db, study)[0].epoch >= 2)
    name = sa.make_url(url).database
    end_sessions = (
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
    )
    with sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT").connect() as server:
        server.execute(sa.text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
        server.execute(sa.text(end_sessions))
        server.execute(sa.text("SELECT pg_sleep(4)"))  # longer than a lease
        server.execute(sa.text(f"ALTER DATABASE {name} RESET default_transaction_read_only"))
        server.execute(sa.text(end_sessions))
    until(finished(db, "read-only"))
    assert {(one.state, one.attempts, one.epoch) for one in trials.page(db, study)} == {(RunState.COMPLETE, 1, 8)}


@pytest.mark.usefixtures("sound")
def test_what_can_never_be_stored_ends_its_trial_with_the_reason(db: Database) -> None:
    strike(db, "too_long", "fleet.curves", code="54000", at="lastval()")
    study = studies.create(db, fragile("too-long"))
    until(finished(db, "too-long"))
    execute(db, "DROP TRIGGER too_long ON fleet.curves")
    trial = only_trial(db, study)
    assert (trial.state, trial.reason) == (
        RunState.FAILED,
        "the database refuses a value: struck (SQLSTATE 54000)",
    )


@pytest.mark.usefixtures("sound")
def test_a_metric_with_a_name_that_no_index_takes_fails_its_trial(db: Database) -> None:
    study = studies.create(db, fragile("wordy", task="Wordy", options={"letters": 6000}))
    until(finished(db, "wordy"))
    trial = only_trial(db, study)
    assert trial.state is RunState.FAILED
    assert trial.reason is not None
    assert trial.reason.startswith("a metric is named 'aaaaaaaaaaaaaaaaaaaa'... of 6000 characters: use 1 to 100")


@pytest.mark.usefixtures("sound")
def test_a_stop_is_heeded_while_the_database_refuses(db: Database) -> None:
    strike(db, "always", "fleet.curves", code="57014", at="lastval()")
    study = studies.create(db, fragile("stopped"))
    until(lambda: only_trial(db, study).state is RunState.RUNNING)
    execute(db, "SELECT pg_sleep(0.5)")
    studies.set_state(db, study.name, "stopped")
    until(finished(db, study.name))
    execute(db, "DROP TRIGGER always ON fleet.curves")
    trial = only_trial(db, study)
    assert (trial.state, trial.reason) == (RunState.CANCELLED, "study stopped")
    assert [attempt.state for attempt in history.of_run(db, trial.run_id)] in (["preempted"], ["cancelled"])
