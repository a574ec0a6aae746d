"""A Postgres of our own: the binaries of a wheel, run on loopback behind a password, shared by its owners."""

from service.storage.embedded.account import EmbeddedPostgresError
from service.storage.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]
