"""What the controller answers to a loop of somebody's own: docs/own-loop.md has the requests."""

from dataclasses import dataclass
from typing import Literal

from pernodedrop.client.answers import Objective, RunState, Scalar, Stage, StudyState


@dataclass(frozen=True)
class Over:
    """What `ask` answers once the study has ended, or this asker was asked to leave."""

    study_state: StudyState


@dataclass(frozen=True)
class Told:
    """How a run has ended: its values, an objective each, and the first objective's best epoch."""

    state: RunState
    values: list[float | None] | None
    best_epoch: int | None
    reason: str | None = None


@dataclass(frozen=True)
class Order:
    """What `ask` answers where a run is to be trained."""

    worker: str
    run: int
    token: int
    claim: str
    stage: Stage
    number: int
    params: dict[str, Scalar]
    epochs: int
    seeds: list[int]
    tested: bool
    objectives: list[Objective]
    lease_s: float


@dataclass(frozen=True)
class Waiting:
    """What `ask` answers where nothing is to be trained at the moment."""

    worker: str
    seconds: float
    why: Literal["paused", "lag", "busy"]


@dataclass(frozen=True)
class Heard:
    """What a report and a renewal are answered."""

    go_on: bool
    why: Literal["pruned", "stopped", "failed"] | None
    reason: str | None = None
