"""Settings for tests: of a database, and nothing of the environment that the tests run in."""

from dataclasses import replace
from typing import Any

from service.settings import Settings

NO_DATABASE = "postgresql://nobody:nothing@127.0.0.1:1/none"


def settings_for(url: str, /, **changes: Any) -> Settings:
    """A server on loopback without a key, but for the changes."""
    return replace(Settings.from_environment({"DATABASE_URL": url}), **changes)
