"""Frozen records: what the storage hands out. Times are timezone-aware and in UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from search_spaces import StudyDefinition


class RunState(StrEnum):
    """Where a unit of a study's budget stands."""

    WAITING = "waiting"  # in the queue: never started, or handed back
    RUNNING = "running"  # leased by a worker, perhaps one that is dead by now
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"
    CANCELLED = "cancelled"  # its study was stopped or ran out of wall time


OPEN_STATES = (RunState.WAITING, RunState.RUNNING)
FINISHED_STATES = (RunState.COMPLETE, RunState.PRUNED, RunState.FAILED)


class StudyState(StrEnum):
    """What a study is doing."""

    RUNNING = "running"
    PAUSED = "paused"  # no run is leased, those already running go on
    STOPPED = "stopped"  # for good: waiting runs are cancelled, running ones end at their next epoch
    COMPLETE = "complete"  # every run of the budget has ended


@dataclass(frozen=True)
class TrialRecord:
    """One run of a study and, once a worker asked for it, the Optuna trial it became."""

    run_id: int
    number: int | None  # Optuna's trial number
    state: RunState
    params: Mapping[str, Any]
    variant: str
    values: list[float] | None  # one per objective; of a pruned trial its last report
    best_epoch: int | None  # the epoch that the values were taken from
    epoch: int  # the last epoch that was written
    attempts: int
    reason: str | None  # why it failed or was cancelled
    worker: str | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_s: float | None
    facts: Mapping[str, Any] = field(default_factory=dict)  # backend that ran, parameter count, device...


@dataclass(frozen=True)
class StudyRecord:
    """A study as it stands now."""

    id: int
    name: str
    definition: StudyDefinition
    state: StudyState
    created_at: datetime
    started_at: datetime | None  # when its first run was leased; wall_time counts from here
    finished_at: datetime | None
    counts: Mapping[str, int]  # by run state, every state present
    best: TrialRecord | None
    optuna_study_id: int


@dataclass(frozen=True)
class CurvePoint:
    """One number of a learning curve."""

    epoch: int
    repeat: int
    split: str  # train, val, test
    metric: str
    value: float


@dataclass(frozen=True)
class WorkerRecord:
    """A worker that was seen lately."""

    id: str
    name: str  # host:pid
    host: str
    pid: int
    device: str
    state: str  # idle, busy
    started_at: datetime
    seen_at: datetime
    study: str | None
    trial: int | None


@dataclass(frozen=True)
class Lease:
    """The right to work on a run until `lease_until` passes; `token` grows with every new holder."""

    run_id: int
    study_id: int
    ordinal: int  # the run's place in its study, from 0
    token: int
    attempts: int
    trial_id: int | None  # the Optuna trial of an earlier holder
    trial_number: int | None
