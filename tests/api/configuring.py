"""Settings for tests: a database, and nothing from the environment of the tests."""

from dataclasses import replace
from typing import Any

from service.settings import Settings

NO_DATABASE = "postgresql://nobody:nothing@127.0.0.1:1/none"


def settings_for(url: str, /, **changes: Any) -> Settings:
    """A server on loopback without a key, but for the changes."""
    return replace(Settings.from_environment({"DATABASE_URL": url}), **changes)
