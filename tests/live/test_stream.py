"""What an open page learns of a study, over HTTP, from the real database."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from search_spaces import parse_definition
from service.dashboard import create_app
from service.dashboard.study.live import watcher
from service.storage.access import keys
from service.storage.access.roles import Role
from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.storage.states import RunState
from service.storage.studies import studies
from tests.api.configuring import settings_for
from tests.api.fleet import definition_data, work
from tests.api.serving import served
from tests.browser.forms import value_of
from tests.live.listening import Page, page
from tests.live.stepping import Stepper

KEY = "a key of the dashboard that is long enough"


@pytest.fixture
def study(database: Database) -> StudyRecord:
    return studies.create(database, parse_definition(definition_data(trials=3)))


def test_a_page_learns_of_each_epoch_and_of_the_end(database: Database, dashboard: str, study: StudyRecord) -> None:
    with page(dashboard, study.name) as opened:
        opened.until(lambda page: "state" in page.kinds)
        assert opened.state["study"]["counts"]["waiting"] == 3
        assert opened.state["ending"] == {"why": "no worker is alive, so nothing is trained"}
        worker = Stepper(database, study)
        run = worker.begin().run_id
        opened.until(lambda page: page.state.get(f"run:{run}", {}).get("number") == 0)
        card = opened.state[f"run:{run}"]
        assert (card["epochs"], card["worker"], card["device"]) == (4, "node-1:4711", "cpu")
        for epoch, loss in ((1, 0.9), (2, 0.7)):
            worker.epoch(epoch, loss)
            opened.until(lambda page, point=[0, epoch, loss]: point in page.state.get(f"curve:{run}", ()))
        assert opened.state[f"curve:{run}"] == [[0, 1, 0.9], [0, 2, 0.7]]
        assert opened.state[f"at:{run}"] == [2, 0.5]
        assert "at" in opened.state["ending"]
        worker.end(RunState.COMPLETE, 0.7)
        opened.until(lambda page: page.state["study"]["best"] is not None)
        assert opened.state["study"]["best"]["value"] == 0.7
        assert f"run:{run}" not in opened.state
        assert [one["text"] for one in opened.state["happened"]] == ["trial 0 is complete: val_loss 0.7"]
        assert opened.kinds.count("state") == 1


def test_ends_of_every_kind_are_told(database: Database, dashboard: str, study: StudyRecord) -> None:
    with page(dashboard, study.name) as opened:
        worker = Stepper(database, study)
        worker.begin()
        worker.epoch(1, 0.8)
        worker.end(RunState.PRUNED)
        worker.begin()
        worker.end(RunState.FAILED, reason="training loss became nan")
        worker.begin(seconds=0.2)  # and is never heard of again
        heir = Stepper(database, study, "node-2", 5)
        time.sleep(0.5)
        heir.begin()
        opened.until(lambda page: len(page.state.get("happened", ())) == 3)
        assert [one["text"] for one in opened.state["happened"]] == [
            "trial 2 was lost by node-1:4711; node-2:5 has taken it over",
            "trial 1 failed: training loss became nan",
            "trial 0 was pruned after epoch 1",
        ]


def test_a_page_that_comes_back_gets_what_it_has_missed(database: Database, dashboard: str, study: StudyRecord) -> None:
    worker = Stepper(database, study)
    run = worker.begin().run_id
    with page(dashboard, study.name) as first:
        worker.epoch(1, 0.9)
        first.until(lambda page: f"curve:{run}" in page.state and page.state[f"curve:{run}"])
    with page(dashboard, study.name) as watching:  # the study is followed meanwhile
        watching.until(lambda page: "state" in page.kinds)
        worker.epoch(2, 0.8)
        watching.until(lambda page: len(page.state[f"curve:{run}"]) == 2)
        with page(dashboard, study.name, after=first.last) as again:
            again.state = first.state
            again.until(lambda page: page.last == watching.last)
            assert again.state == watching.state
            assert "state" not in again.kinds
        with page(dashboard, study.name, after="another-1") as stranger:
            stranger.until(lambda page: page.last != "")
            assert stranger.kinds[1] == "state"


def test_a_training_that_begins_anew_loses_its_curve(database: Database, dashboard: str, study: StudyRecord) -> None:
    worker = Stepper(database, study)
    lease = worker.begin(seconds=0.2)
    with page(dashboard, study.name) as opened:
        for epoch in (1, 2):
            worker.epoch(epoch, 0.9 / epoch)
        opened.until(lambda page: len(page.state.get(f"curve:{lease.run_id}", ())) == 2)
        time.sleep(0.3)
        heir = Stepper(database, study, "node-2", 5)
        assert heir.begin().run_id == lease.run_id
        for epoch in (1, 2, 3):
            heir.epoch(epoch, 0.6 / epoch)
        opened.until(lambda page: len(page.state.get(f"curve:{lease.run_id}", ())) == 3)
        assert opened.state[f"curve:{lease.run_id}"] == [[0, epoch, 0.6 / epoch] for epoch in (1, 2, 3)]
        assert opened.state[f"run:{lease.run_id}"]["worker"] == "node-2:5"


def test_a_confirmation_shows_its_configurations(database: Database, dashboard: str) -> None:
    definition = parse_definition(definition_data(trials=4, confirmation={"top": 1, "repeats": 2}))
    study = studies.create(database, definition)
    work(database, study, limit=5)
    with page(dashboard, study.name) as opened:
        opened.until(lambda page: bool(page.state.get("confirmed")))
        one = opened.state["confirmed"][0]
        assert (one["seeds"], one["standing"], one["metric"]) == (2, "left", "test_loss")
        assert one["mean"] is not None


def test_a_configuration_whose_run_failed_is_not_said_to_be_dropped(database: Database, dashboard: str) -> None:
    """It says which run failed and why; `dropped` and `diverged` are a look's words."""
    asked = {"top": 1, "repeats": 2, "until": "decided", "most_repeats": 9}
    study = studies.create(database, parse_definition(definition_data(trials=8, confirmation=asked)))
    work(database, study, limit=8)
    change = "UPDATE fleet.runs SET state = {} WHERE stage = 'confirmation' AND ordinal = {}"
    with database.engine.begin() as connection:
        first = connection.execute(sa.text("SELECT min(ordinal) FROM fleet.runs WHERE stage = 'confirmation'")).scalar()
        assert first is not None
        connection.execute(sa.text(change.format("'failed', reason = '<b>disk</b> is full'", first)))
        connection.execute(sa.text(change.format("'complete', values = '{0.5}'", first + 1)))
        connection.execute(sa.text(change.format("'complete', values = '{nan}'", first + 2)))
        look = """INSERT INTO fleet.looks (study_id, seeds, rule, runs, kept)
            SELECT :study, 2, 'sequential', max(ordinal) + 1, ARRAY[-1] FROM fleet.runs WHERE study_id = :study"""
        connection.execute(sa.text(look), {"study": study.id})
    with page(dashboard, study.name) as opened:
        opened.until(lambda page: len(page.state.get("confirmed", ())) > 2)
        found = opened.state["confirmed"]
    assert [one["standing"] for one in found][:3] == ["failed", "dropped", "diverged"]
    address = "studies/digits-1/confirmation/0"
    assert found[0]["lost"] == {"address": address, "reason": "<b>disk</b> is full"}
    assert found[1]["lost"] is None
    shown = httpx.get(f"{dashboard}/studies/digits-1", timeout=60).text
    assert f'<a href="{address}">failed</a>: &lt;b&gt;disk&lt;/b&gt; is full' in shown
    assert httpx.get(f"{dashboard}/{address}", timeout=60).status_code == 200


def test_means_of_validation_are_not_called_tested(database: Database, dashboard: str) -> None:
    definition = parse_definition(definition_data(trials=4, confirmation={"top": 1, "repeats": 2}))
    work(database, studies.create(database, definition), limit=5)
    with database.engine.begin() as connection:
        facts = """'{"confirmed_on": "validation (the task has no test split)"}'"""
        connection.execute(sa.text(f"UPDATE fleet.runs SET facts = {facts} WHERE stage = 'confirmation'"))
    with page(dashboard, definition.name) as opened:
        opened.until(lambda page: bool(page.state.get("confirmed")))
        assert {one["metric"] for one in opened.state["confirmed"]} == {"val_loss"}


def test_a_deleted_study_ends_its_pages(database: Database, dashboard: str, study: StudyRecord) -> None:
    with page(dashboard, study.name) as opened:
        opened.until(lambda page: "state" in page.kinds)
        studies.delete(database, study.name)
        studies.create(database, parse_definition(definition_data(trials=3)))  # of the same name
        opened.until(lambda page: page.ended is not None)
        assert opened.ended == "deleted"
        assert opened.next() == ""
    with page(dashboard, study.name) as new:
        new.until(lambda page: "state" in page.kinds)
        assert new.state["study"]["counts"]["waiting"] == 3
    studies.delete(database, study.name)
    # Whoever comes before the watcher has looked again gets a stream that ends.
    address = f"{dashboard}/studies/{study.name}/events"
    assert [httpx.get(address, trust_env=False).status_code for _ in range(4)][-1] == 404


def test_a_logout_ends_the_pages_of_its_session(database_url: str, study: StudyRecord) -> None:
    with served(create_app(settings_for(database_url, api_key=KEY))) as address:
        entered = httpx.post(f"{address}/login", data={"key": KEY}, trust_env=False)
        cookies = {"Cookie": entered.headers["set-cookie"].partition(";")[0]}
        assert httpx.get(f"{address}/studies/{study.name}/events", trust_env=False).status_code == 401
        with page(address, study.name, headers=cookies) as opened:
            opened.until(lambda page: "state" in page.kinds)
            shown = httpx.get(f"{address}/fleet", headers=cookies, trust_env=False).text
            token = {"token": value_of("token", shown)}
            left = httpx.post(f"{address}/logout", headers=cookies, data=token, trust_env=False)
            assert left.status_code == 303
            opened.until(lambda page: page.ended is not None)
            assert opened.ended == "logged out"


def test_open_pages_do_not_hold_up_the_end_of_the_server(database_url: str, study: StudyRecord) -> None:
    seen: list[Page] = []
    ready = threading.Event()

    def watch(address: str) -> None:
        with page(address, study.name) as opened:
            opened.until(lambda page: "state" in page.kinds)
            seen.append(opened)
            ready.set()
            opened.until(lambda page: page.ended is not None)
            assert opened.next() == ""

    with served(create_app(settings_for(database_url))) as address:
        thread = threading.Thread(target=watch, args=(address,))
        thread.start()
        assert ready.wait(60)
    thread.join(60)
    assert seen[0].ended == "leaving"


def test_a_database_that_goes_away_is_said_and_survived(
    database: Database, dashboard: str, study: StudyRecord, superuser_url: str
) -> None:
    name = sa.make_url(superuser_url).database
    owner = sa.create_engine(sa.make_url(superuser_url).set(database="postgres"), isolation_level="AUTOCOMMIT")
    with page(dashboard, study.name) as opened, owner.connect() as connection:
        opened.until(lambda page: "state" in page.kinds)
        connection.execute(sa.text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        connection.execute(
            sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
        )
        opened.until(lambda page: "away" in page.state)
        assert opened.state["study"]["counts"]["waiting"] == 3
        connection.execute(sa.text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
        opened.until(lambda page: "away" not in page.state)
        Stepper(database, study).begin()
        opened.until(lambda page: page.state["study"]["counts"]["running"] == 1)
    owner.dispose()


def test_a_page_without_scripts_shows_where_the_study_stands(
    database: Database, dashboard: str, study: StudyRecord
) -> None:
    worker = Stepper(database, study)
    worker.begin()
    worker.epoch(1, 0.25)
    shown = httpx.get(f"{dashboard}/studies/{study.name}", trust_env=False).text
    live = shown[shown.index('id="live"') : shown.index('id="report"')]
    for wanted in ("0 of 3 trials, 1 running", "1 of 4", "0.25", "node-1:4711", "runs no scripts"):
        assert wanted in live


def test_the_epochs_that_are_spent_are_shown_where_they_are_budgeted(database: Database, dashboard: str) -> None:
    definition = definition_data(trials=3) | {"budget": {"trials": 3, "epochs": 9}}
    worker = Stepper(database, studies.create(database, parse_definition(definition)))
    worker.begin()
    name = definition["name"]
    shown = httpx.get(f"{dashboard}/studies/{name}", trust_env=False).text
    assert "<dt>Epochs taken</dt><dd>4 of 9</dd>" in shown
    assert "<dt>Epochs taken</dt><dd>4 of 9</dd>" in httpx.get(f"{dashboard}/studies", trust_env=False).text
    with page(dashboard, name) as opened:
        opened.until(lambda page: "study" in page.state)
        assert opened.state["study"]["epochs"] == [4, 9]


def test_one_key_cannot_take_the_streams_of_all(
    database: Database, database_url: str, study: StudyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "most_connections", lambda: 3 * watcher.ONE_IN_OF)
    greedy, other = (
        keys.create(database, name, Role.READ, by="tests", has_admin=True)[1] for name in ("greedy", "other")
    )
    with served(create_app(settings_for(database_url))) as address, ExitStack() as opened:

        def visitor(key: str) -> httpx.Client:
            client = opened.enter_context(httpx.Client(base_url=address, timeout=60, trust_env=False))
            assert client.post("/login", data={"key": key}).status_code == 303
            return client

        def stream(client: httpx.Client) -> int:
            request = client.build_request("GET", f"/studies/{study.name}/events")
            answer = client.send(request, stream=True)
            opened.callback(answer.close)
            return answer.status_code

        one = visitor(greedy)
        with ThreadPoolExecutor(10) as at_once:
            found = list(at_once.map(lambda _: stream(one), range(10)))
        assert sorted(found) == [200] * 9 + [503]  # of 12 places, until a quarter is left
        assert stream(visitor(other)) == 200


def test_a_head_request_does_not_last(dashboard: str, study: StudyRecord) -> None:
    answer: Any = httpx.head(f"{dashboard}/studies/{study.name}/events", trust_env=False)
    assert (answer.status_code, answer.content) == (200, b"")
