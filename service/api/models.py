"""What the API answers: one model per thing, each field with its meaning and unit."""

from datetime import datetime
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

RunState = Literal["waiting", "running", "complete", "pruned", "failed", "cancelled"]
StudyState = Literal["running", "paused", "stopped", "complete"]
Scalar = bool | int | float | str


def _finite_or_none(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


# JSON knows neither NaN nor infinity: such a value is null.
Finite = Annotated[float | None, BeforeValidator(_finite_or_none)]


class ProblemOut(BaseModel):
    """One rule that the request breaks."""

    path: str = Field(description="where in the request", examples=["search_space.drop_rate.high"])
    message: str = Field(examples=["search_space.drop_rate.high must be below 1, got 1.2"])


class ErrorOut(BaseModel):
    """The shape of every error."""

    error: str = Field(description="a name for programs", examples=["unknown_study"])
    message: str = Field(description="one line for people", examples=["there is no study 'digits-1'"])
    problems: list[ProblemOut] | None = Field(None, description="of 422 only: every rule that is broken")


class ObjectiveOut(BaseModel):
    metric: str = Field(examples=["val_loss"])
    direction: Literal["minimize", "maximize"]


class TrialOut(BaseModel):
    """One run of a study's budget, and the trial it has become."""

    run: int = Field(description="the run's id in the queue", examples=[17])
    number: int | None = Field(description="the trial's number in its study, null while it waits", examples=[4])
    state: RunState
    params: dict[str, Scalar] = Field(examples=[{"regularizer": "pernodedrop", "drop_rate": 0.3}])
    variant: str = Field(description="regularizer, stir type and mask", examples=["pernodedrop-gaussian-dynamic"])
    values: list[Finite] | None = Field(description="one value per objective", examples=[[0.1234]])
    best_epoch: int | None = Field(description="the epoch of the first objective's best value", examples=[7])
    epoch: int | None = Field(description="the last finished epoch", examples=[12])
    epochs: int = Field(description="epochs of a full training", examples=[20])
    duration_s: float | None = Field(description="seconds from start to finish, so far while it runs")
    worker: str | None = Field(description="who trains it or did so last", examples=["node-3:4711"])
    attempts: int = Field(description="how often it was started", examples=[1])
    reason: str | None = Field(description="why it failed or was cancelled")
    started_at: datetime | None
    finished_at: datetime | None
    facts: dict[str, Scalar] = Field(
        description="what the training found out", examples=[{"backend": "mask", "parameters": 9098}]
    )


class CurvePointOut(BaseModel):
    epoch: int = Field(description="1-based", examples=[3])
    repeat: int = Field(description="0-based index of the seed", examples=[0])
    split: str = Field(examples=["val"])
    metric: str = Field(examples=["loss"])
    value: Finite


class TrialDetail(TrialOut):
    curves: list[CurvePointOut]


class CountsOut(BaseModel):
    """Runs by state; their sum is the budget."""

    waiting: int = 0
    running: int = 0
    complete: int = 0
    pruned: int = 0
    failed: int = 0
    cancelled: int = 0


class BudgetOut(BaseModel):
    trials: int = Field(description="runs in all", examples=[200])
    finished: int = Field(description="runs that are complete, pruned, failed or cancelled", examples=[37])
    elapsed_s: float = Field(description="seconds from submission to the end, or until now", examples=[61.5])
    wall_time_s: float | None = Field(description="the limit in seconds, null where there is none")


class LinksOut(BaseModel):
    self: str = Field(examples=["/v1/studies/digits-1"])
    report: str = Field(examples=["/v1/studies/digits-1/report"])
    dashboard: str = Field(examples=["http://127.0.0.1:8080/studies/digits-1"])


class StudyOut(BaseModel):
    name: str = Field(examples=["digits-1"])
    state: StudyState
    task: str = Field(examples=["digits"])
    objectives: list[ObjectiveOut]
    created_at: datetime
    finished_at: datetime | None
    counts: CountsOut
    budget: BudgetOut
    best: TrialOut | None = Field(description="the best complete trial by the first objective")
    links: LinksOut


class StudyDetail(StudyOut):
    definition: dict[str, Any] = Field(description="as submitted, defaults filled in")


class RankingRow(BaseModel):
    """What one variant of regularization reached in the study."""

    rank: int = Field(description="1 is best", examples=[1])
    variant: str = Field(examples=["pernodedrop-gaussian-dynamic"])
    trials: int = Field(description="complete trials", examples=[9])
    pruned: int = Field(examples=[3])
    best_values: list[Finite] | None = Field(examples=[[0.1234]])
    mean_of_top: Finite = Field(description="mean first objective of the variant's top 3 complete trials")
    best_params: dict[str, Scalar] | None
    best_number: int | None = Field(examples=[4])


class WorkerOut(BaseModel):
    id: str = Field(examples=["node-3:4711"])
    host: str = Field(examples=["node-3"])
    pid: int = Field(examples=[4711])
    device: str = Field(examples=["cuda:0"])
    state: str = Field(examples=["running"])
    started_at: datetime
    seen_at: datetime
    study: str | None = Field(description="the study it works for")
    trial: int | None = Field(description="the number of the trial that it trains")


class StudyPage(BaseModel):
    studies: list[StudyOut]
    total: int = Field(description="studies in all, whatever limit and offset")


class TrialPage(BaseModel):
    trials: list[TrialOut]
    total: int = Field(description="trials in that state, whatever limit and offset")


class Ranking(BaseModel):
    ranking: list[RankingRow]


class Workers(BaseModel):
    workers: list[WorkerOut]


class Presets(BaseModel):
    presets: list[str] = Field(examples=[["quickstart"]])


class Health(BaseModel):
    status: Literal["ok"] = "ok"
