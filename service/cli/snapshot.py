"""A study at one moment, as `watch` shows it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from search_spaces.objective import metric_name
from search_spaces.task import EXTERNAL
from service.api.models import CurvePointOut, StudyDetail, TrialOut
from service.client import Client, Refused

MOST_SHOWN = 8  # running trials; a fleet has hundreds

ENDED = frozenset({"complete", "failed", "stopped"})


@dataclass(frozen=True)
class RunningTrial:
    """A run in training and the last value of the study's first objective."""

    trial: TrialOut
    value: float | None


@dataclass(frozen=True)
class Snapshot:
    """The answers of one round of requests."""

    study: StudyDetail
    running: Sequence[RunningTrial]
    is_left_alone: bool = False  # its runs wait, and no worker is alive

    @property
    def is_own_loops(self) -> bool:
        """Whether no worker trains its runs."""
        return self.study.task == EXTERNAL

    @property
    def total(self) -> int:
        return self.study.budget.trials

    @property
    def ended_runs(self) -> int:
        return self.study.counts.ended

    @property
    def confirming(self) -> tuple[int, int]:
        """The number of the confirmation's ended runs, and of all its runs."""
        return self.study.confirmation.ended, self.study.confirmation.total

    @property
    def goal(self) -> str:
        """What the confirmation goes on for: rounds come until it is decided, and its runs grow in number."""
        confirmation = self.study.definition.get("confirmation") or {}
        is_decided = confirmation.get("until") == "decided"
        return f", until decided or {confirmation['most_repeats']} seeds" if is_decided else ""

    @property
    def running_runs(self) -> int:
        return self.study.counts.running + self.study.confirmation.running

    @property
    def metric(self) -> str:
        return self.study.objectives[0].metric

    @property
    def over(self) -> bool:
        """Whether none of its runs is in training, and the study has ended or has paused itself."""
        return (self.study.state in ENDED or self.study.pause is not None) and self.running_runs == 0


def take(client: Client, name: str) -> Snapshot:
    """Ask for the study and for its first few running trials with their curves."""
    snapshot = Snapshot(client.study(name), ())
    if snapshot.running_runs == 0:
        serving = snapshot.study.name if snapshot.is_own_loops else None
        alone = snapshot.study.state == "running" and all(one.serves != serving for one in client.workers())
        return replace(snapshot, is_left_alone=alone)
    trials = client.trials(name, "running", limit=MOST_SHOWN).trials
    begun = [(trial, number) for trial in trials if (number := _number(trial)) is not None]
    return replace(snapshot, running=[_with_value(client, snapshot.study, *one) for one in begun])


def _number(trial: TrialOut) -> int | None:
    """The run's number in its stage; None for a trial that was not yet asked for."""
    return trial.number if trial.stage == "search" else trial.place


def _with_value(client: Client, study: StudyDetail, trial: TrialOut, number: int) -> RunningTrial:
    try:
        curves = client.trial(study.name, number, trial.stage).curves
    except Refused:  # handed back or deleted between two requests
        curves = []
    return RunningTrial(trial, last_value(curves, study.objectives[0].metric))


def last_value(curves: Sequence[CurvePointOut], metric: str) -> float | None:
    """The newest value of `metric` ("<split>_<name>") in the curves."""
    points = [point for point in curves if metric_name(point.split, point.metric) == metric]
    return max(points, key=lambda point: (point.repeat, point.epoch)).value if points else None
