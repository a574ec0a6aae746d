"""A dashboard as it is served, and a worker of the real queue that goes on epoch by epoch when it is told to."""

from collections.abc import Iterator

import pytest

from service.dashboard import create_app
from service.storage.database.database import Database
from tests.api.configuring import settings_for
from tests.api.serving import served


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with Database.open(database_url) as database:
        yield database


@pytest.fixture
def dashboard(database_url: str) -> Iterator[str]:
    """The address of a dashboard without a key."""
    with served(create_app(settings_for(database_url))) as address:
        yield address
