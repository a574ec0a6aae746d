"""What the API answers: one model per thing, each field with its meaning and unit."""

from datetime import datetime
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from service.storage.states import AttemptState, RunState, Stage, StudyState

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
    number: int | None = Field(
        description="the trial's number in its study, null while it waits and in the confirmation", examples=[4]
    )
    stage: Stage = Field(description="a trial of the search, or a run that confirms what it found")
    place: int | None = Field(description="the run's place in the confirmation, null in the search", examples=[None])
    state: RunState
    params: dict[str, Scalar] = Field(examples=[{"regularizer": "pernodedrop", "drop_rate": 0.3}])
    variant: str = Field(description="regularizer, stir type and mask", examples=["pernodedrop-gaussian-dynamic"])
    values: list[Finite] | None = Field(
        description="one value per objective; in the confirmation on the test split", examples=[[0.1234]]
    )
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


class AttemptOut(BaseModel):
    """One worker's time with a run."""

    number: int = Field(description="from 1; the one after a preempted attempt has its number again", examples=[1])
    state: AttemptState = Field(
        description="preempted: handed back by a worker that was told to leave; lost: its worker fell silent"
    )
    worker: str | None = Field(examples=["node-3:4711"])
    started_at: datetime
    ended_at: datetime | None
    reason: str | None = Field(description="why it failed or was cancelled")


class TrialDetail(TrialOut):
    history: list[AttemptOut]
    curves: list[CurvePointOut]


class CountsOut(BaseModel):
    """Runs by state; those of the search add up to the budget."""

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
    device_time_s: float | None = Field(description="the limit of spent_s, null where there is none")
    spent_s: float = Field(
        description="seconds for which workers held the search's runs, all together", examples=[118.2]
    )
    patience: int | None = Field(description="trials in a row without a better value that end the search, or null")


class WinnerOut(BaseModel):
    """The best configuration by its figures under fresh seeds, which chose nothing."""

    run: int = Field(description="the run's id in the queue", examples=[31])
    variant: str = Field(examples=["pernodedrop-gaussian-dynamic"])
    params: dict[str, Scalar] = Field(examples=[{"regularizer": "pernodedrop", "drop_rate": 0.3}])
    metric: str = Field(examples=["test_loss"])
    mean: Finite = Field(description="of the metric, over seeds", examples=[0.1311])
    low: Finite = Field(description="of the mean's 95% interval", examples=[0.1274])
    high: Finite = Field(examples=[0.1348])
    seeds: int = Field(examples=[5])
    verdict: list[str] = Field(
        description="what can be concluded, in sentences",
        examples=[["dropout wins the confirmation: mean test_loss 0.1311 (0.1274 to 0.1348) over 5 fresh seeds."]],
    )


class LinksOut(BaseModel):
    self: str = Field(examples=["/v1/studies/digits-1"])
    report: str = Field(examples=["/v1/studies/digits-1/report"])
    dashboard: str = Field(examples=["http://127.0.0.1:8080/studies/digits-1"])


class StudyOut(BaseModel):
    name: str = Field(examples=["digits-1"])
    state: StudyState
    task: str = Field(examples=["digits"])
    priority: int = Field(description="workers serve the highest first", examples=[0])
    objectives: list[ObjectiveOut]
    created_at: datetime
    finished_at: datetime | None
    counts: CountsOut
    budget: BudgetOut
    confirmation: CountsOut = Field(description="the confirmation's runs by state")
    best: TrialOut | None = Field(description="the search's best complete trial by the first objective")
    links: LinksOut


class StudyDetail(StudyOut):
    winner: WinnerOut | None = Field(description="named once the confirmation has ended, if the study has one")
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


class FigureOut(BaseModel):
    name: str = Field(description="its file's name without a suffix", examples=["history"])
    caption: str = Field(examples=["Every complete trial's val_loss in the order of the search"])


class WorkerOut(BaseModel):
    id: str = Field(examples=["6f1c9d5e-2b0a-4c53-9e64-1f0d2a7b8c31"])
    host: str = Field(examples=["node-3"])
    pid: int = Field(examples=[4711])
    device: str = Field(examples=["cuda:0"])
    state: str = Field(description="idle, busy or, once it was asked to go, leaving", examples=["busy"])
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


class Figures(BaseModel):
    figures: list[FigureOut]


class Workers(BaseModel):
    workers: list[WorkerOut]


class Presets(BaseModel):
    presets: list[str] = Field(examples=[["quickstart"]])


class Health(BaseModel):
    status: Literal["ok"] = "ok"
