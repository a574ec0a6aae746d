"""Optuna's tables: created and upgraded in a transaction of ours, where Optuna itself would use several of its own."""

from collections.abc import Sequence
from functools import cache

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from optuna import version
from optuna.storages._rdb import models
from sqlalchemy import orm

VERSION_TABLE = "alembic_version"
DISTINCTIVE = "trial_intermediate_values"  # the table whose name no other program's has
NAMES: Sequence[str] = tuple(table.name for table in models.BaseModel.metadata.sorted_tables)


def is_current(connection: sa.Connection) -> bool:
    """Whether the tables are there, and of the version that this Optuna needs."""
    return set(NAMES) <= _present(connection) and _revision(connection) == head()


@cache
def head() -> str:
    """The version that this Optuna needs. To find it, Alembic runs every migration's file."""
    found = _script().get_current_head()
    assert found is not None
    return found


def stranger(connection: sa.Connection) -> str | None:
    """The name of a table that another program has where Optuna's would be, or None."""
    columns = sa.inspect(connection)
    present = _present(connection)
    for table in models.BaseModel.metadata.sorted_tables:
        if table.name in present:
            there = {column["name"] for column in columns.get_columns(table.name)}
            if not {column.name for column in table.primary_key} <= there:
                return str(table.name)
    has_info = models.VersionInfoModel.__tablename__ in present
    return VERSION_TABLE if newer(connection) is not None and not has_info else None


def newer(connection: sa.Connection) -> str | None:
    """The version of the tables if this Optuna does not know it."""
    revision = _revision(connection)
    known = {script.revision for script in _script().walk_revisions()}
    return None if revision is None or revision in known else revision


def upgrade(connection: sa.Connection) -> None:
    """Create the tables, or bring older ones up to date, in the connection's transaction."""
    models.BaseModel.metadata.create_all(connection)
    script = _script()
    with orm.Session(connection, join_transaction_mode="create_savepoint") as session:
        info = models.VersionInfoModel.find(session)
        is_ours = info is None or info.schema_version == models.SCHEMA_VERSION  # else made before it had migrations
        if info is None:
            session.add(_version_info())
            session.commit()
    context = MigrationContext.configure(connection)
    if context.get_current_revision() is None:
        context.stamp(script, head() if is_ours else script.get_base() or "base")
    if context.get_current_revision() == head():
        return
    _run_migrations(connection, script)
    with orm.Session(connection, join_transaction_mode="create_savepoint") as session:
        info = models.VersionInfoModel.find(session)
        assert info is not None
        fresh = _version_info()
        info.schema_version, info.library_version = fresh.schema_version, fresh.library_version
        session.commit()


def _run_migrations(connection: sa.Connection, script: ScriptDirectory) -> None:
    """Do what Optuna's own environment does, on our connection."""
    with EnvironmentContext(_config(), script, fn=lambda revision, _: script._upgrade_revs("head", revision)) as run:
        run.configure(connection=connection, target_metadata=models.BaseModel.metadata, render_as_batch=True)
        with run.begin_transaction():
            run.run_migrations()


def _version_info() -> models.VersionInfoModel:
    return models.VersionInfoModel(schema_version=models.SCHEMA_VERSION, library_version=version.__version__)


def _present(connection: sa.Connection) -> set[str]:
    """Those of the tables' names that the search path finds."""
    found = sa.text("SELECT name FROM unnest(cast(:names AS text[])) AS name WHERE to_regclass(name) IS NOT NULL")
    return set(connection.execute(found, {"names": [*NAMES, VERSION_TABLE]}).scalars())


def _revision(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "optuna.storages._rdb:alembic")
    config.set_main_option("path_separator", "os")
    return config


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
