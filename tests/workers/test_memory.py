"""A worker says the memory of its device with its sign of life, and no more often."""

import os
from pathlib import Path

import pytest

from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import DeviceMemory
from tests.workers.conftest import StartWorker, until
from workers.device.memory import resident


def test_a_worker_says_what_it_and_its_device_hold(db: Database, start_lone_worker: StartWorker) -> None:
    start_lone_worker()
    until(lambda: any(one.memory is not None for one in workers.alive(db)), 120)
    [worker] = workers.alive(db)
    assert worker.memory is not None
    assert worker.memory.held is not None
    assert 10 * 2**20 < worker.memory.held < worker.memory.used < worker.memory.total


def test_the_last_word_counts_and_a_sign_without_one_leaves_it(db: Database) -> None:
    worker = workers.register(db, "node-1", 4711, "cuda:0")
    assert workers.alive(db)[0].memory is None
    said = DeviceMemory(held=3 * 2**30, used=70 * 2**30, total=140 * 2**30)  # more than an integer of 32 bits
    assert workers.check_in(db, worker, memory=said)
    assert workers.check_in(db, worker)
    assert workers.alive(db)[0].memory == said
    workers.check_in(db, worker, memory=DeviceMemory(held=None, used=1, total=2))
    assert workers.alive(db)[0].memory == DeviceMemory(held=None, used=1, total=2)


def test_resident_memory_is_shared_out_and_gone_processes_hold_none(tmp_path: Path) -> None:
    if not Path("/proc/self/smaps_rollup").exists():
        pytest.skip("this system does not say what a process holds")
    alone = resident([os.getpid()])
    assert alone is not None
    assert alone > 2**20
    for number, size in ((1, 100), (2, 50)):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "smaps_rollup").write_text(f"Rss: 900 kB\nPss:      {size} kB\nPss_Dirty: 7 kB\n")
    assert resident([1, 2, 3], tmp_path) == 150 * 1024
    assert resident([3], tmp_path) is None
