"""Many requests at once: submissions wait their turn, nobody else waits for them, and busy is said as busy."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from service.api.app import CREATIONS, DATABASE_CONNECTIONS, create_app
from service.storage.access import keys
from service.storage.access.roles import Role
from service.storage.database.database import Database
from service.storage.studies import studies
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
            while lane._here.total() < CREATIONS + number + 1:
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
        await asyncio.gather(*(lane.run(None, order.append, number) for number in range(10)))
        with pytest.raises(ZeroDivisionError):
            await lane.run(None, divmod, 1, 0)
        assert await lane.run(None, divmod, 7, 2) == (3, 1)

    asyncio.run(together())
    asyncio.run(together())  # in another event loop
    assert order == [*range(10), *range(10)]


def test_keys_take_turns_in_a_lane() -> None:
    lane, order = Lane("numbers", width=1, room=99), list[str]()

    async def together() -> None:
        calls = [("a", "a1"), ("a", "a2"), ("a", "a3"), ("a", "a4"), ("b", "b1"), (None, "n1"), ("b", "b2")]
        await asyncio.gather(*(lane.run(key, order.append, name) for key, name in calls))

    asyncio.run(together())
    assert order == ["a1", "a2", "b1", "n1", "a3", "b2", "a4"]


@pytest.mark.parametrize("just_now", [False, True])
def test_a_cancelled_call_costs_its_key_no_turn(just_now: bool) -> None:
    lane, order, release = Lane("numbers", width=1, room=99), list[str](), threading.Event()

    def call(name: str) -> None:
        assert release.wait(30)
        order.append(name)

    async def together() -> None:
        named = [("x", "x1"), ("a", "a1"), ("a", "a2"), ("b", "b1"), ("c", "c1"), ("b", "b2")]
        calls = {name: asyncio.ensure_future(lane.run(key, call, name)) for key, name in named}
        await asyncio.sleep(0)
        calls["a1"].cancel()
        calls["c1"].cancel()
        if just_now:
            lane._own_turns().end()  # before the cancelled calls have gone on: a second place
        else:
            await asyncio.sleep(0)
            assert [(key, len(waiting)) for key, waiting in lane._own_turns()._waiting.items()] == [("a", 1), ("b", 2)]
        release.set()
        await asyncio.gather(*calls.values(), return_exceptions=True)

    asyncio.run(together())
    assert sorted(order[:2]) == ["a2", "x1"] if just_now else order[:2] == ["x1", "a2"]
    assert order[2:] == ["b1", "b2"]


def test_a_cancelled_call_keeps_its_turn_until_its_thread_ends(caplog: pytest.LogCaptureFixture) -> None:
    lane, release, most = Lane("numbers", width=1, room=9), threading.Event(), threading.Semaphore(1)

    def first() -> None:
        with most:
            assert release.wait(30)
            raise ValueError("nobody reads this")

    def second() -> bool:
        return most.acquire(blocking=False)

    async def together() -> None:
        begun = asyncio.ensure_future(lane.run("a", first))
        while most._value:
            await asyncio.sleep(0.01)
        begun.cancel()
        with pytest.raises(asyncio.CancelledError):
            await begun
        assert lane._here == {"a": 1}
        next_one = asyncio.ensure_future(lane.run("b", second))
        await asyncio.sleep(0.05)
        assert not next_one.done()
        release.set()
        assert await next_one, "both had a thread at once"
        assert not lane._here

    asyncio.run(together())
    gc.collect()
    assert not caplog.messages  # what nobody waits for is no error of the server


def test_a_key_that_begins_to_wait_comes_last() -> None:
    lane, order = Lane("numbers", width=1, room=99), list[str]()

    async def together() -> None:
        calls = [("x", "x1"), ("a", "a1"), ("b", "b1"), ("a", "a2"), ("x", "x2")]
        await asyncio.gather(*(lane.run(key, order.append, name) for key, name in calls))

    asyncio.run(together())
    assert order == ["x1", "a1", "b1", "x2", "a2"]


def test_a_key_leaves_places_for_others_in_a_lane() -> None:
    """Of 12 places a key has 6 at most; beside it a second one has 3 and a third one 2, and callers without a key 1."""
    lane, release = Lane("numbers", width=2, room=10), threading.Event()
    had = {"a": 6, "b": 3, "c": 2, None: 1}

    async def together() -> None:
        calls = []
        for key, places in had.items():
            for _ in range(places):
                calls.append(asyncio.ensure_future(lane.run(key, release.wait, 30)))
                await asyncio.sleep(0)
            with pytest.raises(Busy) as refused:
                await lane.run(key, int)
            own = key is not None
            assert (f"busy: {places} numbers of {key} wait, and the other places are kept" in str(refused.value)) is own
        for call in calls[2:8]:  # those of a client that has gone away take no place
            call.cancel()
        release.set()
        await asyncio.gather(*calls, return_exceptions=True)
        assert not lane._here
        await asyncio.gather(*(lane.run("a", int) for _ in range(6)))

    asyncio.run(together())


def test_one_key_cannot_take_every_place_for_submissions(database_url: str) -> None:
    """Over REST: a key whose submissions wait is refused in words, and another key's study is created in its turn."""
    app = create_app(settings_for(database_url))
    begun, release = threading.Semaphore(0), threading.Event()
    create = studies.create

    def held_up(db: Database, definition: Any) -> Any:
        if definition.name.startswith("many"):
            begun.release()
            assert release.wait(60)
        return create(db, definition)

    lane = app.state.creations.lane
    lane._room = 8
    with Database.open(database_url) as database:
        keys.create(database, "first", Role.ADMIN, by="a test")
        secrets = {name: keys.create(database, name, Role.SUBMIT, by="a test")[1] for name in ("greedy", "other")}
    with pytest.MonkeyPatch.context() as patch, served(app) as address, ThreadPoolExecutor(20) as pool:
        patch.setattr("service.api.studies.studies.create", held_up)

        def submit(key: str, name: str) -> httpx.Response:
            headers = {"X-API-Key": secrets[key]}
            return httpx.post(f"{address}/v1/studies", json=definition_data(name), headers=headers, timeout=60)

        many = [pool.submit(submit, "greedy", f"many-{number}") for number in range(12)]
        assert all(begun.acquire(timeout=30) for _ in range(CREATIONS))
        refused = [next(ended).result() for ended in [as_completed(many, timeout=30)] for _ in range(6)]
        other = pool.submit(submit, "other", "other")
        while lane._here.total() < 7:
            assert httpx.get(f"{address}/v1/health").status_code == 200
        release.set()
        assert other.result().status_code == 201
        assert sorted(one.result().status_code for one in many) == [201] * 6 + [503] * 6
    assert {answer.json()["message"] for answer in refused} == {
        "the controller is busy: 6 submissions of greedy wait, and the other places are kept for others: send the next "
        "one when one of these is answered"
    }
    assert {answer.headers["Retry-After"] for answer in refused} == {"5"}
