"""A controller whose webhooks may lead to this machine."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from service.api.app import create_app
from service.settings import Settings
from service.storage.database.database import Database
from service.webhooks.allowed import Allowed
from tests.api.configuring import settings_for
from tests.api.serving import served
from tests.webhooks.receiving import Receiver, receiver

LOOPBACK = Allowed.parse("127.0.0.1")


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    with Database.open(database_url) as database:
        yield database


@pytest.fixture
def settings(database_url: str) -> Settings:
    return settings_for(database_url, webhook_allow=LOOPBACK)


@pytest.fixture
def api(settings: Settings) -> Iterator[httpx.Client]:
    with served(create_app(settings)) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client


@pytest.fixture
def here() -> Iterator[Receiver]:
    with receiver() as one:
        yield one


def until(is_so: Callable[[], object], seconds: float = 60.0) -> None:
    """Return when it is so."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def added(api: httpx.Client, url: str, **fields: Any) -> dict[str, Any]:
    """A webhook that was registered, with its secret."""
    answer = api.post("/v1/webhooks", json={"url": url, **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def last(api: httpx.Client, number: int = 0) -> dict[str, Any]:
    """The last delivery of the webhook of that place in the list."""
    found: dict[str, Any] | None = api.get("/v1/webhooks").json()["webhooks"][number]["last"]
    return found or {"state": None}
