"""The database of a server process."""

from service.settings import Settings
from service.storage.database.database import Database


def open_database(settings: Settings, connections: int) -> Database:
    """Open the settings' database for so many requests at once; it connects at the first of them.

    Raises:
        ValueError: `database_url` is missing or no Postgres URL.
    """
    return Database.open(settings.require_database(), connections, lasting=True)
