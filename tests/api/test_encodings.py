"""A database of an earlier release in another encoding than UTF8 goes on; what it cannot hold is refused in words."""

import httpx
import pytest

from service.api.app import create_app
from service.storage.database import suitability
from service.storage.database.database import initialise
from tests.api.configuring import settings_for
from tests.api.fleet import definition_data
from tests.api.serving import served
from tests.databases import Databases


@pytest.mark.parametrize("encoding", ["LATIN1", pytest.param("SQL_ASCII", marks=pytest.mark.wide)])
def test_a_letter_that_it_has_not(databases: Databases, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    name = f"encoded_{encoding.lower()}"
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    databases.execute(
        f"CREATE DATABASE {name} OWNER pernodedrop ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    url = databases.url(name)
    with monkeypatch.context() as earlier:
        earlier.setattr(suitability, "check_server", lambda _: None)
        initialise(url)
    initialise(url)
    with served(create_app(settings_for(url))) as address, httpx.Client(base_url=address, timeout=60) as client:
        assert client.get("/v1/ready").status_code == 200
        assert client.post("/v1/studies", json=definition_data()).status_code == 201
        definition = definition_data("arrow")
        definition["task"] = {"name": "somebody.tasks:Translating", "options": {"to": "→"}}
        answer = client.post("/v1/studies", json=definition)
        assert (answer.status_code, answer.json()["error"]) == (422, "not_storable"), answer.text
    databases.drop(name)
