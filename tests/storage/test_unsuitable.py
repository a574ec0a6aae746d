"""Databases and users that are not for this program: one line says what is missing, and nothing is left half-made."""

import uuid
from collections.abc import Callable, Iterator, Sequence

import pytest
import sqlalchemy as sa

from service.cli import main
from service.storage.database import database, patience, suitability
from service.storage.database.database import Database, initialise
from service.storage.errors import DatabaseUnreachable, DatabaseUnsuitable, StorageError

PASSWORD = "s3cret"
LATIN1 = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
MAY_CREATE = ("GRANT CREATE ON SCHEMA public TO {me}", "GRANT CREATE ON DATABASE {name} TO {me}")
MAY_WORK = (
    "GRANT USAGE ON SCHEMA fleet TO {me}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA fleet, public TO {me}",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {me}",
)
MAY_LOOK = ("GRANT USAGE ON SCHEMA fleet TO {me}", "GRANT SELECT ON fleet.alembic_version TO {me}")
OPTUNAS = ("studies", "trials", "trial_values", "version_info")
TABLES = sa.text(
    """
    SELECT coalesce(array_agg(oid::regclass::text ORDER BY oid), '{}') FROM pg_class
    WHERE relkind IN ('r', 'v', 'S') AND relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_|^info')
    """
)

Foreign = Callable[..., str]


@pytest.fixture
def foreign(postgres_url: str, template_database: str) -> Iterator[Foreign]:
    """Make a database of another owner; return its URL for a user of its own, `me`, to whom it grants nothing."""
    server = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    suffix = uuid.uuid4().hex[:12]
    names = {"me": f"me_{suffix}", "name": f"foreign_{suffix}"}
    here = sa.make_url(postgres_url).set(database=names["name"])

    def make(*statements: str, options: str = "", is_ready: bool = False, attributes: str = "LOGIN") -> str:
        with server.connect() as connection:
            connection.exec_driver_sql(f"CREATE ROLE {names['me']} PASSWORD '{PASSWORD}' {attributes}")
            source = f"TEMPLATE {template_database}" if is_ready else options
            connection.exec_driver_sql(f"CREATE DATABASE {names['name']} {source}")
        _execute(here, [statement.format(**names) for statement in statements])
        return here.set(username=names["me"], password=PASSWORD).render_as_string(hide_password=False)

    yield make
    with server.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {names['name']} WITH (FORCE)")
        connection.exec_driver_sql(f"DROP ROLE IF EXISTS {names['me']}")
    server.dispose()


def _execute(url: sa.URL, statements: Sequence[str]) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def _tables(postgres_url: str, url: str) -> list[str]:
    engine = sa.create_engine(sa.make_url(postgres_url).set(database=sa.make_url(url).database))
    with engine.connect() as connection:
        found: list[str] = connection.execute(TABLES).scalar_one()
    engine.dispose()
    return found


@pytest.mark.parametrize(
    ("statements", "given", "code", "said"),
    [
        ((), {}, 3, "lacks the right CREATE on the database foreign_"),
        (MAY_CREATE[:1], {}, 3, ": GRANT CREATE ON DATABASE foreign_"),
        (MAY_CREATE[1:], {}, 3, "lacks the right CREATE on the schema public: GRANT CREATE ON SCHEMA public TO me_"),
        ((), {"attributes": "NOLOGIN"}, 3, "is not permitted to log in): correct the user in DATABASE_URL"),
        (("REVOKE CONNECT ON DATABASE {name} FROM public",), {}, 3, "denies a permission"),
        ((*MAY_CREATE, "ALTER ROLE {me} SET default_transaction_read_only = on"), {}, 3, "is read-only for this user"),
        ((*MAY_CREATE, "ALTER ROLE {me} SET search_path = nowhere"), {}, 1, "names no schema that is there"),
        (MAY_CREATE, {"options": LATIN1}, 1, "has the encoding LATIN1, which cannot hold every text"),
        (MAY_CREATE, {"options": LATIN1.replace("LATIN1", "SQL_ASCII")}, 1, "has the encoding SQL_ASCII"),
        *(
            ((*MAY_CREATE, f"CREATE TABLE {name} (id int)"), {}, 1, f"the table {name} is another program's")
            for name in OPTUNAS
        ),
        (
            ("CREATE TABLE alembic_version AS SELECT 'a' AS version_num", "GRANT SELECT ON alembic_version TO {me}"),
            *({}, 1, "the table alembic_version is another program's"),
        ),
        (
            (*MAY_CREATE, "CREATE SCHEMA fleet", "CREATE TABLE fleet.vehicles (id int)"),
            *({}, 1, "the schema fleet has another program's tables (vehicles): name another database"),
        ),
        (
            (*MAY_CREATE, "CREATE SCHEMA fleet AUTHORIZATION {me}", "CREATE TABLE fleet.runs (id int)"),
            *({}, 1, "the schema fleet has another program's tables (runs)"),
        ),
        (
            ("CREATE SCHEMA fleet", "CREATE TABLE fleet.alembic_version AS SELECT 'a1b2c3' AS version_num", *MAY_LOOK),
            *({}, 1, "the schema fleet is another program's, of its version 'a1b2c3'"),
        ),
        ((), {"is_ready": True}, 3, "lacks the right USAGE on the schema fleet: GRANT USAGE ON SCHEMA fleet TO me_"),
        (
            (*MAY_WORK, "REVOKE UPDATE ON fleet.runs FROM {me}"),
            *({"is_ready": True}, 3, "lacks the right UPDATE on fleet.runs: GRANT UPDATE ON fleet.runs TO me_"),
        ),
        (
            (*MAY_WORK, "UPDATE fleet.alembic_version SET version_num = '9999'"),
            *({"is_ready": True}, 1, "the database's schema 9999 is newer than this program: upgrade the program"),
        ),
        (
            (*MAY_WORK, "UPDATE alembic_version SET version_num = 'v9.0.0.a'"),
            *({"is_ready": True}, 1, "Optuna's tables are of the version v9.0.0.a, newer than this Optuna"),
        ),
    ],
)  # fmt: skip
def test_it_is_refused_in_one_line_and_nothing_is_made(  # noqa: PLR0917 (what pytest gives, by name)
    foreign: Foreign, postgres_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    statements: Sequence[str], given: dict[str, object], code: int, said: str,
) -> None:  # fmt: skip
    url = foreign(*statements, **given)
    before = _tables(postgres_url, url)
    monkeypatch.setenv("DATABASE_URL", url)
    assert main(["db", "init"]) == code
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert said in error
    assert PASSWORD not in error
    assert _tables(postgres_url, url) == before


def test_a_failure_in_the_middle_leaves_nothing(
    empty_database_url: str, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event trigger of the server raises the error when Optuna's last table is made, after all of ours."""
    for module, name in ((database, "STRUCK_S"), (patience, "AGAIN_S")):
        monkeypatch.setattr(module, name, 0.0)
    here = sa.make_url(postgres_url).set(database=sa.make_url(empty_database_url).database)
    strike = """
        CREATE FUNCTION strike() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
            IF to_regclass('public.trial_heartbeats') IS NOT NULL THEN
                RAISE EXCEPTION 'struck' USING errcode = '53100';
            END IF;
        END $$"""
    _execute(here, [strike, "CREATE EVENT TRIGGER strike ON ddl_command_end EXECUTE FUNCTION strike()"])
    with pytest.raises(StorageError, match="struck"):
        initialise(empty_database_url)
    assert _tables(postgres_url, empty_database_url) == []
    _execute(here, ["DROP EVENT TRIGGER strike"])
    initialise(empty_database_url)
    with Database.open(empty_database_url) as db:
        db.check_ready()


def test_a_schema_that_was_made_for_this_user_is_used(foreign: Foreign) -> None:
    url = foreign(MAY_CREATE[0], "CREATE SCHEMA fleet AUTHORIZATION {me}")
    initialise(url)
    with Database.open(url) as db:
        db.check_ready()


def test_who_may_work_and_not_create_is_served(foreign: Foreign) -> None:
    url = foreign(*MAY_WORK, is_ready=True)
    initialise(url)
    with Database.open(url) as db:
        db.check_ready()


@pytest.mark.parametrize(
    ("statements", "remedy"),
    [
        (
            ("CREATE SCHEMA work AUTHORIZATION {me}", "ALTER ROLE {me} SET search_path = work"),
            "SET search_path = public",
        ),
        (("REVOKE USAGE ON SCHEMA public FROM PUBLIC, {me}",), "GRANT USAGE ON SCHEMA public TO me_"),
    ],
)
def test_whose_search_path_misses_optunas_tables_is_told_where_they_are(
    foreign: Foreign, postgres_url: str, statements: Sequence[str], remedy: str
) -> None:
    """Made again in another schema, they would be empty, and every trial unknown."""
    url = foreign(*MAY_CREATE, *MAY_WORK, *statements, is_ready=True)
    before = _tables(postgres_url, url)
    with pytest.raises(DatabaseUnreachable, match=f"Optuna are in the schema public, .*{remedy}"):
        initialise(url)
    assert _tables(postgres_url, url) == before
    with Database.open(url) as db, pytest.raises(DatabaseUnreachable, match=remedy):
        db.check()


def test_who_may_only_read_is_told_so(foreign: Foreign) -> None:
    reading = "GRANT SELECT ON ALL TABLES IN SCHEMA fleet, public TO {me}"
    with Database.open(foreign(MAY_WORK[0], reading, is_ready=True)) as db:
        db.check()
        with pytest.raises(DatabaseUnreachable, match="lacks the right INSERT on ") as caught:
            db.check_ready()
    assert not caught.value.passes


def test_a_server_that_is_too_old_is_refused(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suitability, "OLDEST", 99)  # no older server can be had here
    with pytest.raises(DatabaseUnsuitable, match=r"is Postgres \d+.*, and 99 or a later one is needed"):
        initialise(empty_database_url)


def test_optunas_older_tables_are_brought_up_to_date_in_the_same_transaction(database_url: str) -> None:
    with Database.open(database_url) as db:
        with db.engine.begin() as connection:
            connection.execute(sa.text("UPDATE public.alembic_version SET version_num = 'v3.0.0.d'"))
        initialise(database_url)
        with db.engine.connect() as connection:
            version = connection.execute(sa.text("SELECT version_num FROM public.alembic_version")).scalar_one()
            made = sa.inspect(connection).get_indexes("trials")
        assert version == "v3.2.0.a"
        assert "trials_study_id_key" in {index["name"] for index in made}
        assert db.optuna.get_all_studies() == []
