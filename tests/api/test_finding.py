"""Studies are found over REST, by both clients and by command: by text, tag and state, and bad words are refused."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

import pernodedrop.client
from service.api.app import create_app
from service.cli.entry import main
from service.client import Client
from service.storage.database.database import Database
from service.storage.studies import studies
from tests.api.configuring import settings_for
from tests.api.fleet import definition_data
from tests.api.serving import served


@pytest.fixture
def address(database_url: str) -> Iterator[str]:
    """A controller with three studies: one has a note and a tag, one is paused."""
    with served(create_app(settings_for(database_url))) as address:
        for name, description in (("one", "Vision, first try"), ("two", ""), ("three", "100%_sure\\n")):
            data = definition_data(name, description=description)
            httpx.post(f"{address}/v1/studies", json=data, timeout=60).raise_for_status()
        httpx.patch(f"{address}/v1/studies/two", json={"note": "like the VISION one", "tags": ["paper"]}, timeout=60)
        with Database.open(database_url) as database:
            studies.set_state(database, "two", "paused")
        yield address


FOUND = [
    ({}, ["three", "two", "one"]),
    ({"text": "vision"}, ["two", "one"]),
    ({"text": "ON"}, ["two", "one"]),
    ({"text": "%_"}, ["three"]),  # no pattern: what it says
    ({"text": "\\"}, ["three"]),
    ({"text": "'; DROP TABLE fleet.runs; --"}, []),
    ({"text": "vision", "tag": "paper"}, ["two"]),
    ({"state": "paused"}, ["two"]),
    ({"text": "vision", "state": "running"}, ["one"]),
]


def test_every_way_finds_the_same(address: str) -> None:
    with (
        httpx.Client(base_url=address, timeout=60) as rest,
        Client(address) as ours,
        pernodedrop.client.Client(address) as client,
    ):
        for sought, names in FOUND:
            page = rest.get("/v1/studies", params=sought).json()
            assert ([study["name"] for study in page["studies"]], page["total"]) == (names, len(names)), sought
            assert rest.get("/v1/studies", params={**sought, "limit": 1}).json()["total"] == len(names)
            assert [study.name for study in ours.studies(**sought)] == names
            assert [study.name for study in client.studies(**sought)] == names  # type: ignore[arg-type]

    async def awaited() -> list[str]:
        async with pernodedrop.client.AsyncClient(address) as client:
            return [study.name for study in await client.studies("vision", state="running")]

    assert asyncio.run(awaited()) == ["one"]


def test_what_is_no_text_tag_state_or_condition_is_refused_and_no_fault_of_ours(address: str) -> None:
    with httpx.Client(base_url=address, timeout=60) as rest:
        for sought in ({"text": "x" * 201}, {"text": "a\0b"}, {"state": "gone"}, {"tag": ""}, {"q": "x"}):
            refused = rest.get("/v1/studies", params=sought)
            assert (refused.status_code, refused.json()["error"]) == (422, "invalid_request"), sought
        for where in ("drop_rate>=1e999", "drop_rate=-1e400", "value<.inf"):
            refused = rest.get("/v1/studies/one/trials", params={"where": where})
            assert (refused.status_code, refused.json()["error"]) == (422, "invalid_request"), where
            assert "number must be finite" in refused.json()["message"]
        large = {"where": "drop_rate>=" + "9" * 190}
        assert rest.get("/v1/studies/one/trials", params=large).status_code == 200


def test_the_command_finds_and_says_what_it_does_not(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERNODEDROP_URL", address)
    assert main(["studies", "--text", "vision", "--state", "paused"]) == 0
    listed = capsys.readouterr().out
    assert "two" in listed
    assert "one" not in listed.replace("like the VISION one", "")
    assert main(["studies", "--text", "nothing", "--tag", "paper"]) == 0
    assert "no study has the text nothing and the tag paper" in " ".join(capsys.readouterr())
    assert main(["studies", "one", "--text", "x"]) == 2
