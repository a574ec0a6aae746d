"""Many requests at once: submissions wait their turn, nobody else waits for them, and busy is said as busy."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from service.api.app import CREATIONS, DATABASE_CONNECTIONS, create_app
from service.storage.database.database import Database
from service.web.lanes import Busy, Lane
from tests.api.configuring import settings_for
from tests.api.fleet import definition_data
from tests.api.serving import served

AT_ONCE = 50


@pytest.fixture
def busy_api(database_url: str) -> Iterator[tuple[httpx.Client, Any]]:
    """A controller's client and its application."""
    app = create_app(settings_for(database_url))
    limits = httpx.Limits(max_connections=None)
    with served(app) as address, httpx.Client(base_url=address, timeout=60, limits=limits) as client:
        yield client, app


def test_fifty_submissions_at_once_are_all_created(busy_api: tuple[httpx.Client, Any]) -> None:
    client, _ = busy_api
    names = [f"digits-{number}" for number in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda name: client.post("/v1/studies", json=definition_data(name)), names))
    assert [answer.status_code for answer in answers] == [201] * AT_ONCE
    assert client.get("/v1/studies").json()["total"] == AT_ONCE


def test_submissions_that_wait_keep_nobody_else_waiting(busy_api: tuple[httpx.Client, Any], database_url: str) -> None:
    client, _ = busy_api
    with ThreadPoolExecutor(AT_ONCE) as pool, Database.open(database_url) as database:
        with database.engine.begin() as holder:
            holder.execute(sa.text("LOCK TABLE fleet.studies IN EXCLUSIVE MODE"))  # nobody can create, all can read
            waiting = [
                pool.submit(client.post, "/v1/studies", json=definition_data(f"digits-{number}"))
                for number in range(AT_ONCE)
            ]
            for _ in range(20):
                assert client.get("/v1/ready").status_code == 200
                assert client.get("/v1/studies").json()["total"] == 0
            assert not any(one.done() for one in waiting)
        assert {one.result().status_code for one in waiting} == {201}


def test_readiness_needs_no_connection_that_others_hold(busy_api: tuple[httpx.Client, Any]) -> None:
    client, app = busy_api
    pool = app.state.database.engine.pool
    pool._timeout = 0.2
    with ExitStack() as stack:
        for _ in range(DATABASE_CONNECTIONS + 2):
            stack.enter_context(app.state.database.engine.connect())
        refused = client.get("/v1/studies")
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "5"
        assert refused.json()["error"] == "busy"
        assert "does not answer" not in refused.json()["message"]
        assert client.get("/v1/ready").status_code == 200
        assert client.post("/v1/studies", json=definition_data()).status_code == 201


def test_too_many_submissions_are_refused_before_anything_is_done(busy_api: tuple[httpx.Client, Any]) -> None:
    client, app = busy_api
    released, begun = threading.Event(), threading.Semaphore(0)

    def create(_: Database, definition: Any) -> Any:
        begun.release()
        assert released.wait(30)
        raise Busy("this one was only to wait")

    lane = app.state.creations.lane
    assert isinstance(lane, Lane)
    lane._room = 3
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(20) as pool:
        patch.setattr("service.api.studies.studies.create", create)
        running = [
            pool.submit(client.post, "/v1/studies", json=definition_data(f"running-{n}")) for n in range(CREATIONS)
        ]
        assert all(begun.acquire(timeout=30) for _ in running)
        waiting = []
        for number in range(3):
            waiting.append(pool.submit(client.post, "/v1/studies", json=definition_data(f"waiting-{number}")))
            while lane._here < CREATIONS + number + 1:
                assert client.get("/v1/health").status_code == 200
        refused = client.post("/v1/studies", json=definition_data("refused"))
        released.set()
        assert {one.result().status_code for one in (*running, *waiting)} == {503}
    assert refused.status_code == 503
    assert refused.json() == {
        "error": "busy",
        "message": "the controller is busy: 3 submissions wait, try again shortly",
    }
    assert refused.headers["Retry-After"] == "5"


def test_a_lane_keeps_the_order() -> None:
    lane, order = Lane("numbers", width=1, room=9), list[int]()

    async def together() -> None:
        await asyncio.gather(*(lane.run(order.append, number) for number in range(10)))
        with pytest.raises(ZeroDivisionError):
            await lane.run(divmod, 1, 0)
        assert await lane.run(divmod, 7, 2) == (3, 1)

    asyncio.run(together())
    asyncio.run(together())  # in another event loop
    assert order == [*range(10), *range(10)]
