"""The names of studies, for who meant another one, and those of their tasks."""

import sqlalchemy as sa

from pernodedrop.near import nearest
from service.storage.database.database import Database
from service.storage.errors import UnknownStudy

MOST = 1000  # names that are compared, the newest studies' first
MOST_ID = 2**31 - 1  # Optuna's ids are integers

_NAMES = sa.text(f"SELECT name FROM fleet.studies ORDER BY id DESC LIMIT {MOST}")

_BEGINNING = sa.text("SELECT name FROM fleet.studies WHERE starts_with(name, :begin)")
_TASK = sa.text("SELECT definition->'task'->>'name' FROM fleet.studies WHERE name = :name")
_IN_OPTUNA = sa.text("SELECT study_id FROM studies WHERE study_id = :study")
_OF_OPTUNA = sa.text("SELECT name FROM fleet.studies WHERE optuna_study_id = :study")


def of_studies(connection: sa.Connection) -> list[str]:
    """Return the names of the newest studies."""
    return list(connection.execute(_NAMES).scalars())


def beginning(db: Database, begin: str) -> set[str]:
    """Return the names of studies that begin so."""
    with db.engine.connect() as connection:
        return set(connection.execute(_BEGINNING, {"begin": begin}).scalars())


def of_optuna(db: Database, optuna_study_id: int) -> str | None:
    """Return the name of the study that has this Optuna study, None if there is none."""
    if optuna_study_id > MOST_ID:
        return None
    with db.engine.connect() as connection:
        name: str | None = connection.execute(_OF_OPTUNA, {"study": optuna_study_id}).scalar_one_or_none()
    return name


def is_in_optuna(db: Database, optuna_study_id: int) -> bool:
    """Whether Optuna has a study of this id, of ours or of another program."""
    if optuna_study_id > MOST_ID:
        return False
    with db.engine.connect() as connection:
        return connection.execute(_IN_OPTUNA, {"study": optuna_study_id}).scalar_one_or_none() is not None


def task_of(db: Database, name: str) -> str:
    """Return the name of the study's task, such as "digits" or "package.module:Class".

    Raises:
        UnknownStudy: there is none of this name.
    """
    with db.engine.connect() as connection:
        task: str | None = connection.execute(_TASK, {"name": name}).scalar_one_or_none()
    if task is None:
        raise UnknownStudy(name)
    return task


def near(db: Database, name: str) -> str | None:
    """Return the study's name that is nearest to this one, None where none is near."""
    with db.engine.connect() as connection:
        return nearest(name, of_studies(connection))
