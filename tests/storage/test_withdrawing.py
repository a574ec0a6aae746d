"""A configuration that is taken back: what it leaves, what refuses it, and a claim in the same moment."""

import random
import threading
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from service.storage.assignments.search_trial import SearchTrial
from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.errors import NotWithdrawable, StorageError
from service.storage.fleet import workers
from service.storage.runs import claiming, holding
from service.storage.states import RunState
from service.storage.studies import extension, studies, trials, withdrawal
from tests.storage.queueing import Waiting, claimed, counts, nothing, noting
from tests.storage.test_enqueueing import create, enqueue, given

GRID = {"sampler": {"name": "grid"}, "search_space": {"units": {"type": "categorical", "choices": [16, 32]}}}


def withdraw(db: Database, run: int) -> None:
    withdrawal.withdraw(db, "s", run)


def test_the_run_is_the_samplers_again_and_the_budget_stays(db: Database) -> None:
    create(db, trials=3)
    run = enqueue(db, 0.3).run_id
    withdraw(db, run)
    assert given(db) == [None, None, None]
    assert counts(db, "s")["waiting"] == 3
    assert enqueue(db, 0.3).run_id == run, "it may be given again"
    with pytest.raises(NotWithdrawable, match="has no configuration"):
        withdraw(db, enqueue(db, 0.4).run_id + 1)
    assert audit(db) == []


def test_what_a_study_starts_with_stays(db: Database) -> None:
    create(db, trials=3, start_with=[{"regularizer": "dropout", "drop_rate": 0.2}])
    first, second = trials.page(db, studies.get(db, "s"), limit=1)[0].run_id, enqueue(db, 0.3).run_id
    with pytest.raises(NotWithdrawable, match="the study's definition starts with it"):
        withdraw(db, first)
    withdraw(db, second)
    extension.extend(db, "s", 2)
    assert [params and params["drop_rate"] for params in given(db)][:2] == [0.2, None]
    assert audit(db) == []


def test_a_grid_keeps_its_configurations(db: Database) -> None:
    """A grid takes none into its queue, and what it starts with is visited once."""
    create(db, trials=2, **GRID, start_with=[{"units": 32}])
    for run in trials.page(db, studies.get(db, "s"), limit=9):
        with pytest.raises(NotWithdrawable):
            withdraw(db, run.run_id)
    seen = []
    for _ in range(2):
        lease = claimed(db)
        seen.append(SearchTrial(db, lease).prepare()["units"])
        holding.finish(db, lease, RunState.FAILED, reason=f"no {lease.run_id}", tell=nothing)
    assert seen == [32, 16]


def test_a_claim_under_way_keeps_its_configuration(db: Database) -> None:
    """The claim has its row and has not committed: the withdrawal waits for it, and comes too late."""
    create(db, trials=2)
    run = enqueue(db, 0.3).run_id
    refused: list[type[Exception]] = []
    waiting = Waiting(db)
    with db.engine.begin() as connection:
        connection.execute(sa.text("SELECT FROM fleet.runs WHERE id = :run FOR UPDATE"), {"run": run})
        waiting.call(partial(noting, refused, lambda: withdraw(db, run)))
        connection.execute(sa.text("UPDATE fleet.runs SET token = 1, state = 'running' WHERE id = :run"), {"run": run})
        connection.execute(sa.text("UPDATE fleet.runs SET state = 'waiting' WHERE id = :run"), {"run": run})
    waiting.join()
    assert refused == [NotWithdrawable]
    assert given(db)[0] == {"regularizer": "dropout", "drop_rate": 0.3}


def test_a_withdrawal_under_way_lets_a_claim_have_another_run(db: Database) -> None:
    create(db, trials=2)
    run = enqueue(db, 0.3).run_id
    with db.engine.begin() as connection:
        connection.execute(sa.text("SELECT FROM fleet.runs WHERE id = :run FOR UPDATE"), {"run": run})
        assert claimed(db).run_id != run
    withdraw(db, run)
    assert claimed(db).run_id == run
    assert audit(db) == []


@pytest.mark.parametrize("seed", range(3))
def test_claims_and_withdrawals_at_once_agree_on_every_run(db: Database, seed: int) -> None:
    """A run that was withdrawn is the sampler's, and one whose withdrawal was refused is trained as it was given."""
    create(db, trials=20)
    wanted = [(rate / 10, kind) for rate in range(10) for kind in ("dropout", "pernodedrop")]
    runs = {enqueue(db, rate, regularizer=kind).run_id: (rate, kind) for rate, kind in wanted}
    order = random.Random(seed).sample(sorted(runs), len(runs))
    taken_back: set[int] = set()
    trained: dict[int, Any] = {}

    def claim_all() -> None:
        worker = workers.register(db, "host", 1, "cpu")
        while (lease := claiming.claim(db, worker, 60.0)) is not None:
            trained[lease.run_id] = SearchTrial(db, lease).prepare()
            holding.finish(db, lease, RunState.PRUNED, tell=nothing)

    def withdraw_all() -> None:
        for run in order:
            try:
                withdraw(db, run)
            except StorageError as error:
                assert isinstance(error, NotWithdrawable), error
            else:
                taken_back.add(run)

    threads = [threading.Thread(target=call) for call in (claim_all, claim_all, withdraw_all)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trained.keys() == runs.keys()
    for run, chosen in runs.items():
        if run not in taken_back:
            assert (trained[run]["drop_rate"], trained[run]["regularizer"]) == chosen
    assert [params is None for params in given(db)] == [run in taken_back for run in sorted(runs)]
