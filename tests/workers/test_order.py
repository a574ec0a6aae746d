"""The same definition gives the same study, whatever the fleet: a search with a lag."""

import random
from typing import Any

import pytest

from search_spaces import StudyDefinition, TrialConfig, parse_definition
from search_spaces.budget import Budget
from service.storage.assignments.assignment import Ended
from service.storage.assignments.progress import EpochDone
from service.storage.assignments.search_trial import SearchTrial
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import Lease
from service.storage.runs import claiming, held_up, holding
from service.storage.states import RunState, Stage
from service.storage.studies import extension, studies, trials
from tests.search_spaces.studies import categorical, raw, real

EPOCHS, TRIALS, LAG = 3, 12, 4
SAMPLERS: list[dict[str, Any]] = [
    {"name": "tpe", "n_startup_trials": 4},
    {"name": "gp", "n_startup_trials": 4},
    {"name": "cmaes"},
    {"name": "nsgaii", "population_size": 4},
    {"name": "qmc"},
    {"name": "random"},
    {"name": "grid"},
]


def definition(name: str, sampler: dict[str, Any], **changes: Any) -> StudyDefinition:
    is_grid = sampler["name"] == "grid"
    step = {"step": 0.1} if is_grid else {}
    return parse_definition(
        raw(
            name=name,
            task={"name": "digits", "epochs": EPOCHS},
            search_space={
                "regularizer": categorical("dropout", "dropconnect"),
                "drop_rate": real(0.0, 0.5, **step),
                **({} if is_grid else {"learning_rate": real(0.001, 0.1, log=True)}),
            },
            seed=5,
            sampler={**sampler, "lag": LAG},
            pruner={"name": "median", "n_startup_trials": 1, "n_warmup_epochs": 0},
            budget=None if is_grid else {"trials": TRIALS},
            **changes,
        )
    )


def loss(config: TrialConfig, epoch: int) -> float:
    """A curve that follows from the settings alone."""
    return (config.drop_rate - 0.4) ** 2 + abs(config.learning_rate - 0.01) + 1 / epoch * config.drop_rate


class Fleet:
    """Workers in one process, each of which trains its run an epoch at a time, in a random order of turns."""

    def __init__(self, db: Database, size: int, seed: int) -> None:
        self._db, self._random = db, random.Random(seed)
        self._idle = [workers.register(db, f"host{number}", number, "cpu") for number in range(size)]
        self._busy: list[tuple[str, Lease, SearchTrial, TrialConfig, int]] = []
        self.most_busy = 0

    def work(self) -> None:
        """Work until the queue is empty."""
        while True:
            self._claim()
            if not self._busy:
                return
            self.most_busy = max(self.most_busy, len(self._busy))
            self._turn(self._random.randrange(len(self._busy)))

    def _claim(self) -> None:
        self._random.shuffle(self._idle)
        for worker in list(self._idle):
            lease = claiming.claim(self._db, worker, 60)
            while lease is not None and lease.stage is Stage.CONFIRMATION:
                holding.finish(self._db, lease, RunState.COMPLETE, tell=lambda: None)
                lease = claiming.claim(self._db, worker, 60)
            if lease is None:
                return
            self._idle.remove(worker)
            trial = SearchTrial(self._db, lease)
            ended = trial.adopt()
            assert ended is None
            self._busy.append((worker, lease, trial, TrialConfig.from_params(trial.prepare()), 0))

    def _turn(self, place: int) -> None:
        worker, lease, trial, config, epoch = self._busy.pop(place)
        if self._random.random() < 0.1:  # it leaves, and its run starts again elsewhere
            holding.hand_back(self._db, lease)
            self._idle.append(worker)
            return
        report = trial.take_in(EpochDone(0, epoch + 1, {"val_loss": loss(config, epoch + 1)}))
        holding.record_epoch(self._db, lease, epoch + 1, [], report)
        assert report is not None
        if trial.is_hopeless(report):
            ended = Ended(RunState.PRUNED)
        elif epoch + 1 == EPOCHS:
            ended = Ended(RunState.COMPLETE)
        else:
            self._busy.append((worker, lease, trial, config, epoch + 1))
            return
        holding.finish(self._db, lease, ended.state, values=trial.progress.values, tell=lambda: trial.tell(ended))
        self._idle.append(worker)


def table(db: Database, name: str) -> list[tuple[object, ...]]:
    """What the study has found, in the order of its runs."""
    study = studies.get(db, name)
    reports = {each.number: each.intermediate_values for each in db.optuna.get_all_trials(study.optuna_study_id)}
    found = trials.page(db, study)
    return [(each.number, str(each.state), each.params, each.values, reports[each.number or 0]) for each in found]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler["name"])
def test_one_worker_and_four_that_come_and_go_find_the_same(db: Database, sampler: dict[str, Any]) -> None:
    tables = []
    for size, seed in ((1, 1), (4, 2)):
        name = f"study-{size}"
        studies.create(db, definition(name, sampler))
        fleet = Fleet(db, size, seed)
        fleet.work()
        assert fleet.most_busy == size
        tables.append(table(db, name))
    one, four = tables
    assert len(one) == TRIALS
    assert one == four
    assert len({row[1] for row in one}) == 2  # complete and pruned


def test_a_worker_that_waits_for_the_lag_is_seen_as_such(db: Database) -> None:
    studies.create(db, definition("held", {"name": "random"}))
    waiting, *busy = (workers.register(db, f"host{number}", number, "cpu") for number in range(LAG + 2))
    for worker in busy:
        lease = claiming.claim(db, worker, 60)
        assert lease is not None
        SearchTrial(db, lease).prepare()
    assert claiming.claim(db, waiting, 60) is None
    assert held_up.held_up(db) == "held"
    assert {one.id: one.state for one in workers.alive(db)} == {waiting: "held up"} | dict.fromkeys(busy, "busy")
    studies.set_state(db, "held", "stopped")
    assert {one.id: one.state for one in workers.alive(db)}[waiting] == "idle"


def test_a_search_goes_on_after_a_confirmation_as_if_there_had_been_none(db: Database) -> None:
    tpe = SAMPLERS[0]
    studies.create(db, definition("whole", tpe, search="free"))
    Fleet(db, 2, 1).work()
    begun = definition("begun", tpe, search="free", confirmation={"repeats": 2})
    studies.create(db, begun.model_copy(update={"budget": Budget(trials=8)}))
    Fleet(db, 3, 2).work()
    assert sum(studies.get(db, "begun").confirmation.values()) == 2
    extension.extend(db, "begun", 4)
    Fleet(db, 3, 3).work()
    whole, found = table(db, "whole"), [row for row in table(db, "begun") if row[0] is not None]
    assert len(whole) == 12
    assert found == whole
