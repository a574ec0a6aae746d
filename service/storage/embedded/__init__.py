"""The embedded Postgres: a wheel's binaries, run on loopback with a password, shared by its owners."""

from service.storage.embedded.account import EmbeddedPostgresError, NoRoom
from service.storage.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "NoRoom"]
