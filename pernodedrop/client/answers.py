"""What the controller answers, typed. docs/rest.md says each field's meaning and unit; times are in s."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Scalar = bool | int | float | str
RunState = Literal["waiting", "running", "paused", "complete", "pruned", "failed", "cancelled"]
StudyState = Literal["running", "paused", "stopped", "complete", "failed"]
AttemptState = Literal["running", "preempted", "paused", "lost", "complete", "pruned", "failed", "cancelled"]
Stage = Literal["search", "confirmation"]
Origin = Literal["sampler", "given", "outside"]
Outcome = Literal["winner", "practically equal", "undecided"]
OVER = ("complete", "failed", "stopped")  # states of a study that has ended


@dataclass(frozen=True)
class Objective:
    """A metric ("val_loss") and what is better of it."""

    metric: str
    direction: Literal["minimize", "maximize"]

    @property
    def tested(self) -> str:
        """The same metric on the test split, which a confirmation is about."""
        return f"test_{self.metric.partition('_')[2]}"


@dataclass(frozen=True)
class Counts:
    """A study's runs by state."""

    waiting: int = 0
    running: int = 0
    paused: int = 0  # at a rung, of a study with the asha pruner: they may still go on
    complete: int = 0
    pruned: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def total(self) -> int:
        return self.waiting + self.running + self.paused + self.ended

    @property
    def ended(self) -> int:
        return self.complete + self.pruned + self.failed + self.cancelled


@dataclass(frozen=True)
class Budget:
    """How much the search may take, and what it has taken."""

    trials: int
    finished: int
    elapsed_s: float
    wall_time_s: float | None
    device_time_s: float | None
    spent_s: float
    patience: int | None
    epochs: int | None = None
    booked_epochs: int = 0  # trained, or paid for by a training that goes on; 0 where epochs are not budgeted


@dataclass(frozen=True)
class Links:
    """Where the study is to be found."""

    self: str
    report: str
    dashboard: str
    weights: str | None = None


@dataclass(frozen=True)
class Trial:
    """A run: a trial of the search, or one that confirms a configuration."""

    run: int | None
    number: int | None
    stage: Stage
    place: int | None
    first_seed: int | None
    seeds: int | None
    state: RunState
    origin: Origin
    params: dict[str, Scalar]
    variant: str
    values: list[float | None] | None
    best_epoch: int | None
    epoch: int | None
    epochs: int
    duration_s: float | None
    worker: str | None
    attempts: int
    reason: str | None
    started_at: datetime | None
    finished_at: datetime | None
    facts: dict[str, Scalar]
    spent_s: float = 0.0  # for which workers held it


@dataclass(frozen=True)
class TrialPage:
    """Some of a study's runs, and how many there are."""

    trials: list[Trial]
    total: int


@dataclass(frozen=True)
class Recommended:
    """The configuration that the study recommends, and why."""

    run: int
    variant: str
    params: dict[str, Scalar]
    why: str
    fixed: str


@dataclass(frozen=True)
class Best(Trial):
    """The search's best complete trial, by luck too, and what the confirmation recommends."""

    recommended: Recommended | None = None


@dataclass(frozen=True)
class Winner:
    """The configuration that is first under fresh seeds; `verdict` says whether it has won."""

    run: int
    variant: str
    params: dict[str, Scalar]
    metric: str
    mean: float | None
    low: float | None
    high: float | None
    seeds: int
    verdict: list[str]
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Confirmed:
    """A confirmed configuration's figures under the fresh seeds, with 95 % intervals."""

    run: int
    variant: str
    params: dict[str, Scalar]
    metric: str
    seeds: int
    mean: float | None
    low: float | None
    high: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    seeds_won: int | None
    weights: str | None = None


@dataclass(frozen=True)
class Overview:
    """A study as a list of studies shows it."""

    name: str
    state: StudyState
    task: str
    priority: int
    objectives: list[Objective]
    created_at: datetime
    finished_at: datetime | None
    counts: Counts
    budget: Budget
    confirmation: Counts
    best: Trial | None
    links: Links
    failure: str | None = None
    pause: str | None = None
    tags: list[str] = field(default_factory=list)
    note: str = ""


@dataclass(frozen=True)
class Submitted(Overview):
    """A new study, and what its definition means for the workers that are there."""

    advice: list[str] = field(kw_only=True)


@dataclass(frozen=True)
class OverviewPage:
    """Some of the studies, and how many there are."""

    studies: list[Overview]
    total: int


@dataclass(frozen=True)
class Earlier:
    """The earlier study whose trials the sampler learns from."""

    study: str
    trials: int


@dataclass(frozen=True)
class TaskCode:
    """A source of an own task: its digest, how many runs it trained, and the commit that it lay in."""

    digest: str
    runs: int
    commit: str | None


@dataclass(frozen=True)
class Details(Overview):
    """A study with its answer and its definition."""

    winner: Winner | None = field(kw_only=True)
    starts_from: Earlier | None = field(kw_only=True)
    definition: dict[str, Any] = field(kw_only=True)
    recommended: Recommended | None = None
    confirmed: list[Confirmed] = field(default_factory=list)
    advice: str | None = None
    confirmation_so_far: str | None = None
    task_code: list[TaskCode] = field(default_factory=list)
    task_changed: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether the study has ended and none of its runs is in training."""
        return self.state in OVER and not self._trains

    @property
    def has_paused_itself(self) -> bool:
        """Whether the study has paused for its failures and none of its runs is in training: it waits for somebody."""
        return self.state == "paused" and self.pause is not None and not self._trains

    @property
    def _trains(self) -> bool:
        return self.counts.running + self.confirmation.running > 0


@dataclass(frozen=True)
class Figure:
    """A figure of the report: `name` is what `Study.picture` takes."""

    name: str
    caption: str


@dataclass(frozen=True)
class Figures:
    """The figures that the study has the results for."""

    figures: list[Figure]


@dataclass(frozen=True)
class Point:
    """A point of a learning curve."""

    run: int
    trial: int | None
    stage: Stage
    variant: str
    first_seed: int | None
    repeat: int
    epoch: int
    split: str
    metric: str
    value: float | None
