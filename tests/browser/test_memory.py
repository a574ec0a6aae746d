"""The fleet's page says what memory is in use, as the worker heard last has said it."""

import httpx
import pytest

from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import DeviceMemory


def test_the_page_shows_a_devices_memory_once_and_each_workers(visitor: httpx.Client, database: Database) -> None:
    for process, used in ((1, 3e9), (2, 4e9)):
        worker = workers.register(database, "node-1", process, "cuda:0")
        workers.check_in(database, worker, memory=DeviceMemory(held=int(used / 2), used=int(used), total=int(8e9)))
    page = visitor.get("/fleet").text
    assert page.count("memory 4 GB of 8 GB in use, 50%") == 2, "as text, and as the bar's name"
    assert "memory 3 GB" not in page
    assert "holds 1.5 GB" in page
    assert "holds 2 GB" in page


@pytest.mark.parametrize("said", [None, DeviceMemory(held=None, used=0, total=0)])
def test_what_is_unknown_is_not_shown(visitor: httpx.Client, database: Database, said: DeviceMemory | None) -> None:
    worker = workers.register(database, "node-1", 1, "cpu")
    workers.check_in(database, worker, memory=said)
    page = visitor.get("/fleet")
    assert page.status_code == 200
    assert "process 1" in page.text
    assert "memory " not in page.text.partition('id="fleet"')[2]
    assert "holds" not in page.text.partition('id="fleet"')[2]
