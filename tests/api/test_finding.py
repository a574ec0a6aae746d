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
            httpx.post(f"{address}/v1/studies", json=data).raise_for_status()
        httpx.patch(f"{address}/v1/studies/two", json={"note": "like the VISION one", "tags": ["paper"]})
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


@pytest.mark.parametrize(("sought", "names"), FOUND)
def test_every_way_finds_the_same(address: str, sought: dict[str, str], names: list[str]) -> None:
    page = httpx.get(f"{address}/v1/studies", params=sought).json()
    assert ([study["name"] for study in page["studies"]], page["total"]) == (names, len(names))
    assert httpx.get(f"{address}/v1/studies", params={**sought, "limit": 1}).json()["total"] == len(names)
    with Client(address) as ours:
        assert [study.name for study in ours.studies(**sought)] == names
    with pernodedrop.client.Client(address) as client:
        assert [study.name for study in client.studies(**sought)] == names  # type: ignore[arg-type]

    async def awaited() -> list[str]:
        async with pernodedrop.client.AsyncClient(address) as client:
            return [study.name for study in await client.studies(**sought)]  # type: ignore[arg-type]

    assert asyncio.run(awaited()) == names


@pytest.mark.parametrize("sought", [{"text": "x" * 201}, {"text": "a\0b"}, {"state": "gone"}, {"tag": ""}, {"q": "x"}])
def test_what_is_no_text_tag_or_state_is_refused(address: str, sought: dict[str, str]) -> None:
    refused = httpx.get(f"{address}/v1/studies", params=sought)
    assert (refused.status_code, refused.json()["error"]) == (422, "invalid_request")


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


@pytest.mark.parametrize("where", ["drop_rate>=1e999", "drop_rate>=" + "9" * 190, "drop_rate=-1e400", "value<.inf"])
def test_a_condition_with_any_number_is_judged_or_refused(address: str, where: str) -> None:
    answer = httpx.get(f"{address}/v1/studies/one/trials", params={"where": where})
    assert answer.status_code in (200, 422), answer.text
