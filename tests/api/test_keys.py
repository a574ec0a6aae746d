"""Guessing the key is slow, on the API as on the dashboard, and costs nobody else their access."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from starlette.requests import HTTPConnection

from service.api.app import create_app
from service.dashboard import create_app as create_dashboard
from service.storage.database.database import Database
from service.web.keyring import Keyring
from service.web.keys import KeyCheck, TooManyWrongKeys, WrongKey
from service.web.throttle import GUESSES, LONGEST_PROVEN_WAIT_S, LONGEST_WAIT_S, MOST_SENDERS, Throttle, sender_of
from tests.api.configuring import NO_DATABASE, settings_for
from tests.api.serving import served

KEY = "correct-horse-battery-stäple"
PROXY = "127.0.0.1"


@pytest.fixture(autouse=True)
def no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, no wait is over in the middle of a test."""
    monkeypatch.setattr("service.web.keys.monotonic", lambda: 1000.0)


@pytest.fixture
def api() -> Iterator[httpx.Client]:
    """A controller that has no proxy."""
    with (
        served(create_app(settings_for(NO_DATABASE, api_key=KEY))) as address,
        httpx.Client(base_url=address) as client,
    ):
        yield client


@pytest.fixture
def behind_proxy() -> Iterator[httpx.Client]:
    """A controller whose proxy is this machine."""
    app = create_app(settings_for(NO_DATABASE, api_key=KEY))
    with served(app, proxies=[PROXY]) as address, httpx.Client(base_url=address) as client:
        yield client


def asked(client: httpx.Client, key: str, **headers: str) -> httpx.Response:
    return client.get("/v1/presets", headers={"X-API-Key": key.encode(), **headers})


def test_a_wrong_key_makes_its_address_wait(api: httpx.Client) -> None:
    assert asked(api, "wrong").status_code == 401
    for key in ("another", KEY):  # even the right key waits its turn
        refused = asked(api, key)
        assert refused.status_code == 429
        assert refused.headers["Retry-After"] == "1"
        assert refused.json()["error"] == "too_many_wrong_keys"
        assert refused.json()["message"] == "too many wrong keys from this address: try again in 1 s"


def test_an_old_key_that_is_tried_again_is_no_guess(api: httpx.Client) -> None:
    assert {asked(api, "the key of last year").status_code for _ in range(50)} == {401}
    assert {api.get("/v1/presets").status_code for _ in range(5)} == {401}  # nor is no key at all


def test_a_header_that_anybody_can_send_buys_no_guesses(api: httpx.Client) -> None:
    answers = [asked(api, f"guess {n}", **{"X-Forwarded-For": f"10.0.0.{n}"}).status_code for n in range(20)]
    assert answers == [401, *[429] * 19]


def test_behind_a_trusted_proxy_every_client_waits_alone(behind_proxy: httpx.Client) -> None:
    answers = [asked(behind_proxy, f"guess {n}", **{"X-Forwarded-For": "10.0.0.1"}).status_code for n in range(3)]
    assert answers == [401, 429, 429]
    assert asked(behind_proxy, KEY, **{"X-Forwarded-For": "10.0.0.2"}).status_code == 200
    forged = "10.0.0.3, 10.0.0.1"  # the proxy adds the last one; what comes before is the client's word
    assert asked(behind_proxy, KEY, **{"X-Forwarded-For": forged}).status_code == 429


def test_the_dashboard_asks_the_same_of_its_login() -> None:
    with served(create_dashboard(settings_for(NO_DATABASE, api_key=KEY))) as address:
        answers = [
            httpx.post(f"{address}/login", data={"key": f"guess {n}"}, headers={"X-Forwarded-For": f"10.0.0.{n}"})
            for n in range(3)
        ]
    assert [answer.status_code for answer in answers] == [401, 429, 429]


def check_of(expected: str) -> KeyCheck:
    """A check that never asks its database: no key here looks like those that it has."""
    return KeyCheck(expected, Keyring(Database.open(NO_DATABASE)), is_local=True)


def test_ten_thousand_guesses_a_second_are_a_few() -> None:
    asyncio.run(ten_thousand_a_second())


async def ten_thousand_a_second() -> None:
    check, looked_at = check_of(KEY), 0
    for guess in range(30_000):
        try:
            await check.admit(b"guess %d" % guess, caller("10.0.0.1"), now=guess / 500)
        except TooManyWrongKeys:
            continue
        except WrongKey:
            looked_at += 1
    assert looked_at == 6  # after 0, 1, 3, 7, 15 and 31 s


def test_guesses_from_everywhere_are_slowed_together_and_known_addresses_are_not() -> None:
    asyncio.run(guesses_from_everywhere())


async def guesses_from_everywhere() -> None:
    check = check_of(KEY)
    await check.admit(KEY.encode(), caller("192.0.2.1"), now=0.0)
    looked_at = 0
    for guess in range(10_000):
        with pytest.raises((WrongKey, TooManyWrongKeys)) as refused:
            await check.admit(b"guess %d" % guess, caller(f"10.{guess >> 8}.{guess & 255}.7"), now=guess / 1000)
        looked_at += refused.type is WrongKey
    assert looked_at == GUESSES + 9
    await check.admit(KEY.encode(), caller("192.0.2.1"), now=10.0)


def test_every_wrong_key_doubles_the_wait_of_its_sender_alone() -> None:
    throttle = Throttle()
    waits = []
    for _ in range(10):
        throttle.failed("a", 0.0)
        waits.append(throttle.wait_s("a", 0.0))
    assert waits == [1, 2, 4, 8, 16, 32, *[LONGEST_WAIT_S] * 4]
    assert throttle.wait_s("a", LONGEST_WAIT_S) == 0
    assert throttle.wait_s("b", 0.0) == 0
    throttle.succeeded("a", 0.0)
    assert throttle.wait_s("a", 0.0) == 0


def test_an_address_with_the_right_key_is_not_kept_out_for_long() -> None:
    throttle = Throttle()
    throttle.succeeded("a", 0.0)
    for _ in range(10):
        throttle.failed("a", 0.0)
    assert throttle.wait_s("a", 0.0) == LONGEST_PROVEN_WAIT_S


def test_a_right_key_between_the_guesses_makes_them_no_faster() -> None:
    throttle, now, guesses = Throttle(), 0.0, 0
    throttle.succeeded("a", now)
    while now < 600.0:
        throttle.failed("a", now)
        guesses += 1
        now += throttle.wait_s("a", now)
        throttle.succeeded("a", now)
        assert throttle.wait_s("a", now) == 0
    assert guesses < 600.0 / LONGEST_PROVEN_WAIT_S + 5
    now += LONGEST_WAIT_S
    throttle.failed("a", now)
    assert throttle.wait_s("a", now) == 1


def test_the_throttle_forgets_the_longest_silent_sender() -> None:
    throttle = Throttle()
    for sender in range(MOST_SENDERS + 1):
        throttle.failed(str(sender), float(sender * 2))
    now = float(MOST_SENDERS * 2)
    assert throttle.wait_s("0", now) == 0
    assert throttle.wait_s(str(MOST_SENDERS), now) == 1


def test_an_ipv6_subscriber_is_one_sender() -> None:
    assert sender_of("2001:db8:1:2::1") == sender_of("2001:db8:1:2:ffff::9")
    assert sender_of("2001:db8:1:2::1") != sender_of("2001:db8:1:3::1")
    assert sender_of("::ffff:10.0.0.1") == sender_of("10.0.0.1") == "10.0.0.1"
    assert sender_of("") == ""


def caller(host: str) -> HTTPConnection:
    return HTTPConnection({"type": "http", "client": (host, 1)})
