"""ASHA's moves on the queue without any training: workers that claim, report made-up curves, and reach rungs."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from search_spaces import StudyDefinition, parse_definition
from service.storage.assignments.assignment import Ended
from service.storage.assignments.epochs import taken_in
from service.storage.assignments.progress import EpochDone
from service.storage.assignments.search_trial import SearchTrial
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import Lease, StudyRecord
from service.storage.runs import claiming, holding, pausing
from service.storage.states import RunState
from service.storage.studies import studies
from tests.storage.queueing import execute

Curve = Callable[[Mapping[str, Any], int], float]


def ladder(
    name: str = "asha", *, trials: int | None = 27, epochs: int = 9, lag: int | None = None, **parts: Any
) -> StudyDefinition:
    """A study whose trials are compared after 1, 3 and 9 epochs."""
    sampler = {"name": "tpe", "n_startup_trials": 4} | ({} if lag is None else {"lag": lag})
    definition = {
        "name": name,
        "task": {"name": "digits", "epochs": epochs},
        "search_space": {"learning_rate": {"type": "float", "low": 0.001, "high": 1.0, "log": True}},
        "fixed": {"regularizer": "dropout", "drop_rate": 0.4},
        "seed": 5,
        "sampler": sampler,
        "pruner": {"name": "asha", "min_epochs": 1, "reduction_factor": 3},
        "budget": {"trials": trials},
        "retries": 10,
    }
    return parse_definition({**definition, **parts})


def bowl(params: Mapping[str, Any], epoch: int) -> float:
    """The loss after an epoch: better for rates near 0.05, and falling."""
    rate = params["learning_rate"]
    return abs(rate - 0.05) + 1 / (epoch + rate)


@dataclass
class Climber:
    """A worker: it makes one move at a time, an epoch or the end of a leg, and may die in between."""

    db: Database
    curve: Curve = bowl
    worker: str = ""
    lease: Lease | None = None
    trial: SearchTrial | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    epoch: int = 0
    until: int | None = None

    def __post_init__(self) -> None:
        self.worker = workers.register(self.db, "host", 1, "cpu")

    def move(self) -> bool:
        """Do one thing; return whether there was something to do."""
        if self.lease is None or self.trial is None:
            return self._claim()
        epochs = self.lease.definition.epochs
        if self.epoch == epochs:
            self._finish(Ended(RunState.COMPLETE))
        elif self.epoch == self.until:
            cost = self.lease.definition.objectives[0].cost(self.trial.progress.of_repeat(0))
            self.until = pausing.reached(self.db, self.lease, self.epoch, cost)
            if self.until is None:
                pausing.pause(self.db, self.lease, self.trial.progress.best_epoch)
                self.lease = None
        else:
            self._train()
        return True

    def _claim(self) -> bool:
        self.lease = claiming.claim(self.db, self.worker, 60)
        if self.lease is None:
            return False
        self.trial = SearchTrial(self.db, self.lease)
        assert self.trial.adopt() is None
        self.params = self.trial.prepare()
        self.epoch, self.until = 0, self.lease.until
        return True

    def _train(self) -> None:
        assert self.lease is not None
        assert self.trial is not None
        self.epoch += 1
        done = EpochDone(0, self.epoch, {"val_loss": self.curve(self.params, self.epoch)})
        taken = taken_in(self.lease.definition, self.trial, done)
        taken.record(self.db, self.lease)
        if taken.report is not None and self.trial.is_hopeless(taken.report):
            self._finish(Ended(RunState.PRUNED))

    def _finish(self, ended: Ended) -> None:
        assert self.lease is not None
        assert self.trial is not None
        trial, progress = self.trial, self.trial.progress
        values = progress.values if ended.state is RunState.COMPLETE else None
        holding.finish(
            *(self.db, self.lease, ended.state),
            best_epoch=progress.best_epoch,
            values=values,
            tell=lambda: trial.tell(ended),
        )
        self.lease = None

    def leave(self) -> None:
        """Hand the run back, as a worker that is told to leave."""
        if self.lease is not None:
            holding.hand_back(self.db, self.lease)
            self.lease = None

    def die(self) -> None:
        """Forget the run, whose lease ends."""
        if self.lease is not None:
            run = self.lease.run_id
            execute(self.db, f"UPDATE fleet.runs SET lease_until = now() - interval '1 second' WHERE id = {run}")
        self.lease = None
        self.worker = workers.register(self.db, "host", 1, "cpu")


def climb(
    climbers: list[Climber], seed: int, *, mishaps: float = 0.0, until: Callable[[], bool] = lambda: False
) -> None:
    """Let the climbers move in a random order until none of them has anything to do."""
    dice = random.Random(seed)
    idle = 0
    while idle < 3 * len(climbers):
        climber = dice.choice(climbers)
        if climber.lease is not None and dice.random() < mishaps:
            dice.choice([climber.leave, climber.die])()
            continue
        idle = 0 if climber.move() else idle + 1
        if any(each.lease is not None for each in climbers):
            idle = 0


def paused_study(db: Database, **parts: Any) -> tuple[StudyRecord, list[Climber]]:
    """A study of which two trials are paused, and one is in training."""
    study = studies.create(db, ladder(**parts))
    climbers = [Climber(db), Climber(db)]
    while studies.get(db, study.name).counts["paused"] < 2:
        climbers[0].move()
    climbers[1].move()
    climbers[1].move()
    return study, climbers


def rows(db: Database, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    with db.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement), values)]
