import uuid
from collections.abc import Callable, Iterator

import pytest

from service.storage.database.database import Database, initialise
from tests.conftest import execute, named
from tests.homes.stored import restore

Home = Callable[[str], Database]


@pytest.fixture(scope="session")
def upgraded(postgres_urls: tuple[str, str], template_database: str) -> Callable[[str], str]:
    """Gives the name of a database that was stored with that schema, and upgraded to ours."""
    superuser, ours = postgres_urls
    made: dict[str, str] = {}

    def of(schema: str) -> str:
        if schema not in made:
            made[schema] = f"home_{schema}"
            execute(superuser, f"CREATE DATABASE home_{schema} OWNER pernodedrop")
            url = named(ours, made[schema])
            restore(schema, url)
            initialise(url)
        return made[schema]

    return of


@pytest.fixture
def home(postgres_urls: tuple[str, str], upgraded: Callable[[str], str]) -> Iterator[Home]:
    """Opens a copy of the upgraded database of that schema."""
    superuser, ours = postgres_urls
    opened: list[tuple[Database, str]] = []

    def of(schema: str) -> Database:
        name = f"test_{uuid.uuid4().hex}"
        execute(superuser, f"CREATE DATABASE {name} OWNER pernodedrop TEMPLATE {upgraded(schema)}")
        opened.append((Database.open(named(ours, name)), name))
        return opened[-1][0]

    yield of
    for database, name in opened:
        database.close()
        execute(superuser, f"DROP DATABASE {name} WITH (FORCE)")
