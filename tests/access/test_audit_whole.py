"""The audit is whole: nothing is done without its row and no row is there without its deed, whenever a server dies."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from service.api.app import create_app
from service.api.housekeeping import Housekeeping
from service.api.roles import ROUTES
from service.storage.access import deeds
from service.storage.access.roles import Role
from service.storage.assignments.choosing import assignment_of
from service.storage.assignments.search_trial import SearchTrial
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.runs import claiming
from service.storage.states import RunState
from service.storage.studies import studies
from service.webhooks.allowed import Allowed
from tests.access.conftest import OPERATOR, calling, visiting
from tests.api.configuring import settings_for
from tests.api.fleet import definition_data, work
from tests.api.serving import served

NOTED = {word for takes in ROUTES.values() if (word := takes.deed) is not None}


def words(database: Database) -> list[str]:
    return [one.deed for one in deeds.page(database, None, 1000, 0)[0]][::-1]


@contextmanager
def own_controller(database_url: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A controller in a process of its own, which may be killed."""
    environment = {**os.environ, "DATABASE_URL": database_url, "PERNODEDROP_API_KEY": "only for this test 1"}
    command = [sys.executable, "-m", "service.cli", "controller", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while True:
            assert process.poll() is None, "the controller ended"
            assert time.monotonic() < until, "the controller does not answer"
            try:
                httpx.get(f"http://127.0.0.1:{port}/v1/health")
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def begun(database: Database) -> int:
    """The number of a trial that a worker trains."""
    worker = workers.register(database, "host", 2, "cpu")
    lease = claiming.claim(database, worker, 60)
    assert lease is not None
    assignment = assignment_of(database, lease)
    assert assignment.adopt() is None
    assignment.prepare()
    assert isinstance(assignment, SearchTrial)
    return assignment.number


def killed_at(lock: str, database_url: str, port: int, order: Callable[[httpx.Client], Any]) -> None:
    """Kill the controller while its order waits for the table that is locked so."""
    engine = sa.create_engine(database_url)
    watching = engine.execution_options(isolation_level="AUTOCOMMIT")  # what Postgres counts is kept in a transaction
    with own_controller(database_url, port) as process, engine.connect() as locking, watching.connect() as looking:
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": "only for this test 1"}, timeout=60
        )
        locking.execute(sa.text(f"LOCK TABLE {lock}"))
        table = lock.split(maxsplit=1)[0]

        def give() -> None:
            with pytest.raises(httpx.TransportError):
                order(client)

        giving = threading.Thread(target=give)
        giving.start()
        works = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'")
        waits = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = cast(:table AS regclass)")
        until = time.monotonic() + 30
        while not looking.execute(waits, {"table": table}).scalar_one():
            assert time.monotonic() < until, "nothing waits for the table"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        giving.join()
        locking.rollback()
        while looking.execute(works).scalar_one() > 1:
            assert time.monotonic() < until + 30, "the killed server's transaction does not end"
            time.sleep(0.02)
    engine.dispose()


def test_a_server_killed_before_the_commit_has_done_nothing_and_noted_nothing(
    database: Database, database_url: str, unused_port: int, study: str
) -> None:
    killed_at(
        "fleet.deeds IN EXCLUSIVE MODE", database_url, unused_port, lambda c: c.post(f"/v1/studies/{study}/pause")
    )
    with database.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT state FROM fleet.studies")).scalar_one() == "running"
    assert words(database) == []


def test_a_server_killed_after_the_commit_has_noted_what_it_has_done(
    database: Database, database_url: str, unused_port: int, study: str
) -> None:
    # The answer reads the counts, which the order itself does not touch.
    lock = "fleet.run_counts IN ACCESS EXCLUSIVE MODE"
    killed_at(lock, database_url, unused_port, lambda client: client.post(f"/v1/studies/{study}/pause"))
    with database.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT state FROM fleet.studies")).scalar_one() == "paused"
    assert words(database) == ["pause"]


def test_every_order_that_is_to_be_noted_is_noted_once(database_url: str, database: Database) -> None:
    worker = workers.register(database, "host", 1, "cpu")
    settings = settings_for(database_url, api_key=OPERATOR, webhook_allow=Allowed.parse("127.0.0.1"))
    with served(create_app(settings)) as address, calling(address, OPERATOR) as operator:

        def give(method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
            response = operator.request(method, f"/v1/{path}", json=body)
            assert response.is_success, response.text
            return response.json() if response.content else None

        one = "studies/digits-1"
        give("POST", "studies", definition_data())
        give("PATCH", one, {"priority": 3})
        give("POST", f"{one}/extend", {"trials": 2})
        run = give("POST", f"{one}/trials", {"params": {"drop_rate": 0.2}, "outside": True})
        give("POST", f"{one}/runs/{run['run']}/withdraw")
        work(database, studies.get(database, "digits-1"), {0: RunState.FAILED}, limit=3)
        give("POST", f"{one}/trials/{begun(database)}/cancel")
        give("POST", f"{one}/retry", {})
        give("POST", f"{one}/pause")
        give("POST", f"{one}/resume")
        give("POST", f"{one}/confirmation", {})
        share = give("POST", f"{one}/shares", {"lasts_s": 60})["id"]
        give("POST", f"{one}/shares/{share}/revoke")
        give("POST", f"workers/{worker}/drain")
        give("POST", f"{one}/stop")
        give("DELETE", one)
        give("POST", "keys", {"name": "alice", "role": "read"})
        give("POST", "keys/alice/rotate", {})
        give("POST", "keys/alice/revoke")
        hook = give("POST", "webhooks", {"url": "http://127.0.0.1:9/a/secret?key=secret"})["id"]
        give("POST", f"webhooks/{hook}/test")
        with database.engine.begin() as connection:
            connection.execute(sa.text("UPDATE fleet.webhook_deliveries SET state = 'dead'"))
        give("POST", f"webhooks/{hook}/retry")
        give("DELETE", f"webhooks/{hook}")
        details = [one["detail"] for one in operator.get("/v1/audit").json()["deeds"]]
    noted = words(database)
    assert sorted(noted) == sorted(set(noted))
    assert set(noted) == NOTED
    assert '{"url": "http://127.0.0.1:9/..."}' in details
    assert not any("secret" in one for one in details)


def test_an_order_that_changes_nothing_says_so_and_is_not_noted(database_url: str, database: Database) -> None:
    worker = workers.register(database, "host", 1, "cpu")
    settings = settings_for(database_url, api_key=OPERATOR, webhook_allow=Allowed.parse("127.0.0.1"))
    with served(create_app(settings)) as address, calling(address, OPERATOR) as operator:

        def changes(method: str, path: str, body: Mapping[str, Any] | None = None) -> bool:
            response = operator.request(method, f"/v1/{path}", json=body)
            assert response.is_success, response.text
            return response.headers.get("X-Changed") != "no"

        one = "studies/digits-1"
        assert changes("POST", "studies", definition_data())
        number = begun(database)
        share = operator.post(f"/v1/{one}/shares", json={"lasts_s": 60}).json()["id"]
        assert changes("POST", "keys", {"name": "alice", "role": "read"})
        for method, path, body in (
            ("PATCH", one, {"priority": 3, "tags": ["paper"], "note": "x"}),
            ("POST", f"{one}/pause", None),
            ("POST", f"{one}/resume", None),
            ("POST", f"{one}/trials/{number}/cancel", None),
            ("POST", f"{one}/shares/{share}/revoke", None),
            ("POST", f"workers/{worker}/drain", None),
            ("POST", "keys/alice/revoke", None),
            ("POST", f"{one}/stop", None),
        ):
            before = len(words(database))
            assert [changes(method, path, body) for _ in range(2)] == [True, False], path
            assert len(words(database)) == before + 1, path
        hook = operator.post("/v1/webhooks", json={"url": "http://127.0.0.1:9/"}).json()["id"]
        before = words(database)
        assert not changes("POST", f"webhooks/{hook}/retry")
        assert changes("POST", "studies/check", definition_data(name="digits-2"))
    assert words(database) == before


def test_what_cannot_be_noted_is_not_done(address: str, database: Database, study: str, superuser_url: str) -> None:
    engine = sa.create_engine(superuser_url)
    with engine.begin() as connection:
        connection.execute(sa.text("REVOKE INSERT ON fleet.deeds FROM pernodedrop"))
    engine.dispose()
    with calling(address, OPERATOR) as operator:
        refused = operator.post(f"/v1/studies/{study}/pause")
        assert refused.status_code == 503
        assert operator.get(f"/v1/studies/{study}").json()["state"] == "running"


def test_an_order_on_a_page_names_its_run(pages: str, database: Database, secrets: dict[Role, str], study: str) -> None:
    began = begun(database)
    with visiting(pages, secrets[Role.SUBMIT]) as visitor:
        order = f"/studies/{study}/trials/{began}/orders/cancel"
        token = re.search(r'name="token"[^>]*value="([^"]+)"', visitor.get(order).text)
        assert token is not None
        assert visitor.post(order, data={"token": token[1]}).status_code == 303
    (one,), _ = deeds.page(database, study, 10, 0)
    assert (one.caller, one.deed, one.detail) == ("submiter", "cancel", f'{{"number": "{began}"}}')


def test_old_rows_are_forgotten_in_batches_and_young_ones_are_kept(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO fleet.deeds (at, caller, deed, detail) "
                "SELECT now() - n * interval '1 hour', 'x', 'pause', '' FROM generate_series(1500, 1, -1) n"
            )
        )
    a_day = timedelta(hours=24, minutes=1)
    assert deeds.forget(database, a_day)
    assert not deeds.forget(database, a_day)
    assert deeds.page(database, None, 1, 0)[1] == 24
    with Housekeeping(database, timedelta(0)):
        pass  # for ever: nothing is forgotten
    assert deeds.page(database, None, 1, 0)[1] == 24
