"""The dashboard as it is served, on a fresh database with a finished study."""

from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa

from search_spaces import parse_definition
from service.dashboard import create_app
from service.storage.database import tables
from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.storage.states import RunState
from service.storage.studies import studies
from tests.api.configuring import settings_for
from tests.api.fleet import definition_data, work
from tests.api.serving import served
from tests.databases import Databases
from tests.workers.conftest import start_worker

__all__ = ["start_worker"]  # a fixture

KEY = "the key of the dashboard ü"
TRIALS = 12


@pytest.fixture(scope="session")
def with_study(databases: Databases, template_database: str) -> str:
    """A database to copy, with a study whose trials were told into the real storage; one was pruned, one failed."""
    description = "Which noise suits a small network? <script>alert('never')</script>"
    definition = parse_definition(definition_data("digits-1", TRIALS, description=description))
    name = databases.make("template_with_study", template_database)
    with Database.open(databases.url(name)) as database:
        work(database, studies.create(database, definition), {3: RunState.PRUNED, 5: RunState.FAILED})
    return name


@pytest.fixture
def database_url(request: pytest.FixtureRequest, databases: Databases) -> Iterator[str]:
    """A fresh database, which has the study where a test asks for it."""
    template = "with_study" if "study" in request.fixturenames else "template_database"
    with databases.fresh(request.getfixturevalue(template)) as name:
        yield databases.url(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with Database.open(database_url) as database:
        yield database


@pytest.fixture
def study(database: Database) -> StudyRecord:
    """The finished study, whose worker is still alive."""
    with database.engine.begin() as connection:
        connection.execute(tables.workers.update().values(seen_at=sa.func.now()))
    return studies.get(database, "digits-1")


@pytest.fixture
def guarded(database_url: str) -> Iterator[str]:
    """The address of a dashboard that asks for `KEY`."""
    with served(create_app(settings_for(database_url, api_key=KEY))) as address:
        yield address


@pytest.fixture
def unguarded(database_url: str) -> Iterator[str]:
    """The address of a dashboard without a key, on loopback."""
    with served(create_app(settings_for(database_url))) as address:
        yield address


@pytest.fixture
def visitor(unguarded: str) -> Iterator[httpx.Client]:
    """A program on the pages of a dashboard without a key."""
    with httpx.Client(base_url=unguarded, timeout=60) as client:
        yield client


@pytest.fixture
def waiting(database: Database) -> StudyRecord:
    """A study that no worker has begun."""
    return studies.create(database, parse_definition(definition_data("waiting-1", 4)))
