"""Receivers are told what happens to studies, signed, and once for each occasion."""

import json
from datetime import UTC, datetime

import httpx
import pytest

from service.storage.database.database import Database
from service.storage.states import RunState
from service.storage.studies import studies
from service.storage.webhooks.kinds import Event
from service.storage.webhooks.records import Message
from service.webhooks.messages import body_of
from tests.api.configuring import NO_DATABASE, settings_for
from tests.api.fleet import definition_data, work
from tests.webhooks.conftest import added, last, until
from tests.webhooks.receiving import Receiver


def kinds(here: Receiver) -> list[tuple[str, str | None]]:
    return [(one.said["type"], one.said["study"]) for one in here.received]


def test_a_complete_study_is_told_signed(api: httpx.Client, db: Database, here: Receiver) -> None:
    hook = added(api, here.url)
    api.post("/v1/studies", json=definition_data(trials=2))
    work(db, studies.get(db, "digits-1"))
    until(lambda: last(api)["state"] == "delivered")
    [told] = here.received
    assert told.is_signed_with(hook["secret"])
    assert not told.is_signed_with(added(api, here.url)["secret"])
    assert (told.path, told.headers["content-type"]) == ("/hook", "application/json")
    assert told.headers["host"] in here.url
    said = told.said
    assert (said["id"], said["type"], said["study"]) == (told.id, "complete", "digits-1")
    assert said["text"] == "study digits-1 is complete: 2 complete"
    assert said["data"] == {"trials": {"complete": 2, "pruned": 0, "failed": 0, "cancelled": 0}}
    assert said["links"]["dashboard"].endswith("/studies/digits-1")
    assert said["timestamp"].endswith("Z")
    delivery = last(api)
    assert (delivery["id"], delivery["tries"], delivery["status"], delivery["error"]) == (told.id, 1, 204, None)
    assert "secret" not in api.get("/v1/webhooks").json()["webhooks"][0]


def test_each_occasion_has_an_id_of_its_own(api: httpx.Client, db: Database, here: Receiver) -> None:
    added(api, here.url)
    api.post("/v1/studies", json=definition_data(trials=1))
    work(db, studies.get(db, "digits-1"))
    api.post("/v1/studies/digits-1/extend", json={"trials": 1})
    work(db, studies.get(db, "digits-1"))
    until(lambda: len(here.received) == 2)
    assert kinds(here) == [("complete", "digits-1")] * 2
    assert len({one.id for one in here.received}) == 2


def test_failures_pauses_and_verdicts_are_told(api: httpx.Client, db: Database, here: Receiver) -> None:
    added(api, here.url)
    alike = dict.fromkeys(range(5), RunState.FAILED)
    api.post("/v1/studies", json=definition_data("pausing", trials=5))
    work(db, studies.get(db, "pausing"), alike, limit=3)
    until(lambda: kinds(here) == [("paused", "pausing")])
    assert "3 trials in a row failed alike" in here.received[0].said["data"]["reason"]
    api.post("/v1/studies/pausing/resume")
    work(db, studies.get(db, "pausing"), alike)
    until(lambda: kinds(here)[1:] == [("failed", "pausing")])
    assert here.received[1].said["text"] == (
        "study pausing has failed, no trial is complete (5 failed): training loss became nan"
    )
    confirmation = {"until": "decided", "repeats": 2, "most_repeats": 4, "top": 1}
    api.post("/v1/studies", json=definition_data("deciding", trials=4, confirmation=confirmation))
    work(db, studies.get(db, "deciding"))
    until(lambda: len(here.received) == 4)
    assert sorted(kinds(here)[2:]) == [("complete", "deciding"), ("decided", "deciding")]
    decided = next(one.said for one in here.received if one.said["type"] == "decided")
    verdict = studies.get(db, "deciding").decision
    assert verdict is not None
    assert decided["data"] == {"outcome": verdict["outcome"], "seeds": verdict["seeds"]}


EVIL = "<!channel> <https://evil.example|here> [here](https://evil.example) @everyone <at>all</at>\u202e\x1b[2J"
INERT = r"‹!channel› ‹https://evil.example|here› [here] (https://evil.example) ＠everyone ‹at›all‹/at›\u202e\x1b[2J"


@pytest.mark.parametrize(
    ("kind", "begins"),
    [
        (Event.FAILED, "study mine has failed, no trial is complete (it had no trial): "),
        (Event.PAUSED, "study mine has paused itself: "),
    ],
)
def test_a_reason_mentions_nobody_in_a_chat_room(kind: Event, begins: str) -> None:
    at = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
    message = Message(1, "https://hooks.example", "whsec_", "evt_1", kind, "mine", {"reason": EVIL}, at, 1, 1)
    said = json.loads(body_of(message, settings_for(NO_DATABASE)))
    assert said["text"] == begins + INERT
    assert said["data"]["reason"] == EVIL


def test_a_study_that_somebody_stops_or_deletes_is_told_of_to_nobody(
    api: httpx.Client, db: Database, here: Receiver
) -> None:
    added(api, here.url)
    for name in ("stopped", "deleted"):
        api.post("/v1/studies", json=definition_data(name, trials=2))
    work(db, studies.get(db, "stopped"), limit=1)
    api.post("/v1/studies/stopped/stop")
    api.delete("/v1/studies/deleted")
    api.post("/v1/webhooks/1/test")
    until(lambda: last(api)["state"] == "delivered")
    assert kinds(here) == [("test", None)]


@pytest.mark.parametrize(
    ("studies_of", "told"), [("a_*", ["a_1"]), ("*", ["a_1", "ab1"]), ("a?1", ["a_1", "ab1"]), ("b*", [])]
)
def test_a_webhook_is_told_of_the_studies_and_the_events_that_it_names(
    api: httpx.Client, db: Database, here: Receiver, studies_of: str, told: list[str]
) -> None:
    added(api, here.url, studies=studies_of)
    added(api, here.url + "/failures", events=["failed"])
    for name in ("a_1", "ab1"):
        api.post("/v1/studies", json=definition_data(name, trials=1))
        work(db, studies.get(db, name))
    api.post("/v1/webhooks/2/test")
    until(lambda: any(one.said["type"] == "test" for one in here.received))
    until(lambda: len(here.received) == len(told) + 1)
    assert sorted(one.said["study"] for one in here.received if one.path == "/hook") == told


def test_what_was_told_is_kept_though_the_study_is_deleted_at_once(
    api: httpx.Client, db: Database, here: Receiver
) -> None:
    added(api, here.url)
    api.post("/v1/studies", json=definition_data(trials=1))
    work(db, studies.get(db, "digits-1"))
    api.delete("/v1/studies/digits-1")
    until(lambda: kinds(here) == [("complete", "digits-1")])
