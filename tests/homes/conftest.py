from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from service.storage.database.database import Database, initialise
from tests.databases import Databases
from tests.homes.stored import restore

Home = Callable[[str], Database]


@pytest.fixture(scope="session")
def upgraded(databases: Databases, template_database: str) -> Callable[[str], str]:
    """Gives the name of a database that was stored with that schema, and upgraded to ours."""
    made: dict[str, str] = {}

    def of(schema: str) -> str:
        if schema not in made:
            made[schema] = databases.make(f"home_{schema}")
            url = databases.url(made[schema])
            restore(schema, url)
            initialise(url)
        return made[schema]

    return of


@pytest.fixture
def home(databases: Databases, upgraded: Callable[[str], str]) -> Iterator[Home]:
    """Opens a copy of the upgraded database of that schema."""
    with ExitStack() as until_the_end:

        def of(schema: str) -> Database:
            name = until_the_end.enter_context(databases.fresh(upgraded(schema)))
            return until_the_end.enter_context(Database.open(databases.url(name)))

        yield of
