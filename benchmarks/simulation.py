"""Workers that do everything but train: the real agent with its leases, suggestions, curves and reports, whose
trial process only lets time pass. Each has a `Database` of its own, as a worker on a machine of its own would."""

import itertools
import logging
import multiprocessing
import random
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy as sa

from service.storage.assignments.progress import EpochDone
from service.storage.database.database import Database
from workers.runs.agent import Agent, Options
from workers.trial.messages import Finished, Order, Report
from workers.trial.process import TrialProcessDied

METRICS = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "train_step_loss", "train_seconds")


@dataclass(frozen=True)
class Duty:
    """What a simulated worker's trials are like."""

    seconds: float  # a trial's training takes
    epochs: int
    spread_s: float  # the workers start at random within


@dataclass
class Times:
    """Milliseconds of every step, and the number of statements, of some workers."""

    steps: dict[str, list[float]] = field(default_factory=dict)
    claimed_at: list[float] = field(default_factory=list)  # s since the epoch
    statements: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, step: str, seconds: float) -> None:
        self.steps.setdefault(step, []).append(seconds * 1000)

    def join(self, other: "Times") -> None:
        for step, times in other.steps.items():
            self.steps.setdefault(step, []).extend(times)
        self.claimed_at += other.claimed_at
        self.statements += other.statements
        self.errors += other.errors


class Seat:
    """The seat and the trial process of a simulated worker in one. It sees every step of the agent begin or end."""

    device = "simulated"

    def __init__(self, duty: Duty, times: Times) -> None:
        self._duty, self._times = duty, times
        self._since = 0.0
        self._step = ""
        self._reports: Iterator[Report]

    @property
    def process(self) -> "Seat":
        return self

    def take(self, run_id: int | None = None) -> bool:
        self._begins("claim" if run_id is None else "ask")
        if run_id is not None:
            self._times.claimed_at.append(time.time())
        return True

    def order(self, order: Order) -> None:
        self._begins("")
        self._reports = self._train()

    def listen(self, seconds: float) -> Report:
        self._begins("")
        report = next(self._reports)
        self._begins("tell" if isinstance(report, Finished) else "epoch")
        return report

    def end_of_run(self, **_: object) -> None:
        self._begins("")

    def idle(self) -> None:
        self._step = ""

    def is_shared(self) -> bool:
        return False

    def replace(self) -> None:
        self._times.errors["a trial process would have been replaced"] += 1

    def clear(self) -> None:
        return

    def _begins(self, step: str) -> None:
        now = time.perf_counter()
        if self._step:
            self._times.add(self._step, now - self._since)
        self._step, self._since = step, now

    def _train(self) -> Iterator[Report]:
        for epoch in range(1, self._duty.epochs + 1):
            time.sleep(self._duty.seconds / self._duty.epochs * random.uniform(0.9, 1.1))
            yield EpochDone(0, epoch, dict.fromkeys(METRICS, random.uniform(1, 2) / epoch))
        yield Finished()


def work(url: str, workers: int, processes: int, duty: Duty) -> Times:
    """Have so many workers, spread over processes, empty the queue; returns their times."""
    context = multiprocessing.get_context("spawn")
    shares = [len(range(index, workers, processes)) for index in range(processes)]
    with context.Pool(processes) as pool:
        times = Times()
        for part in pool.starmap(_share, [(url, share, duty) for share in shares]):
            times.join(part)
    return times


def _share(url: str, workers: int, duty: Duty) -> Times:
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    _warm_up(url)
    threading.stack_size(256 * 1024)
    parts = [Times() for _ in range(workers)]
    statements = itertools.count()  # whose `next` no thread interrupts
    sa.event.listen(sa.Engine, "before_cursor_execute", lambda *_: next(statements) and None)
    threads = [threading.Thread(target=_agent, args=(url, duty, part)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = Times(statements=next(statements))
    for part in parts:
        times.join(part)
    return times


def _warm_up(url: str) -> None:
    """Import what the first trial would: with many workers a process, all of them would wait for it at once."""
    with Database.open(url) as db:
        study = optuna.create_study(storage=db.optuna, sampler=optuna.samplers.TPESampler(n_startup_trials=0))
        for _ in range(3):
            trial = study.ask()
            study.tell(trial, trial.suggest_float("x", 0, 1))
        optuna.delete_study(study_name=study.study_name, storage=db.optuna)


def _agent(url: str, duty: Duty, times: Times) -> None:
    time.sleep(random.uniform(0, duty.spread_s))
    seat: Any = Seat(duty, times)
    with Database.open(url) as db:
        try:
            Agent(db, Options(data_folder=Path(), exit_when_idle=True), seat).run()
        except (Exception, TrialProcessDied) as error:  # counted, so that nothing that went wrong goes unseen
            times.errors[f"{type(error).__name__}: {error}".splitlines()[0]] += 1
