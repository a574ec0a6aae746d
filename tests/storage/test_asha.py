"""ASHA on the queue: who goes on follows the rule of search_spaces.rungs, once, and exactly within the budget."""

import random
from typing import Any

import pytest
import sqlalchemy as sa

from search_spaces.pruners.asha import AshaPruner
from search_spaces.rungs import Standing, promotions
from service.storage.assignments.assignment import Ended
from service.storage.audit import audit, findings
from service.storage.database.database import Database
from service.storage.errors import NotExtendable
from service.storage.live.happenings import lately
from service.storage.runs import expiry, history, legs
from service.storage.runs.endings import close_finished_studies
from service.storage.states import AttemptState, RunState, StudyState
from service.storage.studies import cancellation, extension, retrying, studies, trials
from tests.storage.climbing import Climber, climb, ladder, paused_study, rows
from tests.storage.queueing import execute


def found(db: Database, name: str) -> list[tuple[Any, ...]]:
    """The study's legs with their trials' parameters and values: all that a search comes to."""
    return rows(
        db,
        "SELECT l.number, l.place, l.epochs, l.cost, r.params::text, r.state, r.epoch, r.values, r.best_epoch"
        " FROM fleet.legs l JOIN fleet.runs r ON r.id = l.run_id JOIN fleet.studies s ON s.id = l.study_id"
        " WHERE s.name = :name ORDER BY l.number",
        name=name,
    )


def test_one_worker_follows_the_rule_to_the_end(db: Database) -> None:
    study = studies.create(db, ladder())
    climb([Climber(db)], 0)
    record = studies.get(db, "asha")
    assert record.state is StudyState.COMPLETE
    every = trials.page(db, study, limit=100)
    by_rung = {rung: sum(trial.epoch >= rung for trial in every) for rung in (1, 3, 9)}
    assert by_rung[1] == 27
    assert by_rung[3] >= 9
    assert by_rung[9] >= 3
    assert {trial.state for trial in every if trial.epoch < 9} == {RunState.PRUNED}
    assert {trial.attempts for trial in every} == {1}  # a pause is none that counts, nor does it take one back
    best = min(trial.values[0] for trial in every if trial.state is RunState.COMPLETE)
    assert record.best.values == [best]
    assert audit(db) == []


@pytest.mark.parametrize("seed", range(3))
def test_many_workers_with_mishaps_leave_a_whole_study(db: Database, seed: int) -> None:
    studies.create(db, ladder(pruner={"name": "asha", "min_epochs": 1, "reduction_factor": 2, "brackets": 2}))
    climb([Climber(db) for _ in range(4)], seed, mishaps=0.1)
    assert studies.get(db, "asha").state is StudyState.COMPLETE
    assert audit(db) == []


@pytest.mark.parametrize("seed", range(12))
def test_a_promotion_in_sql_is_that_of_the_rule(db: Database, seed: int) -> None:
    """On random states: some trials of each rung have gone on, some have ended, costs are alike or infinite."""
    dice = random.Random(seed)
    pruner = {"name": "asha", "min_epochs": 1, "reduction_factor": dice.choice([2, 3]), "brackets": dice.choice([1, 2])}
    definition = ladder(trials=60, pruner=pruner)
    study = studies.create(db, definition)
    assert isinstance(definition.pruner, AshaPruner)
    reached: list[Standing] = []
    sent: dict[int, int] = {}
    ended: set[int] = set()
    ids = [row[0] for row in rows(db, "SELECT id FROM fleet.runs ORDER BY ordinal")]
    number = 0
    with db.engine.begin() as connection:
        for place in range(dice.randint(0, 60)):
            rungs, bracket = definition.pruner.rungs(place, 9), definition.pruner.bracket(place, 9)
            climbed = rungs[: dice.choice([1, 1, 1, 2, 2, 3])]
            cost = dice.choice([dice.random(), 0.5, float("inf")])
            at_rest = dice.random() < 0.7 and climbed[-1] < 9
            for rung in climbed:
                is_reached = rung != climbed[-1] or at_rest
                values = {"run": ids[place], "epochs": rung, "study": study.id, "number": number, "place": place}
                connection.execute(
                    sa.text("INSERT INTO fleet.legs VALUES (:run, :epochs, :study, :number, :place, :bracket, :cost)"),
                    {**values, "bracket": bracket, "cost": cost if is_reached else None},
                )
                number += 1
                if is_reached:
                    reached.append(Standing(place, cost, rung))
            sent[place] = climbed[-1]
            state = "paused" if at_rest else "running"
            if dice.random() < 0.1:
                state = "cancelled"
                ended.add(place)
            connection.execute(
                sa.text("UPDATE fleet.runs SET state = :state, booked = :booked WHERE id = :run"),
                {"state": state, "booked": climbed[-1], "run": ids[place]},
            )
    # What has ended cannot go on: to the rule it has.
    wanted = next(promotions(definition.pruner.ladders(9), reached, {**sent, **dict.fromkeys(ended, 9)}), None)
    with db.engine.connect() as connection:
        leg = next(legs.promotions(connection, study.id, definition), None)
    got = None if leg is None else (leg.place, leg.start, leg.until)
    assert got == (None if wanted is None else (wanted.place, wanted.start, wanted.to))


@pytest.mark.parametrize(
    "parts",
    [pytest.param({}, marks=pytest.mark.wide), {"budget": {"trials": 27, "epochs": 60}}],
    ids=["trials", "epochs"],
)
def test_with_a_lag_the_fleet_and_its_mishaps_change_nothing(db: Database, parts: dict[str, Any]) -> None:
    """One worker after another, or four with deaths: the same trials, legs, values and order."""
    studies.create(db, ladder("one", lag=3, **parts))
    climb([Climber(db)], 0)
    alone = found(db, "one")
    for seed in (1, 2):
        studies.create(db, ladder(f"four-{seed}", lag=3, **parts))
        climb([Climber(db) for _ in range(4)], seed, mishaps=0.05)
        assert found(db, f"four-{seed}") == alone
    assert {row[5] for row in alone} == {"complete", "pruned"}
    assert audit(db) == []


@pytest.mark.parametrize("pruner", ["none", "median", "hyperband", "successive_halving", "asha"])
def test_no_more_epochs_are_trained_than_the_budget_has(db: Database, pruner: str) -> None:
    """The rest is too small for what could begin, and is said; deaths and departures change nothing."""
    parts = {"min_epochs": 1, "reduction_factor": 3} if pruner == "asha" else {}
    budget = {"epochs": 100}
    studies.create(db, ladder(budget=budget, pruner={"name": pruner, **parts}))
    climb([Climber(db) for _ in range(3)], 7, mishaps=0.05)
    record = studies.get(db, "asha")
    assert record.state is StudyState.COMPLETE
    [(trained, points)] = rows(
        db,
        "SELECT sum(epoch), (SELECT count(*) FROM fleet.curves) FROM fleet.runs WHERE stage = 'search'",
    )
    assert trained == points  # the curves have one metric
    least = 1 if pruner == "asha" else 9
    assert 100 - least < trained <= 100
    said = f"epochs: {trained} of 100 are trained, and the rest pays for no leg"
    assert record.closing == (None if pruner == "none" else said)  # 11 whole trials are all that there could be
    assert audit(db) == []


def test_orders_reach_paused_trials(db: Database) -> None:
    study, climbers = paused_study(db)
    first, *_ = trials.page(db, study, limit=2, state=RunState.PAUSED)
    assert first.number is not None
    cancellation.cancel(db, "asha", first.number)
    assert studies.get(db, "asha").counts["cancelled"] == 1
    studies.set_state(db, "asha", "paused")
    while climbers[1].lease is not None:  # it trains up to its rung, and pauses there
        climbers[1].move()
    assert not climbers[0].move()
    assert audit(db) == []
    studies.set_state(db, "asha", "running")
    extension.extend(db, "asha", 3)
    assert climbers[0].move()
    studies.set_state(db, "asha", "stopped")
    climbers[0]._finish(Ended(RunState.CANCELLED, "study stopped"))
    record = studies.get(db, "asha")
    assert {state for state, runs in record.counts.items() if runs} == {"cancelled"}
    assert record.finished_at is not None
    [optunas] = rows(db, "SELECT array_agg(DISTINCT state::text) FROM trials")
    assert optunas == (["FAIL"],)
    assert audit(db) == []
    studies.delete(db, "asha")
    assert rows(db, "SELECT count(*) FROM fleet.legs") == [(0,)]


def test_a_limit_ends_paused_trials_as_pruned_and_a_failed_one_may_be_tried_again(db: Database) -> None:
    study, climbers = paused_study(db, budget={"trials": 27, "wall_time": 3600})
    climbers[1]._finish(Ended(RunState.FAILED, "by chance"))
    number = trials.page(db, study, limit=1, state=RunState.FAILED)[0].number
    assert number is not None
    assert retrying.retry(db, "asha", [number])[1] == 1
    assert audit(db) == []
    execute(db, "UPDATE fleet.studies SET started_at = started_at - interval '2 hours'")
    expiry.expire(db)
    record = studies.get(db, "asha")
    assert record.closing == "wall time used up"
    assert {state: runs for state, runs in record.counts.items() if runs} == {"pruned": 2, "cancelled": 25}
    assert audit(db) == []


def test_a_used_up_budget_of_epochs_is_not_extended(db: Database) -> None:
    studies.create(db, ladder(budget={"trials": 40, "epochs": 50}))
    climb([Climber(db)], 0)
    with pytest.raises(NotExtendable, match="epochs: 50 of 50 are trained"):
        extension.extend(db, "asha", 3)
    assert audit(db) == []


# What each rule of the audit is to find.
PLANTED = {
    "a search is claimed by legs if its trials pause or its epochs are budgeted": (
        "UPDATE fleet.studies SET by_legs = false"
    ),
    "a paused run stands at the end of its leg, and nobody holds it": "UPDATE fleet.runs SET lease_until = now()",
    "a leg begins where the one before has ended": "UPDATE fleet.legs SET number = number + 1000 WHERE epochs = 1",
    "a leg's cost is that of the best epoch by then": "UPDATE fleet.legs SET cost = cost - 1",
    "a run's books say what was trained, and what its leg will need": "UPDATE fleet.runs SET booked = booked + 1",
    "a search trains no more epochs than its budget": (
        "UPDATE fleet.studies SET definition = jsonb_set(definition, '{budget,epochs}', '20')"
    ),
}


def test_the_audit_finds_what_is_planted_among_legs(db: Database) -> None:
    studies.create(db, ladder(budget={"trials": 27, "epochs": 100}))
    climber = Climber(db)
    while not rows(db, "SELECT 1 FROM fleet.legs WHERE epochs = 9"):
        climber.move()
    assert audit(db) == []
    for rule, statement in PLANTED.items():
        with db.engine.connect() as connection:
            connection.execute(sa.text(statement))
            assert rule in {finding.rule for finding in findings(connection)}, rule
            connection.rollback()


def test_a_paused_run_has_the_attempts_that_it_has_had(db: Database) -> None:
    study, _ = paused_study(db)
    paused = [run for run in trials.page(db, study) if run.state is RunState.PAUSED]
    assert [run.attempts for run in paused] == [1, 1]
    [attempt] = history.of_run(db, paused[0].run_id)
    assert (attempt.number, attempt.state) == (1, AttemptState.PAUSED)
    studies.set_state(db, study.name, "stopped")
    close_finished_studies(db)
    cancelled = [run for run in trials.page(db, study) if run.run_id == paused[0].run_id]
    assert [(run.state, run.attempts) for run in cancelled] == [(RunState.CANCELLED, 1)]


def test_a_pause_that_was_left_has_no_epoch_of_a_later_leg(db: Database) -> None:
    study = studies.create(db, ladder(budget={"trials": 27, "epochs": 100}))
    climber = Climber(db)
    while not rows(db, "SELECT 1 FROM fleet.legs WHERE epochs = 9"):
        climber.move()
    with db.engine.connect() as connection:
        told = [one for one in lately(connection, study.id, 100) if one.state is AttemptState.PAUSED]
    reached = {run.number: run.epoch for run in trials.page(db, study)}
    seen = [one.number for one in told]  # the newest first
    left = [one for place, one in enumerate(told) if one.number in seen[:place]]
    assert left, "no trial has paused twice"
    assert {one.epoch for one in left} == {None}
    assert all(one.epoch in (None, reached[one.number]) for one in told)
    assert any(one.epoch == 1 for one in told)


def test_what_paused_before_a_pause_kept_the_attempt_goes_on_and_is_audited(db: Database) -> None:
    study, climbers = paused_study(db)
    execute(db, "UPDATE fleet.run_history SET attempts = 0 WHERE state = 'paused'")
    execute(db, "UPDATE fleet.runs SET attempts = 0 WHERE state = 'paused'")
    assert audit(db) == []
    climb(climbers, 0)
    assert {run.attempts for run in trials.page(db, study) if run.state is RunState.COMPLETE} == {1}
    assert audit(db) == []
