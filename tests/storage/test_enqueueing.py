"""A configuration in the queue: which trial it becomes, what refuses it, and simultaneous events."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from search_spaces import InvalidDefinition, Known
from service.storage import audited_starts
from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.errors import NotEnqueueable, UnknownStudy
from service.storage.records import TrialRecord
from service.storage.runs import holding, known
from service.storage.states import Origin, RunState
from service.storage.studies import enqueueing, extension, studies, trials
from tests.storage.conftest import make_definition
from tests.storage.queueing import Waiting, at_once, claimed, counts, ended, execute, nothing, noting

DROPOUT = {"regularizer": "dropout", "drop_rate": 0.5}


def create(db: Database, trials: int = 3, **parts: object) -> int:
    return studies.create(db, make_definition("s", trials=trials, **parts)).id


def enqueue(db: Database, rate: float = 0.5, name: str = "s", **params: Any) -> TrialRecord:
    return enqueueing.enqueue(db, name, Known(params={**DROPOUT, "drop_rate": rate, **params}))[0]


def given(db: Database) -> list[Any]:
    """What the runs are given, in the order of the queue."""
    with db.engine.connect() as connection:
        return list(connection.execute(sa.text("SELECT given FROM fleet.runs ORDER BY ordinal")).scalars())


def test_configurations_come_next_in_their_order_within_the_budget(db: Database) -> None:
    create(db, trials=4)
    ended(db, 0.5)
    enqueued = enqueue(db)
    assert (enqueued.state, enqueued.params, enqueued.variant) == (RunState.WAITING, DROPOUT, "dropout")
    assert enqueued.origin is Origin.GIVEN
    outside, _ = enqueueing.enqueue(db, "s", Known(params={**DROPOUT, "drop_rate": 0.95}, outside=True))
    assert (outside.origin, outside.params["drop_rate"]) == (Origin.OUTSIDE, 0.95)
    assert given(db) == [None, DROPOUT, {"outside": {**DROPOUT, "drop_rate": 0.95}}, None]
    lease = claimed(db)
    assert (lease.run_id, known.given_until(db, lease)) == (enqueued.run_id, {1: DROPOUT})
    assert counts(db, "s") == {"waiting": 2, "running": 1, "complete": 1}
    assert [each.params for each in trials.page(db, studies.get(db, "s"))][1] == DROPOUT


def test_a_run_that_was_handed_back_is_another_trial_already(db: Database) -> None:
    create(db)
    holding.hand_back(db, claimed(db))
    enqueue(db)
    assert given(db) == [None, DROPOUT, None]
    execute(db, "DELETE FROM fleet.runs WHERE ordinal > 1")  # and one that has no row yet gets it
    execute(db, "UPDATE fleet.studies SET to_come = 1")
    enqueue(db, 0.1)
    assert given(db) == [None, DROPOUT, {**DROPOUT, "drop_rate": 0.1}]


def begun(db: Database) -> None:
    create(db, trials=1)
    claimed(db)


def finished(db: Database) -> None:
    create(db, trials=1)
    ended(db, 0.5)


def confirming(db: Database) -> None:
    create(db, trials=1, confirmation={"top": 1, "repeats": 2})
    lease = claimed(db)
    holding.attach(db, lease, None, 0, {**DROPOUT, "drop_rate": 0.4})
    holding.finish(db, lease, RunState.COMPLETE, values=[0.5], tell=nothing)


def stopped(db: Database) -> None:
    create(db)
    studies.set_state(db, "s", "stopped")


def of_a_grid(db: Database) -> None:
    create(db, trials=20, sampler={"name": "grid"})


def at_its_limit(db: Database) -> None:
    create(db, budget={"trials": 3, "wall_time": 60})
    claimed(db)
    execute(db, "UPDATE fleet.studies SET started_at = now() - interval '1 hour'")


def with_it(db: Database) -> None:
    create(db)
    enqueue(db)


def trained(db: Database) -> None:
    create(db)
    lease = claimed(db)
    holding.attach(db, lease, None, 0, DROPOUT)


REFUSALS: list[tuple[Callable[[Database], None], str]] = [
    (begun, "all of its trials have begun: `pernodedrop extend s --trials 1` adds one"),
    (finished, "all of its trials have begun: `pernodedrop extend s --trials 1` adds one"),
    (confirming, "its search has ended: `extend` it by a trial when its confirmation has finished, and then enqueue"),
    (stopped, "it was stopped for good: submit it under another name"),
    (of_a_grid, "its grid trains every configuration once, and has no trial to spare: submit it with start_with"),
    (at_its_limit, "wall time used up: submit it under another name with a larger budget"),
    (with_it, "a trial that waits has this configuration, and would give the same value again"),
    (trained, "trial 0 has this configuration, and would give the same value again"),
]


def test_a_queue_that_cannot_take_it_says_why(db: Database) -> None:
    for prepare, reason in REFUSALS:
        prepare(db)
        with pytest.raises(NotEnqueueable) as refused:
            enqueue(db)
        assert str(refused.value) == f"study 's' cannot take the configuration: {reason}"
        studies.delete(db, "s")


def test_what_does_not_suit_the_space_is_refused_and_changes_nothing(db: Database) -> None:
    create(db)
    with pytest.raises(
        InvalidDefinition, match=r"^params\.drop_rate must be from 0\.0 to 0\.9 in steps of 0\.1 in the"
    ):
        enqueue(db, 0.95)
    with pytest.raises(UnknownStudy):
        enqueue(db, name="nobody")
    assert given(db) == [None] * 3


def test_the_remedy_makes_room(db: Database) -> None:
    finished(db)
    extension.extend(db, "s", 1)
    enqueue(db)
    assert claimed(db).ordinal == 1
    assert given(db) == [None, DROPOUT]


@pytest.mark.parametrize(("left", "taken"), [(1, [0.2]), (2, [0.2, 0.1])])
def test_simultaneous_calls_take_a_trial_each(db: Database, left: int, taken: list[float]) -> None:
    study = create(db, trials=left)
    refused: list[type[Exception]] = []
    calls = {str(rate): partial(noting, refused, partial(enqueue, db, rate)) for rate in (0.1, 0.2)}
    at_once(db, study, calls, first="0.2")
    assert refused == [NotEnqueueable] * (2 - left)
    assert [each["drop_rate"] for each in given(db)] == taken


def test_a_claim_under_way_keeps_its_run_and_the_call_takes_another(db: Database) -> None:
    create(db, trials=3)
    with db.engine.connect() as claim:
        claim.execute(sa.text("UPDATE fleet.runs SET state = 'running', token = 1 WHERE ordinal = 0"))
        enqueue(db, 0.1)
        enqueue(db, 0.2)
        waiting = Waiting(db)
        waiting.call(lambda: enqueue(db, 0.3))  # for whether the claim is committed
        claim.rollback()
        waiting.join()
    assert [each["drop_rate"] for each in given(db)] == [0.3, 0.1, 0.2]
    with db.engine.begin() as another:  # a claim does not wait for a call: it takes a later run
        another.execute(sa.text("SELECT FROM fleet.runs WHERE ordinal = 0 FOR UPDATE"))
        assert claimed(db).ordinal == 1


def test_the_audit_sees_other_parameters_than_were_given(db: Database) -> None:
    rules = [*audited_starts.RULES]
    create(db, start_with=[DROPOUT])
    lease = claimed(db)
    holding.attach(db, lease, None, 0, DROPOUT)
    assert not {finding.rule for finding in audit(db)} & set(rules)
    holding.attach(db, lease, None, 0, {**DROPOUT, "drop_rate": 0.4})
    assert rules[0] in {finding.rule for finding in audit(db)}
    execute(db, "UPDATE fleet.runs SET given = NULL, params = NULL")
    assert rules[1] in {finding.rule for finding in audit(db)}
    execute(db, "INSERT INTO fleet.histories SELECT id, 1, '[]' FROM fleet.studies")
    assert rules[2] in {finding.rule for finding in audit(db)}
