"""What keeps a definition from becoming a study, beside its own rules; nothing is stored."""

import sqlalchemy as sa

from search_spaces import StudyDefinition
from service.storage.database.database import Database
from service.storage.database.tables import studies
from service.storage.errors import StudyExists
from service.storage.studies import earlier


def check(db: Database, definition: StudyDefinition) -> None:
    """Raise what `studies.create` would raise for this definition.

    Raises:
        StudyExists: the name is taken.
        InvalidDefinition: `definition.start_from` is no study whose trials it could take.
    """
    with db.engine.connect() as connection:
        if connection.execute(sa.select(studies.c.id).where(studies.c.name == definition.name)).first():
            raise StudyExists(definition.name)
        earlier.earlier_trials(connection, definition)
