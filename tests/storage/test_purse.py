"""A search whose trials pause ends with a trial that was trained to its end, if the budget pays for one."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from service.storage.assignments.assignment import Ended
from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.runs import claiming, legs
from service.storage.runs.purse import Purse
from service.storage.states import RunState, StudyState
from service.storage.studies import studies
from tests.storage.climbing import Climber, climb, ladder, rows

FEWEST = 21  # epochs, of rungs after 1, 3 and 9: nine trials, three and one


def reached(db: Database, name: str = "asha") -> list[tuple[Any, ...]]:
    return rows(
        db,
        "SELECT l.number, l.place, l.epochs, l.cost, r.state, r.booked FROM fleet.legs l"
        " JOIN fleet.runs r ON r.id = l.run_id JOIN fleet.studies s ON s.id = l.study_id"
        " WHERE s.name = :name ORDER BY 1",
        name=name,
    )


def booked(db: Database) -> int:
    [(epochs,)] = rows(db, "SELECT sum(booked) FROM fleet.runs WHERE stage = 'search'")
    return int(epochs)


def best_first(params: Mapping[str, Any], epoch: int) -> float:
    """The loss of the largest rate is the least, and falls."""
    return 1 / float(params["learning_rate"]) + 1 / epoch


def falling_rates(trials: int) -> list[dict[str, float]]:
    return [{"learning_rate": 1.0 - place / 100} for place in range(trials)]


def fail_the_first(climber: Climber) -> None:
    while climber.epoch < 1:
        climber.move()
    climber._finish(Ended(RunState.FAILED, "val_loss became nan"))


@pytest.mark.parametrize("workers", [1, 4, 12])
@pytest.mark.parametrize("brackets", [1, 2])
def test_however_many_workers_spend_the_fewest_epochs_one_trial_is_complete(
    db: Database, workers: int, brackets: int
) -> None:
    """All of them would begin new trials, and leave nothing for those that are the best."""
    pruner = {"name": "asha", "min_epochs": 1, "reduction_factor": 3, "brackets": brackets}
    studies.create(db, ladder(budget={"epochs": FEWEST}, pruner=pruner))
    climb([Climber(db) for _ in range(workers)], 0, mishaps=0.05)
    record = studies.get(db, "asha")
    assert record.state is StudyState.COMPLETE
    assert record.counts["complete"] >= 1
    assert booked(db) <= FEWEST
    assert audit(db) == []


def test_a_failed_trial_costs_the_fewest_epochs_no_result(db: Database) -> None:
    studies.create(db, ladder(budget={"epochs": FEWEST}))
    climber = Climber(db)
    fail_the_first(climber)
    climb([climber], 0)
    assert studies.get(db, "asha").counts["complete"] == 1
    assert booked(db) <= FEWEST
    assert audit(db) == []


def test_a_failed_trial_costs_the_fewest_trials_no_result(db: Database) -> None:
    """Of 26 that reach the first rung 8 go on, of these 2, and of these none by the rule."""
    studies.create(db, ladder(epochs=27, start_with=falling_rates(27)))
    climber = Climber(db, best_first)
    fail_the_first(climber)
    climb([climber], 0)
    assert studies.get(db, "asha").counts["complete"] == 1
    assert [row[1] for row in reached(db) if row[2] == 27] == [1]  # the best that did not fail
    assert audit(db) == []


def test_where_all_fail_on_their_way_to_the_end_the_rest_is_not_trained_for_it(db: Database) -> None:
    class Failing(Climber):
        def _train(self) -> None:
            super()._train()
            if self.epoch == 2:
                self._finish(Ended(RunState.FAILED, "val_loss became nan"))

    studies.create(db, ladder(epochs=27))
    climb([Failing(db) for _ in range(4)], 0)
    record = studies.get(db, "asha")
    assert record.state is StudyState.FAILED
    assert record.counts["failed"] >= 27 // 3  # the best third of the first rung, and who was among it earlier
    assert record.counts["pruned"] >= 27 // 3
    assert audit(db) == []


def test_the_last_trial_that_somebody_has_locked_is_waited_for(db: Database) -> None:
    study = studies.create(db, ladder(epochs=27, start_with=falling_rates(27)))
    climber = Climber(db, best_first)
    fail_the_first(climber)
    while not _is_last(db, study.id) or climber.lease is not None:
        climber.move()
    with db.engine.begin() as other:
        other.execute(sa.text("SELECT FROM fleet.runs WHERE state = 'waiting' FOR UPDATE"))
        assert claiming.claim(db, climber.worker, 60) is None
    lease = claiming.claim(db, climber.worker, 60)
    assert lease is not None
    assert (lease.place, lease.until) == (26, 1)


def _is_last(db: Database, study_id: int) -> bool:
    """Whether one trial waits, and it is the next."""
    [(waiting,)] = rows(db, "SELECT count(*) FROM fleet.runs WHERE state = 'waiting'")
    with db.engine.connect() as connection:
        choice = legs.choose(connection, study_id)
    return waiting == 1 and isinstance(choice, legs.Leg) and choice.start == 0


def test_a_grid_of_few_configurations_has_a_result(db: Database) -> None:
    space = {"learning_rate": {"type": "categorical", "choices": [0.01, 0.05, 0.1, 0.5]}}
    studies.create(db, ladder(sampler={"name": "grid"}, search_space=space, budget={"trials": None}))
    climb([Climber(db) for _ in range(2)], 0)
    record = studies.get(db, "asha")
    assert (record.counts["complete"], record.counts["pruned"]) == (1, 3)
    assert record.best is not None
    assert record.best.params["learning_rate"] == 0.05
    assert audit(db) == []


def test_with_a_lag_any_fleet_keeps_back_the_same(db: Database) -> None:
    found = []
    for name, workers in (("one", 1), ("four", 4)):
        studies.create(db, ladder(name, budget={"epochs": FEWEST}, lag=6))
        climb([Climber(db) for _ in range(workers)], workers, mishaps=0.05)
        found.append(reached(db, name))
    assert found[0] == found[1]
    assert [row[4] for row in found[0] if row[2] == 9] == ["complete"]
    assert audit(db) == []


def test_a_rest_that_brings_no_trial_to_its_end_is_not_spent(db: Database) -> None:
    """Who was sent to the end fails there, and nobody else can come so far."""
    studies.create(db, ladder(budget={"epochs": FEWEST}))
    climber = Climber(db)
    while climber.until != 9 or climber.epoch < 9:
        climber.move()
    climber._finish(Ended(RunState.FAILED, "val_loss became nan"))
    climb([climber], 0)
    record = studies.get(db, "asha")
    assert record.state is StudyState.FAILED
    assert record.closing == f"epochs: {booked(db)} of {FEWEST} are trained, and the rest brings no trial to its end"
    assert audit(db) == []


def test_what_lies_outside_of_the_space_is_no_result(db: Database) -> None:
    outside = {"params": {"learning_rate": 2.0, "regularizer": "dropout", "drop_rate": 0.4}, "outside": True}
    studies.create(db, ladder(budget={"epochs": FEWEST + 9}, start_with=[outside]))
    climb([Climber(db) for _ in range(6)], 0)
    assert sorted(row[1] > 0 for row in reached(db) if row[2] == 9) == [False, True]
    assert booked(db) <= FEWEST + 9
    assert audit(db) == []


def test_a_search_that_has_a_result_spends_what_is_left_on_whatever_it_pays_for(db: Database) -> None:
    studies.create(db, ladder(budget={"epochs": FEWEST + 8}))
    climb([Climber(db)], 0)
    assert booked(db) == FEWEST + 8


@pytest.mark.parametrize(
    ("purse", "pays"),
    [
        (Purse(None, 0, 9), lambda start, until: True),
        (Purse(9, 0, 9), lambda start, until: True),
        (Purse(8, 0, 9), lambda start, until: start == 1),
        (Purse(8, 1, 9), lambda start, until: start == 1),
        (Purse(9, 1, 9), lambda start, until: True),
        (Purse(7, 9, 9), lambda start, until: True),
        (Purse(1, 9, 9), lambda start, until: until - start == 1),
    ],
)
def test_what_a_purse_pays_for(purse: Purse, pays: Callable[[int, int], bool]) -> None:
    for start, until in ((0, 1), (1, 3)):
        assert purse.pays_for(start, until) == pays(start, until)
