"""The frozen records that the storage returns. Times are timezone-aware and in UTC."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from search_spaces import StudyShape
from search_spaces.objective import TEST
from service.storage.scores import Scores
from service.storage.states import Origin, RunState, Stage, StudyState


@lru_cache(maxsize=1024)  # more than the longest page
def parsed_definition(text: str) -> StudyShape:
    """Return the definition, cached since it is read far more often than written, and without today's rules."""
    return StudyShape.model_validate(json.loads(text))


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One run of a study and, for a run of the search, the Optuna trial that it became."""

    run_id: int  # 0 while, or because, the run has no row: see service.storage.runs.supply
    number: int | None  # Optuna's trial number
    state: RunState
    params: Mapping[str, Any]
    variant: str
    values: list[float] | None  # one per objective: a pruned trial's last report, a confirmation's on the test split
    best_epoch: int | None  # the epoch that the values were taken from
    epoch: int  # the last epoch that was written
    attempts: int
    reason: str | None  # why it failed or was cancelled
    worker: str | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_s: float | None  # from its start to its end, whatever it did
    facts: Mapping[str, Any] = field(default_factory=dict)  # backend that ran, parameter count, device...
    stage: Stage = Stage.SEARCH
    place: int | None = None  # in the confirmation, from 0; it stays when the study is extended
    first_seed: int | None = None  # of the study's seeds, for a confirmation's first repeat; None in the search
    seeds: int | None = None  # of a run of the confirmation, one after another; None in the search
    origin: Origin = Origin.SAMPLER  # of its parameters
    provenance: str | None = None  # the digest of its last holder's; None for runs of earlier releases
    spent_s: float = 0.0  # for which its holders have had it, in all: without the time that it waited or was paused

    @property
    def is_tested(self) -> bool:
        """Whether its values are of the test split: in a confirmation, unless its worker says that there is none."""
        return self.stage is Stage.CONFIRMATION and self.facts.get("confirmed_on", TEST) == TEST


def seeds_of(definition: StudyShape, run: TrialRecord) -> range:
    """The study's seeds that the run's repeats are trained with, one after another: the search has the first ones."""
    if run.first_seed is not None and run.seeds is not None:
        return range(run.first_seed, run.first_seed + run.seeds)
    if run.stage is Stage.SEARCH:
        return range(definition.repeats)
    fresh = 0 if definition.confirmation is None else definition.confirmation.repeats
    return range(definition.repeats, definition.repeats + fresh)


@dataclass(frozen=True)
class StudyRecord:
    """A study as it stands now."""

    id: int
    name: str
    definition: StudyShape
    state: StudyState
    created_at: datetime
    started_at: datetime | None  # the lease of its first run, plus the time that does not count
    finished_at: datetime | None
    counts: Mapping[str, int]  # the search's runs by state, every state present
    best: TrialRecord | None  # of the search
    optuna_study_id: int
    priority: int = 0  # as it is now, whatever the definition says
    device_time_s: float = 0.0  # total time for which workers held the search's runs
    confirmation: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(RunState, 0))  # its runs by state
    winner: TrialRecord | None = None  # the first run of the recommended configuration, once the confirmation has ended
    to_come: int = 0  # waiting runs that have no rows yet
    dropped: int = 0  # cancelled runs that never had rows
    closing: str | None = None  # why no further run of the search began, where a limit or a stop ended it
    cancels: bool = False  # whether rows that wait are still to be cancelled: they are counted as cancelled
    looks: tuple[tuple[int, str], ...] = ()  # at the confirmation: seeds, ascending, and the rule, fixed or sequential
    decision: Mapping[str, Any] | None = (
        None  # outcome, seeds, recommended, left: the verdict of a decided confirmation
    )
    stood_at: datetime | None = None  # its clock stands there, at an end, in a pause or without workers; None: it goes
    failure: str | None = None  # why no trial is complete, of a study that has failed
    pause: str | None = None  # why it has paused itself, and what to do about it; None where it has not
    knows: int = 0  # trials of the study `definition.start_from`, which its sampler learns from
    tags: tuple[str, ...] = ()  # in alphabetical order
    note: str = ""  # of people, who may change it at any time
    booked_epochs: int = 0  # trained, or paid for by a leg in training; of a search that is claimed by legs


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One number of a learning curve."""

    epoch: int
    repeat: int
    split: str  # train, val, test
    metric: str
    value: float


@dataclass(frozen=True, slots=True)
class Examination:
    """What a repeat's model of its best epoch says of one set of inputs, in `passes` passes.

    `figures` are of the whole set, by name. `scores` are of single inputs, float32 (N,) or, for probabilities and
    targets, (N, C), for the first N inputs in an order that is the same for all runs of a study.
    """

    run_id: int
    repeat: int  # from 0
    epoch: int  # the best epoch by validation, whose model was examined
    inputs: str  # "test" ("val" where the task has no test split), else the name of a set out of distribution
    kind: str  # test, shift, semantic, far
    level: int  # 1 to 5 of a shift, else 0
    passes: int  # 1 for a model without noise
    outputs: str  # softmax, sigmoid
    figures: Mapping[str, float]  # finite or nan
    scores: Scores  # finite or nan; {} where they were not asked for


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of a repeat's best epoch: the digest of their file, or in one line why there is none."""

    run_id: int
    repeat: int  # from 0
    epoch: int  # the best epoch by validation
    digest: str | None  # SHA-256 of the file, in hexadecimal digits
    size: int = 0  # bytes
    reason: str | None = None


@dataclass(frozen=True)
class Log:
    """The end of what a trial has written to its standard streams, without secrets, and its traceback if it raised."""

    stdout: str = ""
    stderr: str = ""
    written: tuple[int, int] = (0, 0)  # bytes of both in all
    traceback: str | None = None

    @property
    def is_empty(self) -> bool:
        return self == Log()


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """The memory of a worker's device, in bytes."""

    held: int | None  # by the worker's trial processes; None: unknown
    used: int  # by all processes on the device
    total: int  # of a GPU; for a CPU of the machine, or of the container


@dataclass(frozen=True)
class WorkerRecord:
    """A worker that was seen lately."""

    id: str
    name: str  # host:pid
    host: str
    pid: int
    device: str
    state: str  # idle, busy, held up, leaving
    started_at: datetime
    seen_at: datetime
    study: str | None
    trial: int | None
    serves: str | None = None  # the one study whose runs it takes, as an asker of an own loop
    memory: DeviceMemory | None = None  # as of `seen_at`; None: the worker has said none


@dataclass
class Written:
    """How many writes of a holder are known to be committed."""

    count: int = 0


@dataclass(frozen=True)
class Lease:
    """The right to work on a run until `lease_until` passes.

    `token` grows with every new holder and gives their order. `claim` is random, and `written` counts what this holder
    has written: a database that was set back to an earlier state has another claim or fewer writes.
    """

    run_id: int
    study_id: int
    ordinal: int  # the run's place in its study, from 0
    place: int  # among the runs of its search, from 0: a study that was extended has a confirmation's runs in between
    token: int
    attempts: int
    trial_id: int | None  # the Optuna trial of an earlier holder
    trial_number: int | None
    claim: str
    definition: StudyShape
    optuna_study_id: int
    stage: Stage = Stage.SEARCH
    params: Mapping[str, Any] | None = None  # None until suggested; a confirmation's run is created with them
    first_seed: int | None = None  # as in TrialRecord
    seeds: int | None = None
    until: int | None = None  # the epoch at which its leg ends, of a search that is claimed by legs; None: its last one
    written: Written = field(default_factory=Written, compare=False)
