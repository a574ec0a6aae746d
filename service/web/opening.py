"""The database of a server process."""

from service.settings import Settings
from service.storage.database.database import Database


def open_database(settings: Settings, connections: int, *, lasting: bool = True) -> Database:
    """Open the settings' database with `connections` (and two more) at most; it connects at the first request.

    Connections that are not `lasting` are closed after a minute without use.

    Raises:
        ValueError: `database_url` is missing or no Postgres URL.
    """
    return Database.open(settings.require_database(), connections, lasting=lasting)
