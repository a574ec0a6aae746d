"""A worker gives its connections back after a while, and waits for a server that is full for the moment."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from optuna.exceptions import StorageInternalError

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
