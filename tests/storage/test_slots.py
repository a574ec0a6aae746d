"""Slots on GPUs: workers that start together spread out, and dead ones lose their slots."""

import multiprocessing
import uuid
from collections import Counter
from multiprocessing.pool import Pool

import pytest
import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.database.tables import device_slots
from service.storage.fleet import slots

GPUS = ["GPU-a", "GPU-b", "GPU-c", "GPU-d"]


def take(db: Database, devices: list[str] = GPUS, *, seconds: float = 60) -> tuple[str, str]:
    holder = str(uuid.uuid4())
    return holder, slots.take(db, holder, "host", devices, seconds)


def rows(db: Database) -> list[tuple[str, int]]:
    with db.engine.connect() as connection:
        query = sa.select(device_slots.c.device, device_slots.c.slot).order_by(
            device_slots.c.device, device_slots.c.slot
        )
        return [(device, slot) for device, slot in connection.execute(query)]


def test_each_next_worker_gets_the_least_used_device(db: Database) -> None:
    assert [take(db)[1] for _ in range(6)] == [*GPUS, "GPU-a", "GPU-b"]
    assert take(db, ["GPU-b", "GPU-d", "GPU-a"])[1] == "GPU-d"
    assert rows(db) == [(gpu, slot) for gpu, used in zip(GPUS, (2, 2, 1, 2), strict=True) for slot in range(used)]


def test_a_dead_holders_slot_is_free_after_its_lease(db: Database) -> None:
    take(db, ["GPU-a"], seconds=-1)
    take(db, ["GPU-a"])
    assert rows(db) == [("GPU-a", 0)]


def test_a_renewed_slot_stays(db: Database) -> None:
    lively, _ = take(db, ["GPU-a"], seconds=0.5)
    assert slots.renew(db, [lively], 60) == 1
    with db.engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_sleep(0.6)"))
    take(db, ["GPU-a"])
    assert rows(db) == [("GPU-a", 0), ("GPU-a", 1)]


def test_who_lost_its_slot_is_told_and_takes_another(db: Database) -> None:
    late, _ = take(db, ["GPU-a"], seconds=-1)
    take(db, ["GPU-a"])
    assert slots.renew(db, [late], 60) == 0
    slots.take(db, late, "host", ["GPU-a"], 60)
    assert rows(db) == [("GPU-a", 0), ("GPU-a", 1)]


def test_the_lowest_free_slot_is_taken(db: Database) -> None:
    first, _ = take(db, ["GPU-a"])
    take(db, ["GPU-a"])
    slots.release(db, [first])
    assert rows(db) == [("GPU-a", 1)]
    take(db, ["GPU-a"])
    assert rows(db) == [("GPU-a", 0), ("GPU-a", 1)]


def _one_of(url: str) -> str:
    with Database.open(url) as db:
        return take(db)[1]


@pytest.fixture
def processes() -> Pool:
    return multiprocessing.get_context("spawn").Pool(4)


def test_processes_that_start_at_once_spread_evenly(processes: Pool, database_url: str) -> None:
    with processes:
        taken = Counter(processes.map(_one_of, [database_url] * 12, chunksize=1))
    assert taken == dict.fromkeys(GPUS, 3)
