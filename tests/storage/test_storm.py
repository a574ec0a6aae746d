"""Every order at random, while workers end, hand back and lose runs: the books are exact all the same."""

import random
import threading
from collections.abc import Callable

import sqlalchemy as sa

from service.storage import cancellation, extension, queue, studies, workers
from service.storage.database import Database
from service.storage.errors import LeaseLost, StorageError
from service.storage.expiry import expire
from service.storage.records import RunState
from tests.storage.conftest import make_definition
from tests.storage.queueing import counts, nothing


def test_a_storm_of_orders_leaves_exact_books(db: Database, database_url: str) -> None:
    """Four workers that end, hand back and lose runs, while somebody gives every order at random."""
    studies.create(db, make_definition("s", trials=40, retries=10))
    over = threading.Event()
    errors: list[Exception] = []

    def work(seed: int) -> None:
        dice = random.Random(seed)
        with Database.open(database_url) as mine:
            while not over.is_set():
                try:
                    _work_once(mine, dice)
                except Exception as error:
                    errors.append(error)
                    return

    def order(seed: int) -> None:
        dice = random.Random(seed)
        with Database.open(database_url) as mine:
            for _ in range(40):
                call = dice.choice(_orders(mine, dice))
                try:
                    call()
                except StorageError:  # refused, as it may be
                    continue
            studies.set_state(mine, "s", "stopped")
        over.set()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    threads.append(threading.Thread(target=order, args=(7,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert errors == []
    assert expire(db, lambda *_: None) >= 0
    study = studies.get(db, "s")
    assert study.finished_at is not None
    left = counts(db, "s")
    assert set(left) <= {"complete", "failed", "cancelled"}
    assert sum(left.values()) == study.definition.trials
    with db.engine.connect() as connection:
        twice = (
            "SELECT count(*) FROM fleet.run_history WHERE state IN ('complete', 'failed', 'cancelled') GROUP BY run_id"
        )
        assert set(connection.execute(sa.text(twice)).scalars()) == {1}


def _orders(db: Database, dice: random.Random) -> list[Callable[[], object]]:
    return [
        lambda: studies.set_state(db, "s", "paused"),
        lambda: studies.set_state(db, "s", "running"),
        lambda: studies.set_priority(db, "s", dice.randint(-100, 100)),
        lambda: extension.extend(db, "s", 2),
        lambda: cancellation.cancel(db, "s", dice.randint(0, 40)),
        lambda: expire(db, lambda *_: None),
    ]


def _work_once(db: Database, dice: random.Random) -> None:
    lease = queue.claim(db, workers.register(db, "host", 1, "cpu"), dice.choice([0.01, 60]))
    if lease is None:
        return
    try:
        if lease.trial_id is None:
            queue.attach(db, lease, 1000 + lease.ordinal, lease.ordinal)
        match dice.randint(0, 3):
            case 0:
                queue.hand_back(db, lease)
            case 1:
                queue.finish(db, lease, RunState.FAILED, reason="why", tell=nothing)
            case _:
                queue.finish(db, lease, RunState.COMPLETE, values=[0.5], tell=nothing)
    except LeaseLost:
        return
