"""A worker gives its connections back after a while, and waits for a server that is full for the moment."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage

from search_spaces import StudyDefinition
from service.storage.database import connections
from service.storage.database.database import Database
from service.storage.database.patience import patiently
from service.storage.database.sqlstates import DATABASE_ERRORS, Remedy, trouble_of
from service.storage.errors import SchemaOutdated
from service.storage.studies import studies


@pytest.fixture
def open_connections(postgres_url: str, database_url: str) -> Iterator[Callable[[], int]]:
    """Count who is connected to the test's database, from outside of it."""
    server = sa.create_engine(postgres_url)
    name = sa.make_url(database_url).database
    count = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name AND backend_type = 'client backend'")

    def counted() -> int:
        with server.connect() as connection:
            return int(connection.execute(count, {"name": name}).scalar_one())

    yield counted
    server.dispose()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_optuna_and_our_statements_share_a_connection(db: Database, open_connections: Callable[[], int]) -> None:
    db.ping()
    db.optuna.get_all_studies()
    db.ping()
    assert open_connections() == 1


@pytest.mark.parametrize(
    ("in_use", "kept_s"),
    [(0.0, 60.0), (0.5, 60.0), (0.51, 2.0), (0.97, connections.IDLE_S), (1.01, connections.IDLE_S)],
)
def test_the_fuller_the_server_the_sooner_connections_are_closed(
    db: Database, monkeypatch: pytest.MonkeyPatch, in_use: float, kept_s: float
) -> None:
    monkeypatch.setattr(connections, "_IN_USE", f"SELECT {in_use}")
    with db.engine.connect() as connection:
        assert connections._kept_s(connection.connection.driver_connection) == kept_s


def test_the_share_in_use_grows_with_the_connections(db: Database) -> None:
    share = sa.text(connections._IN_USE)

    def grows() -> bool:
        with db.engine.connect() as first:
            alone = first.execute(share).scalar_one()
            first.rollback()  # a transaction sees one state of the statistics
            with db.engine.connect() as second:
                return bool(0 < alone < second.execute(share).scalar_one() < 1)

    until(grows)  # connections of earlier tests may still be going


def test_idle_connections_are_closed(
    db: Database, open_connections: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "KEPT_S", {1.0: 0.2})
    for _ in range(2):  # and opened again when they are needed
        db.optuna.get_all_studies()
        until(lambda: open_connections() == 0)


def test_a_connection_in_use_is_left_alone(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "KEPT_S", {1.0: 0.05})
    with db.engine.connect() as connection:
        before = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        connection.execute(sa.text("SELECT pg_sleep(0.3)"))
        assert connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one() == before


def test_a_server_process_keeps_its_connections(
    database_url: str, open_connections: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "KEPT_S", {1.0: 0.05})
    with Database.open(database_url, 3, lasting=True) as server, Database.open(database_url) as worker:
        server.ping()
        worker.ping()
        until(lambda: open_connections() == 1)
        assert server.engine.pool.checkedin() == 1  # type: ignore[attr-defined]  # a QueuePool's


def test_a_worker_knows_whether_the_server_is_crowded(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Database.open(database_url) as db:
        db.ping()
        assert not db.is_crowded()
        monkeypatch.setattr(connections, "KEPT_S", {1.0: 2.0})  # as where more than half of the connections are used
        db.engine.dispose()
        db.ping()
        assert db.is_crowded()
    with Database.open(database_url, lasting=True) as server:
        server.ping()
        assert not server.is_crowded()


def test_a_full_server_is_waited_for(limited: str) -> None:
    with Database.open(limited) as first, Database.open(limited) as second:
        with first.engine.connect():
            waiting = threading.Thread(target=second.ping)
            waiting.start()
            waiting.join(0.5)
            assert waiting.is_alive()
        first.close()
        waiting.join(30)
        assert not waiting.is_alive()


def test_a_server_that_stays_full_is_away(limited: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Database.open(limited) as first, Database.open(limited) as second:
        assert second.optuna.get_all_studies() == []
        second.engine.dispose()
        first.ping()  # in the place of the other
        monkeypatch.setattr(connections, "FULL_S", 0.1)
        with pytest.raises(DATABASE_ERRORS, match="too many connections"):
            second.ping()
        with pytest.raises(StorageInternalError) as refused:
            second.optuna.get_all_studies()
        trouble = trouble_of(refused.value)
        assert trouble is not None
        assert trouble.remedy is Remedy.WAIT
        threading.Timer(0.3, first.close).start()
        assert patiently(second.optuna.get_all_studies) == []


@pytest.fixture
def limited(postgres_url: str, superuser_url: str, database_url: str) -> Iterator[str]:
    """The URL of the test's database for a role that may connect once."""
    server = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    inside = sa.create_engine(superuser_url, isolation_level="AUTOCOMMIT")
    role = f"{sa.make_url(database_url).database}_role"
    with inside.connect() as connection:
        connection.execute(sa.text(f"CREATE ROLE {role} LOGIN PASSWORD 'secret' CONNECTION LIMIT 1"))
        connection.execute(sa.text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"))
        connection.execute(sa.text(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}"))
    url = sa.make_url(database_url).set(username=role, password="secret")
    yield url.render_as_string(hide_password=False)
    with inside.connect() as connection:
        connection.execute(sa.text(f"DROP OWNED BY {role}"))
    inside.dispose()
    with server.connect() as connection:
        connection.execute(sa.text(f"DROP ROLE {role}"))
    server.dispose()


def test_a_transaction_covers_optuna(db: Database, definition: StudyDefinition) -> None:
    study_id = studies.create(db, definition).optuna_study_id
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.optuna.create_new_trial(study_id)
        1 / 0  # noqa: B018
    with Database.open(db.url) as other:
        with db.transaction() as connection:
            db.optuna.create_new_trial(study_id)
            assert connection.execute(sa.text("SELECT count(*) FROM trials")).scalar_one() == 1
            assert other.optuna.get_n_trials(study_id) == 0
        assert other.optuna.get_n_trials(study_id) == 1


def test_a_refused_write_of_optuna_spoils_no_transaction(db: Database, definition: StudyDefinition) -> None:
    study_id = studies.create(db, definition).optuna_study_id
    with db.transaction() as connection:
        trial_id = db.optuna.create_new_trial(study_id)
        with pytest.raises(KeyError):
            db.optuna.set_trial_user_attr(trial_id + 1, "key", "value")
        connection.execute(sa.text("SELECT 1"))
    assert db.optuna.get_n_trials(study_id) == 1


def test_tables_of_another_optuna_are_refused(db: Database) -> None:
    with db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE public.alembic_version SET version_num = 'v0.0.0'"))
    with pytest.raises(SchemaOutdated, match=r"v0\.0\.0.*pernodedrop db init"):
        db.optuna.get_all_studies()


@pytest.mark.parametrize("sure_s", [connections.SURE_S, -1.0])
def test_a_connection_that_the_server_has_closed_is_replaced(
    db: Database, database_url: str, monkeypatch: pytest.MonkeyPatch, sure_s: float
) -> None:
    monkeypatch.setattr(connections, "SURE_S", sure_s)
    with db.engine.connect() as connection:
        first = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
    with Database.open(database_url) as other, other.single() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": first})
    with db.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one() != first


@pytest.mark.parametrize(("sure_s", "last"), [(connections.SURE_S, "mine"), (-1.0, "select 1")])
def test_a_connection_in_use_is_not_asked_whether_it_works(
    db: Database, database_url: str, monkeypatch: pytest.MonkeyPatch, sure_s: float, last: str
) -> None:
    monkeypatch.setattr(connections, "SURE_S", sure_s)
    with db.single() as connection:
        process = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        connection.execute(sa.text("SELECT 'mine'"))
    with db.single(), Database.open(database_url) as other, other.single() as connection:
        said = sa.text("SELECT query FROM pg_stat_activity WHERE pid = :pid")
        assert last in connection.execute(said, {"pid": process}).scalar_one().lower()


def test_a_single_statement_is_a_transaction_of_its_own(db: Database) -> None:
    now = sa.text("SELECT pg_current_xact_id()::text")
    with db.single() as connection:
        assert connection.execute(now).scalar_one() != connection.execute(now).scalar_one()
    with db.engine.connect() as connection:  # the same one of the pool
        assert connection.execute(now).scalar_one() == connection.execute(now).scalar_one()


def test_a_connection_that_was_left_without_transactions_has_them_again(db: Database) -> None:
    with db.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.autocommit = True  # as an interrupt leaves it
    with db.engine.connect() as connection:
        assert connection.connection.driver_connection is driver
        assert not driver.autocommit


DISTRIBUTIONS = {
    "rate": FloatDistribution(0.0, 1.0),
    "log": FloatDistribution(1e-5, 1.0, log=True),
    "step": FloatDistribution(0.0, 0.9, step=0.1),
    "units": IntDistribution(8, 64, step=8),
    "log units": IntDistribution(1, 1024, log=True),
    "kind": CategoricalDistribution(["dropout", "none", None, 1, 2.5, True]),
}
VALUES = {"rate": 0.25, "log": 1e-3, "step": 0.30000000000000004, "units": 24, "log units": 7, "kind": 2}


def test_parameters_are_written_as_optuna_writes_them(db: Database, definition: StudyDefinition) -> None:
    study_id = studies.create(db, definition).optuna_study_id
    plain = RDBStorage(db.url)
    ours, theirs = (storage.create_new_trial(study_id) for storage in (db.optuna, plain))
    for name, distribution in DISTRIBUTIONS.items():
        plain.set_trial_param(theirs, name, VALUES[name], distribution)
    with db.transaction():
        for name, distribution in DISTRIBUTIONS.items():
            db.optuna.set_trial_param(ours, name, VALUES[name], distribution)
        assert db.optuna.get_trial(ours).params == plain.get_trial(theirs).params, "read before they are committed"
        assert plain.get_trial(ours).params == {}
    columns = "param_name, param_value, distribution_json"
    rows = f"SELECT {columns} FROM trial_params WHERE trial_id = :trial ORDER BY param_id"
    with db.single() as connection:
        mine, others = (connection.execute(sa.text(rows), {"trial": trial}).all() for trial in (ours, theirs))
    assert mine == others
    assert len(mine) == len(DISTRIBUTIONS)
    with pytest.raises(ValueError, match="different distribution kind"), db.transaction():
        db.optuna.set_trial_param(db.optuna.create_new_trial(study_id), "rate", 1, IntDistribution(0, 3))
    assert plain.get_n_trials(study_id) == 2


def test_a_parameter_that_cannot_be_written_ends_the_transaction(db: Database, definition: StudyDefinition) -> None:
    study_id = studies.create(db, definition).optuna_study_id
    trial = db.optuna.create_new_trial(study_id)
    with pytest.raises(DATABASE_ERRORS, match="unique"), db.transaction() as connection:
        connection.execute(sa.text("UPDATE fleet.studies SET priority = 7"))
        for _ in range(2):
            db.optuna.set_trial_param(trial, "rate", 0.5, DISTRIBUTIONS["rate"])
    assert db.optuna.get_trial(trial).params == {}
    assert studies.get(db, definition.name).priority != 7
    with db.transaction():  # nothing is left of it
        db.optuna.set_trial_param(trial, "rate", 0.5, DISTRIBUTIONS["rate"])
    assert db.optuna.get_trial(trial).params == {"rate": 0.5}
