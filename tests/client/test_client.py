"""The public client against a real controller: submit, find, follow, read, order, and what it refuses."""

import asyncio
import base64
import json
import logging
import socket
import threading
from pathlib import Path

import httpx
import numpy as np
import pytest

from pernodedrop.client import AsyncClient, Client, Refused, Unreachable
from pernodedrop.client.ranked import RankingRow
from pernodedrop.client.reading import read
from pernodedrop.client.wire import Malformed, Request
from search_spaces.presets import preset_text
from service.storage.database.database import Database
from service.storage.runs.endings import close_finished_studies
from service.storage.states import RunState
from service.storage.studies import studies
from tests.api.fleet import EPOCHS, definition_data, work
from tests.api.test_winner import confirm
from tests.client.conftest import KEY
from tests.storage.test_confirmation import searched


def test_a_study_is_submitted_followed_and_read(
    client: Client, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    study = client.submit(definition_data(trials=4))
    assert (study.name, study.state, study.best, study.winner) == ("digits-1", "running", None, None)
    work(database, studies.get(database, "digits-1"), {1: RunState.PRUNED, 2: RunState.FAILED})
    found = study.wait()
    assert found.is_over
    assert capsys.readouterr().err.startswith("digits-1: 4/4 runs (2 complete, 1 pruned, 0 running, 1 failed), ")
    assert found.definition["budget"]["trials"] == 4

    best, trials = study.best, study.trials()
    assert best is not None and best.values is not None
    assert best.params in [one.params for one in study.trials("complete")]
    assert {one.reason for one in trials if one.state == "failed"} == {"training loss became nan"}
    table = study.to_frame()
    assert list(table.state) == [one.state for one in trials]
    assert table.val_loss[table.state == "complete"].min() == best.values[0]
    assert "test_loss" not in table
    assert set(table.params_drop_rate) == {one.params["drop_rate"] for one in trials}

    curves = study.curves()
    assert {point.run for point in curves} == {one.run for one in trials if one.state in ("complete", "pruned")}
    points = curves.to_frame()
    last = points[(points.trial == best.number) & (points.epoch == EPOCHS) & (points.split == "val")]
    assert list(last.metric) == ["accuracy", "loss"]
    assert list(last.value) == pytest.approx([1 / (1 + best.values[0]), best.values[0]])
    assert study.ranking[0].best_number == best.number
    assert study.front == []  # of one objective
    assert list(study.ranking.to_frame().columns)[:2] == ["rank", "variant"]
    assert "<th>complete</th>" in study.ranking._repr_html_()
    assert "<th>val_loss</th>" in trials._repr_html_()
    assert "history" in [figure.name for figure in study.figures()]


@pytest.mark.wide
def test_a_notebook_shows_the_answer(client: Client, database: Database) -> None:
    searched(database)
    close_finished_studies(database)
    confirm(database)
    study = client.study("found")
    winner, recommended = study.winner, study.recommended
    assert winner is not None and recommended is not None
    assert (winner.seeds, winner.variant, recommended.variant) == (3, "dropconnect", "dropconnect")
    shown = study._repr_html_()
    for part in ("<h3>found</h3>", "<progress", "dropconnect", 'src="data:image/svg+xml;base64,', "Recommended: "):
        assert part in shown
    assert "<script" not in shown
    table = study.to_frame()
    assert table.loc[table.stage == "confirmation", "val_loss"].isna().all()
    assert sorted(table.loc[table.stage == "confirmation", "test_loss"]) == pytest.approx([0.11, 0.31])
    assert study.picture("confirmation").startswith(b"<?xml")


@pytest.mark.wide
def test_orders_change_a_study(client: Client) -> None:
    study = client.submit("quickstart", "mine")
    assert study.pause().state == "paused"
    assert study.resume().state == "running"
    assert study.extend(3).budget.trials == study.details.budget.trials == 43
    assert study.confirm(repeats=2, top=None).confirmation.total == 0
    assert study.definition["confirmation"]["repeats"] == 2
    assert [one.name for one in client.studies()] == ["mine"]
    assert study.stop().state == study.wait(progress=False).state == "stopped"
    study.delete()
    with pytest.raises(Refused, match="no study is named 'mine'") as refused:
        study.details  # noqa: B018
    assert (refused.value.status, refused.value.error) == (404, "unknown_study")


def test_a_file_means_what_it_means_to_the_command_line(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(preset_text("quickstart").replace("name: quickstart", "name: mine"))
    assert client.submit(file).name == "mine"
    assert client.definition("quickstart") | {"name": "mine"} == client.definition(str(file))
    file.write_text("rate: 1e-5\nanswer: no\nday: 2026-01-31\n")
    assert client.definition(file) == {"rate": 1e-5, "answer": "no", "day": "2026-01-31"}
    (tmp_path / "mine.json").write_text(json.dumps({"a": 1.0}))
    assert client.definition(tmp_path / "mine.json") == {"a": 1}
    for text, said in (
        ("a: 1\na: 2", 'line 2, column 1: the key "a" stands at line 1, column 1 already: keep one of them'),
        ("- 1", "the definition must be an object, got a list"),
    ):
        file.write_text(text)
        with pytest.raises(Refused) as refused:
            client.definition(file)
        assert str(refused.value) == said
    with pytest.raises(FileNotFoundError):
        client.submit(tmp_path / "none.yaml")
    with pytest.raises(Refused, match="quickstar"):
        client.submit("quickstar")


def test_numbers_and_lists_of_numpy_are_sent_as_what_they_are(client: Client) -> None:
    rates = {"type": "categorical", "choices": np.array([0.25, 0.5])}
    space = {"drop_rate": rates, "units": {"type": "int", "low": np.int64(8), "high": np.int32(16)}}
    fixed = {"regularizer": "dropout"}
    data = definition_data(search_space=space, fixed=fixed, budget={"trials": np.int64(2)}, seed=np.uint8(3))
    study = client.submit(data)
    told = study.definition
    assert (told["search_space"]["drop_rate"]["choices"], told["search_space"]["units"]["high"]) == ([0.25, 0.5], 16)
    assert study.extend(np.int64(2)).budget.trials == 4
    enqueued = study.enqueue({"drop_rate": np.float32(0.5), "units": np.int64(9)})
    assert (enqueued.params["drop_rate"], enqueued.params["units"]) == (0.5, 9)
    with pytest.raises(Refused, match="none of its runs has failed"):
        study.retry()
    assert (study.amend(note="a note").note, study.amend(tags=("mine",)).tags) == ("a note", ["mine"])


def test_every_broken_rule_is_a_line(client: Client) -> None:
    with pytest.raises(Refused) as refused:
        client.submit(definition_data(budget={"trials": 0}, seed=-1))
    assert len(str(refused.value).splitlines()) == 2
    for name in ("", ".", "..", "a/b", "Mine", "a\x00b", "a\udcffb"):
        with pytest.raises(Refused) as refused:
            client.study(name)
        assert "\n" not in str(refused.value)
        assert refused.value.status in (404, 422)


def test_the_same_calls_are_awaited(controller: str, database: Database) -> None:
    async def calls() -> None:
        async with AsyncClient(controller, KEY) as client:
            study = await client.submit(definition_data(trials=3))
            await asyncio.to_thread(work, database, studies.get(database, "digits-1"))
            assert (await study.wait(progress=False)).is_over
            best = await study.best
            assert best is not None
            assert best.number in [one.number for one in await study.trials()]
            assert len(await study.to_frame()) == 3
            assert len(await study.curves()) == 3 * EPOCHS * 3
            assert (await study.ranking)[0].rank == 1
            assert await study.front == []
            assert (await (await client.study("digits-1")).state) == "complete"
            assert [one.name for one in await client.studies()] == ["digits-1"]
            assert "digits-1" in study._repr_html_()
            with pytest.raises(Refused, match="no study is named"):
                await client.study("none")

    asyncio.run(calls())


def test_no_key_is_shown(controller: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Client(controller, KEY) as client:
        study = client.submit("quickstart")
        said = f"{client!r} {study!r} {client._connection.controller!r} {vars(study)!r}"
        client._connection.send(Request("GET", "ready"))
    assert KEY not in said + caplog.text
    with Client(controller, "another") as client, pytest.raises(Refused) as refused:
        client.studies()
    assert refused.value.status == 401
    with pytest.raises(ValueError, match=r"^api_key must be printable text"):
        Client(controller, "two\nlines")


def test_where_the_controller_is(controller: str, monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    monkeypatch.setenv("PERNODEDROP_URL", controller + "/")
    monkeypatch.setenv("PERNODEDROP_API_KEY", KEY)
    with Client() as client:
        assert client.url == controller
        assert client.studies() == []
    monkeypatch.setenv("PERNODEDROP_URL", "localhost")
    with pytest.raises(ValueError, match=r"^PERNODEDROP_URL must be an address such as "):
        Client()
    with pytest.raises(ValueError, match=r"^timeout must be"):
        Client(controller, timeout=0)
    with Client(f"http://127.0.0.1:{unused_port}") as client, pytest.raises(Unreachable, match=r"^no controller answ"):
        client.studies()


def test_a_large_answer_and_a_strange_one_are_refused(controller: str) -> None:
    with Client(controller, KEY) as client:
        with pytest.raises(Refused, match="answers with more than 10 bytes"):
            client._connection.send(Request("GET", "schema", most_bytes=10))
        client._connection._http.base_url = httpx.URL(f"{controller}/docs/")
        with pytest.raises(Refused):
            client.studies()


def test_what_a_controller_of_another_release_says() -> None:
    row = dict.fromkeys(RankingRow.__dataclass_fields__) | {
        "rank": 1, "variant": "dropout", "trials": 2, "pruned": 0, "begun": 2, "epochs": 8, "few": False,
    }  # fmt: skip
    assert read(RankingRow, row | {"later": 1}).variant == "dropout"
    for broken in (row | {"rank": "1"}, row | {"rank": True}, {"rank": 1}, [row]):
        with pytest.raises(Malformed):
            read(RankingRow, broken)


def test_a_password_in_the_address_is_sent_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://me:hunter%2222@127.0.0.1:{server.getsockname()[1]}/base"

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                heard.append(connection.recv(4096))
                connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        client = Client(url, "the key")
        with pytest.raises(Refused) as refused:
            client.study("mine")
        thread.join()
    with client, pytest.raises(Unreachable) as away:
        client.study("mine")
    with pytest.raises(ValueError, match="must be an address") as wrong:
        Client(url.replace("http:", "ftp:"))
    assert b"Basic " + base64.b64encode(b'me:hunter"22') in heard[0]
    said = " ".join(map(str, (refused.value, away.value, wrong.value, client, client.url, caplog.text)))
    assert "hunter" not in said
    assert "the key" not in said
