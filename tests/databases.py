"""The databases of a server, each a copy of another: a copy costs a tenth of what its tables would."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa


class Databases:
    """Makes and drops them by one connection, which is kept; `owner` and `ours` are URLs of any database of the
    server, for a superuser and for the role that the service has."""

    def __init__(self, owner: str, ours: str) -> None:
        self.owner, self.ours = owner, ours
        self._engine = sa.create_engine(owner, isolation_level="AUTOCOMMIT", pool_pre_ping=True)

    def execute(self, statement: str) -> None:
        """Execute a superuser's statement outside of any transaction."""
        with self._engine.connect() as connection:
            connection.exec_driver_sql(statement)

    def make(self, name: str, template: str | None = None) -> str:
        """Make a database, of which nobody has another connection to the template, and return its name."""
        source = "" if template is None else f"TEMPLATE {template} STRATEGY file_copy"  # half of the other's time
        self.execute(f"CREATE DATABASE {name} OWNER pernodedrop {source}")
        return name

    def drop(self, name: str) -> None:
        """Drop a database, and end the connections to it."""
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def fresh(self, template: str | None = None) -> Iterator[str]:
        """The name of a new database, which is dropped at the end of the block."""
        name = self.make(f"test_{uuid.uuid4().hex}", template)
        try:
            yield name
        finally:
            self.drop(name)

    def url(self, name: str) -> str:
        """A database's URL, for the role that the service has."""
        return _named(self.ours, name)

    def owner_url(self, name: str) -> str:
        """A database's URL, for a superuser."""
        return _named(self.owner, name)

    def close(self) -> None:
        self._engine.dispose()


def _named(url: str, database: str) -> str:
    """The URL of another database of the same server."""
    return sa.make_url(url).set(database=database).render_as_string(hide_password=False)
