"""Names that no study has, long names, and who waits for a study that nobody trains."""

import itertools
import threading
import time
from collections.abc import Callable

import httpx
import pytest

from search_spaces import load_preset, parse_definition
from service.cli.continuation import submit_under_free_name, unfinished
from service.client import Client
from tests.cli.conftest import KEY

Command = Callable[..., tuple[int, str, str]]
WRONG = 2
WRONG_NAMES = (
    "",
    ".",
    "..",
    "a/b",
    "a%2Fb",
    "100%",
    "two words",
    "naïve",
    "Mine",
    "x" * 200,
    "-x",
    "a\x00b",
    "a\udcffb",
)
OF_A_NAME = ("watch", "studies", "pause", "report", "capsule", "examinations", "delete")


def test_a_name_that_no_study_has_is_named_with_its_rule(command: Command, client: Client, controller: str) -> None:
    for name, order in zip(WRONG_NAMES, itertools.cycle(OF_A_NAME)):
        code, said, told = command(order, "--", name)
        assert (code, said) == (WRONG, ""), (order, name)
        assert told.startswith("error: a study's name must have 1 to 63 of a-z, 0-9, ., _ and -, and start with a ")
        assert told.count("\n") == 1
    code, _, told = command("submit", "--like", "a/b", "--name", "c")
    assert (code, told.partition(" must ")[0]) == (WRONG, "error: a study's name")
    for name in ("", "a%2Fb", "a/b/c/d", "%25", "%C3%A4", "A", "x" * 200):
        answer = httpx.get(f"{controller}/v1/studies/{name}/report/more", headers={b"X-API-Key": KEY.encode()})
        assert answer.status_code == (404 if name == "a/b/c/d" else 422), name
        if answer.status_code == 422:
            assert answer.json()["message"].startswith("path.name must have 1 to 63 of a-z")
    known = httpx.get(f"{controller}/v1/studies/a/b", headers={b"X-API-Key": KEY.encode()})
    assert known.json()["message"] == "Not Found: GET /v1/studies/a/b; the routes are listed at /docs"


@pytest.mark.parametrize("letters", [61, 62, 63])
def test_a_long_name_is_cut_for_its_number(client: Client, letters: int) -> None:
    preset = parse_definition({**load_preset("quickstart"), "name": "x" * letters}).model_dump(mode="json")
    names = [submit_under_free_name(client, preset) for _ in range(3)]
    assert names == ["x" * letters, *(f"{'x' * min(letters, 61)}-{number}" for number in (2, 3))]
    assert unfinished(client, preset).name == names[-1]  # type: ignore[union-attr]
    client.change(names[-1], "stop")
    assert unfinished(client, preset).name == names[-2]  # type: ignore[union-attr]


def test_who_watches_without_a_worker_is_told_at_once(command: Command, client: Client) -> None:
    stopping = stopped_soon(client, "mine")
    _, said, _ = command("submit", "--preset", "quickstart", "--name", "mine", "--watch")
    stopping.join()
    lines = said.splitlines()
    assert lines[1].startswith("mine: 0/40 runs")
    assert lines[2].startswith("no worker is alive, so nothing is trained: start one with `pernodedrop worker`")
    assert said.count("no worker is alive") == 1

    command("submit", "--preset", "quickstart", "--name", "second")
    client.change("second", "pause")
    stopping = stopped_soon(client, "second")
    assert "the study is paused: `pernodedrop resume second` continues it" in command("watch", "second")[1]
    stopping.join()


def stopped_soon(client: Client, name: str) -> threading.Thread:
    """Stop the study when it is there and somebody has had the time to look at it."""

    def stop() -> None:
        while name not in {study.name for study in client.studies()}:
            time.sleep(0.1)
        time.sleep(1.5)
        client.change(name, "stop")

    thread = threading.Thread(target=stop)
    thread.start()
    return thread
