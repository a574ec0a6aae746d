"""Every order at random, while workers end, hand back and lose runs: the books are exact all the same."""

import contextlib
import random
import threading
import time
from collections.abc import Callable

import sqlalchemy as sa

from search_spaces import Confirmation
from service.storage.database.database import Database
from service.storage.errors import LeaseLost, StorageError
from service.storage.fleet import workers
from service.storage.runs import claiming, holding
from service.storage.runs.expiry import expire
from service.storage.states import RunState, Stage
from service.storage.studies import cancellation, extension, studies
from tests.storage.conftest import make_definition
from tests.storage.queueing import counts, nothing
from tests.storage.test_confirmation import SPACE


def test_a_storm_of_orders_leaves_exact_books(db: Database, database_url: str) -> None:
    """Four workers that end, hand back and lose runs of search and confirmation, while somebody gives orders."""
    studies.create(db, make_definition("s", trials=12, retries=10, search_space=SPACE))
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
        try:
            with Database.open(database_url) as mine:
                for _ in range(50):
                    _accepted(dice.choice(_orders(mine, dice)))
                _accepted(lambda: extension.confirm(mine, "s", Confirmation(top=3, repeats=2)))
                _accepted(lambda: studies.set_state(mine, "s", "running"))
                while not any(studies.get(mine, "s").confirmation.values()):
                    time.sleep(0.05)
                _accepted(lambda: studies.set_state(mine, "s", "stopped"))
        except Exception as error:
            errors.append(error)
        finally:
            over.set()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    threads.append(threading.Thread(target=order, args=(7,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert errors == []
    assert expire(db) >= 0
    study = studies.get(db, "s")
    assert study.finished_at is not None
    left = counts(db, "s")
    assert set(left) <= {"complete", "failed", "cancelled"}
    assert sum(left.values()) == study.definition.trials
    confirmed = {state for state, runs in study.confirmation.items() if runs}
    assert confirmed <= {"complete", "failed", "cancelled"}
    with db.engine.connect() as connection:
        twice = (
            "SELECT count(*) FROM fleet.run_history WHERE state IN ('complete', 'failed', 'cancelled') GROUP BY run_id"
        )
        assert set(connection.execute(sa.text(twice)).scalars()) == {1}
        again = "SELECT count(*) FROM fleet.runs WHERE stage = 'confirmation' GROUP BY params"
        assert set(connection.execute(sa.text(again)).scalars()) == {1}  # some were confirmed, and none twice


def _accepted(order: Callable[[], object]) -> None:
    """Give the order; it may be refused."""
    with contextlib.suppress(StorageError):
        order()


def _orders(db: Database, dice: random.Random) -> list[Callable[[], object]]:
    return [
        lambda: studies.set_state(db, "s", "paused"),
        lambda: studies.set_state(db, "s", "running"),
        lambda: studies.amend(db, "s", priority=dice.randint(-100, 100)),
        lambda: extension.extend(db, "s", 2),
        lambda: extension.confirm(db, "s", Confirmation(top=dice.randint(1, 3), repeats=2)),
        lambda: cancellation.cancel(db, "s", dice.randint(0, 20)),
        lambda: cancellation.cancel(db, "s", dice.randint(0, 4), Stage.CONFIRMATION),
        lambda: expire(db),
    ]


def _work_once(db: Database, dice: random.Random) -> None:
    lease = claiming.claim(db, workers.register(db, "host", 1, "cpu"), dice.choice([0.01, 60]))
    if lease is None:
        return
    try:
        if lease.stage is Stage.SEARCH and lease.trial_id is None:
            params = {"regularizer": dice.choice(["dropout", "dropconnect"]), "drop_rate": dice.randint(0, 9) / 10}
            holding.attach(db, lease, 1000 + lease.ordinal, lease.ordinal, params)
        match dice.randint(0, 3):
            case 0:
                holding.hand_back(db, lease)
            case 1:
                holding.finish(db, lease, RunState.FAILED, reason="why", tell=nothing)
            case _:
                holding.finish(db, lease, RunState.COMPLETE, values=[dice.random()], tell=nothing)
    except LeaseLost:
        return
