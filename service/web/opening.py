"""The database of a server process."""

from service.settings import Settings
from service.storage.database import Database


def open_database(settings: Settings, connections: int) -> Database:
    """The settings' database, with room for so many requests at once; it connects at the first of them.

    Raises:
        ValueError: `database_url` is missing or no Postgres URL.
    """
    if settings.database_url is None:
        raise ValueError("DATABASE_URL is not set: write postgresql://user:password@host:5432/name")
    return Database.open(settings.database_url, connections, lasting=True)
