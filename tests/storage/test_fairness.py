"""Workers serve the highest priority first, and equals in equal shares."""

import threading
from collections import Counter

import pytest

from service.storage.database.database import Database
from service.storage.errors import UnknownStudy
from service.storage.fleet import workers
from service.storage.records import Lease
from service.storage.runs import claiming, holding
from service.storage.states import RunState
from service.storage.studies import studies
from tests.storage.conftest import make_definition
from tests.storage.queueing import claimed, nothing


def create(db: Database, *names: str, trials: int = 4, priority: int = 0) -> list[int]:
    made = [studies.create(db, make_definition(name, trials=trials, priority=priority)) for name in names]
    return [study.id for study in made]


def test_the_higher_priority_is_served_first_and_whole(db: Database) -> None:
    [low] = create(db, "low", trials=2, priority=-1)
    [middle] = create(db, "middle", trials=2)
    [high] = create(db, "high", trials=2, priority=100)
    assert [claimed(db).study_id for _ in range(6)] == [high, high, middle, middle, low, low]


def test_equals_share_and_the_oldest_begins(db: Database) -> None:
    first, second, third = create(db, "first", "second", "third")
    assert [claimed(db).study_id for _ in range(6)] == [first, second, third] * 2


def test_whoever_has_the_fewest_running_is_next(db: Database) -> None:
    first, second = create(db, "first", "second")
    leases = [claimed(db) for _ in range(4)]
    for lease in leases:
        if lease.study_id == second:
            holding.finish(db, lease, RunState.COMPLETE, tell=nothing)
    assert [claimed(db).study_id for _ in range(3)] == [second, second, first]


def test_a_changed_priority_counts_from_the_next_claim_on(db: Database) -> None:
    first, second = create(db, "first", "second")
    held = claimed(db)
    assert held.study_id == first
    assert studies.amend(db, "second", priority=5).priority == 5
    assert studies.get(db, "second").definition.priority == 0  # the definition is what its author wrote
    assert [claimed(db).study_id for _ in range(4)] == [second] * 4
    assert holding.renew(db, held, 60) == "running"
    with pytest.raises(UnknownStudy):
        studies.amend(db, "nobody", priority=1)


def test_claims_made_at_once_share_fairly(db: Database, database_url: str) -> None:
    """A claim sees all others but those that are made at the same time: shares differ by no more than these."""
    claimers, each = 8, 10
    ids = create(db, "a", "b", "c", "d", trials=60)
    taken: list[int] = []

    def claim_and_hold() -> None:
        with Database.open(database_url) as mine:
            taken.extend(claimed(mine).study_id for _ in range(each))

    _at_once(claim_and_hold, claimers)
    shares = Counter(taken)
    assert sum(shares.values()) == claimers * each
    assert max(shares.values()) - min(shares[study] for study in ids) <= claimers


def test_of_studies_served_in_turn_no_run_is_lost_or_doubled(db: Database, database_url: str) -> None:
    sizes = {"small": 5, "middle": 15, "large": 30}
    of_name = {name: create(db, name, trials=trials)[0] for name, trials in sizes.items()}
    taken: list[Lease] = []

    def work_until_idle() -> None:
        with Database.open(database_url) as mine:
            worker = workers.register(mine, "host", 1, "cpu")
            while lease := claiming.claim(mine, worker, 60):
                taken.append(lease)
                holding.finish(mine, lease, RunState.COMPLETE, tell=nothing)

    _at_once(work_until_idle, 6)
    runs = sorted((lease.study_id, lease.ordinal) for lease in taken)
    assert runs == sorted((of_name[name], ordinal) for name, trials in sizes.items() for ordinal in range(trials))
    assert {studies.get(db, name).state for name in sizes} == {"complete"}


def test_a_claim_in_progress_hides_no_other_study(db: Database, database_url: str) -> None:
    _, second = create(db, "first", "second", trials=1)
    with Database.open(database_url) as other, other.engine.begin() as connection:
        values = {"worker": workers.register(db, "host", 1, "cpu"), "seconds": 60, "asked": []}
        connection.execute(claiming._BY_THE_FLEET[1], values)
        assert claimed(db).study_id == second


def _at_once(call: object, threads: int) -> None:
    started = [threading.Thread(target=call) for _ in range(threads)]  # type: ignore[arg-type]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
