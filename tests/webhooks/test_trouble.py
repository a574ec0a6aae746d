"""Receivers that are away, slow, hostile or gone, and controllers that die: one id, and nobody is held up."""

import multiprocessing
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
import pytest

from service.api.app import create_app
from service.settings import Settings
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.studies import studies
from service.storage.webhooks import events, outbox, webhooks
from service.storage.webhooks.kinds import Event
from service.webhooks import courier, sending
from service.webhooks.courier import WAITS, Courier, wait_after
from tests.api.fleet import definition_data, work
from tests.api.serving import served
from tests.storage.conftest import make_definition
from tests.storage.queueing import execute
from tests.webhooks.conftest import LOOPBACK, added, last, until
from tests.webhooks.receiving import Receiver, receiver, status


def due_now(db: Database) -> None:
    """Let the time to the next try have passed."""
    execute(db, "UPDATE fleet.webhook_deliveries SET next_at = now() WHERE state = 'waiting'")


def finish_a_study(api: httpx.Client, db: Database) -> None:
    api.post("/v1/studies", json=definition_data(trials=1))
    work(db, studies.get(db, "digits-1"))


def test_an_outage_costs_tries_and_no_second_id(api: httpx.Client, db: Database, here: Receiver) -> None:
    here.answer = status(503, b"down\x1b[2J for a while")
    added(api, here.url)
    finish_a_study(api, db)
    until(lambda: last(api)["status"] == 503)
    waiting = last(api)
    assert (waiting["state"], waiting["tries"]) == ("waiting", 1)
    assert waiting["error"].startswith("status 503: down")
    here.answer = status(200)
    due_now(db)
    until(lambda: last(api)["state"] == "delivered")
    assert len(here.received) == 2
    assert len({one.id for one in here.received}) == 1
    assert len({one.body for one in here.received}) == 1


def test_a_redirect_is_not_followed(api: httpx.Client, db: Database, here: Receiver) -> None:
    with receiver() as elsewhere:
        here.answer = status(307, Location=elsewhere.url)
        added(api, here.url)
        api.post("/v1/webhooks/1/test")
        until(lambda: last(api)["state"] == "dead")  # a test is tried once
        assert "which is not followed" in last(api)["error"]
        assert elsewhere.received == []


def test_what_is_given_up_is_tried_anew_when_somebody_asks(api: httpx.Client, db: Database, here: Receiver) -> None:
    here.answer = status(410)
    added(api, here.url)
    finish_a_study(api, db)
    until(lambda: last(api)["state"] == "dead")
    assert api.get("/v1/webhooks").json()["webhooks"][0]["dead"] == 1
    here.answer = status(204)
    assert api.post("/v1/webhooks/1/retry").json() == {"retried": 1}
    until(lambda: last(api)["state"] == "delivered")
    assert len({one.id for one in here.received}) == 1
    assert api.post("/v1/webhooks/9/retry").status_code == 404


def drips(handler: BaseHTTPRequestHandler) -> None:
    """An answer that never ends, a letter at a time."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.05)


def test_a_receiver_that_drips_or_says_too_much_is_left(here: Receiver) -> None:
    here.answer = drips
    left = sending.send(here.url, {}, b"{}", LOOPBACK, total_s=1.0)
    assert (left.status, left.error) == (
        None,
        "no answer within 1 s: the receiver should answer first and work afterwards",
    )
    here.answer = status(500, b"x" * 10_000_000)
    said = sending.send(here.url, {}, b"{}", LOOPBACK)
    assert (said.status, len(str(said.error)) < 300) == (500, True)
    here.answer = status(503, Retry_After="7200")
    assert sending.send(here.url, {}, b"{}", LOOPBACK).wait_s == 3600


def test_a_dead_receiver_holds_up_nobody(api: httpx.Client, db: Database, here: Receiver) -> None:
    hold = threading.Event()
    with receiver(lambda _: hold.wait(30) and None) as stuck:
        added(api, stuck.url)
        added(api, here.url)
        finish_a_study(api, db)
        until(lambda: here.received and stuck.received)
        api.post("/v1/webhooks/2/test")
        until(lambda: len(here.received) == 2)
        assert len(stuck.received) == 1
        hold.set()


def test_the_tries_take_about_a_day() -> None:
    assert 20 * 3600 < sum(WAITS) < 30 * 3600
    drawn = [wait_after(1, Event.COMPLETE) for _ in range(50)]
    assert len(set(drawn)) > 1
    assert all(wait is not None and 4 <= wait <= 6 for wait in drawn)
    assert wait_after(len(WAITS) + 1, Event.COMPLETE) is None
    assert wait_after(1, Event.TEST) is None
    assert wait_after(1, Event.COMPLETE, wanted=100.0) == 100.0


def test_two_controllers_deliver_each_event_once(
    api: httpx.Client, settings: Settings, db: Database, here: Receiver
) -> None:
    added(api, here.url)
    with served(create_app(settings)):
        for number in range(4):
            api.post("/v1/studies", json=definition_data(f"s-{number}", trials=1))
            work(db, studies.get(db, f"s-{number}"))
        until(lambda: api.get("/v1/webhooks").json()["webhooks"][0]["delivered"] == 4)
    assert sorted(one.said["study"] for one in here.received) == [f"s-{number}" for number in range(4)]


def _deliver(settings: Settings) -> None:
    """A controller's courier, in a process that is killed."""
    with Database.open(settings.require_database()) as db, Courier(db, settings, lease_s=20.0):
        time.sleep(600)


def test_a_controller_that_is_killed_before_it_notes_leaves_one_id_twice(
    settings: Settings, db: Database, here: Receiver
) -> None:
    webhooks.add(db, here.url, [Event.COMPLETE])
    killed: list[int] = []

    def kills(handler: BaseHTTPRequestHandler) -> None:
        """The sender dies when its message has arrived, and before it hears of that."""
        if not killed:
            assert process.pid is not None
            killed.append(process.pid)
            os.kill(process.pid, signal.SIGKILL)
        status(204)(handler)

    here.answer = kills
    process = multiprocessing.get_context("spawn").Process(target=_deliver, args=(settings,))
    process.start()
    study = studies.create(db, make_definition("s", trials=1))
    execute(db, f"UPDATE fleet.runs SET state = 'complete' WHERE study_id = {study.id}")
    execute(db, f"UPDATE fleet.studies SET finished_at = now() WHERE id = {study.id}")
    until(lambda: killed, 200)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    execute(db, "UPDATE fleet.webhook_deliveries SET lease_until = now()")  # its time is over
    with Courier(db, settings):
        until(lambda: [one.delivered for one in webhooks.every(db)] == [1])
    assert len(here.received) == 2
    assert len({one.id for one in here.received}) == 1


def test_a_message_that_was_taken_over_is_noted_by_its_last_taker_alone(db: Database, here: Receiver) -> None:
    made, _ = webhooks.add(db, here.url, [Event.COMPLETE])
    webhooks.test(db, made.id)
    [first] = outbox.take(db, 10, 60)
    assert outbox.take(db, 10, 60) == []
    execute(db, "UPDATE fleet.webhook_deliveries SET lease_until = now()")
    [second] = outbox.take(db, 10, 60)
    assert (second.id, second.take) == (first.id, first.take + 1)
    outbox.note_failed(db, first, None, "late", None)
    assert webhooks.delivery(db, made.id, first.id).state == "waiting"
    outbox.note_delivered(db, second, 200)
    assert webhooks.delivery(db, made.id, first.id).state == "delivered"


def test_a_database_that_was_set_back_gives_the_same_event_the_same_id(db: Database) -> None:
    study = studies.create(db, make_definition("s", trials=1))

    def ended() -> list[Any]:
        execute(db, f"UPDATE fleet.studies SET finished_at = now() WHERE id = {study.id}")
        with db.engine.connect() as connection:
            return list(connection.exec_driver_sql("SELECT id FROM fleet.webhook_events ORDER BY occasion").scalars())

    first = ended()
    assert ended() == first  # it is no second end
    execute(db, f"UPDATE fleet.studies SET finished_at = NULL WHERE id = {study.id}")
    execute(db, "DELETE FROM fleet.webhook_events")  # as in a dump of before
    assert ended() == first


@pytest.mark.wide  # it waits until the server has run for a minute
def test_nobody_at_work_is_told_once_until_somebody_has_been(
    settings: Settings, db: Database, here: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "LOOK_S", 0.1)
    webhooks.add(db, here.url, [Event.NO_WORKER], "wait*")
    execute(db, "SELECT pg_sleep(greatest(0, 61 - extract(epoch FROM now() - pg_postmaster_start_time())))")
    studies.create(db, make_definition("waits", trials=2))
    assert events.is_silent(db)
    with Courier(db, settings, silence_s=0.3):
        until(lambda: len(here.received) == 1)
        assert here.received[0].said["text"] == "no worker is alive, and trials of 1 study wait"
        worker = workers.register(db, "host", 1, "cpu")
        assert not events.is_silent(db)
        execute(db, f"UPDATE fleet.workers SET seen_at = now() - interval '5 minutes' WHERE id = '{worker}'")
        until(lambda: len(here.received) == 2)
        studies.set_state(db, "waits", "paused")
        assert not events.is_silent(db)
    assert len({one.id for one in here.received}) == 2
