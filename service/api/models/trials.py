"""Runs: trials of the search, and runs of the confirmation."""

from datetime import datetime

from pydantic import BaseModel, Field

from service.api.models.answers import RecommendedOut
from service.api.models.scalars import Finite, Scalar
from service.storage.states import AttemptState, Origin, RunState, Stage


class TrialOut(BaseModel):
    """A run is one unit of a study's budget, with the trial that it became."""

    run: int | None = Field(
        description="This is the run's id in the queue; the later runs of a long search have none until they are next.",
        examples=[17],
    )
    number: int | None = Field(
        description="The trial has this number in its study; it is null while the run waits and in the confirmation.",
        examples=[4],
    )
    stage: Stage = Field(
        description="The run is a trial of the search, or it confirms a configuration that the search found."
    )
    place: int | None = Field(
        description="The run has this place in the confirmation; it is null in the search.", examples=[None]
    )
    first_seed: int | None = Field(
        description="The first repeat has this one of the study's seeds; it is null in the search.", examples=[None]
    )
    seeds: int | None = Field(
        description="The confirmation's run trains under this many seeds, one after another.", examples=[None]
    )
    state: RunState
    origin: Origin = Field(
        description="A sampler drew the parameters, or they were given by a person; those given outside of the search "
        "space are compared, and the sampler does not learn from them."
    )
    params: dict[str, Scalar] = Field(examples=[{"regularizer": "pernodedrop", "drop_rate": 0.3}])
    variant: str = Field(
        description="The variant names the regularizer, stir type and mask mode.",
        examples=["pernodedrop-gaussian-dynamic"],
    )
    values: list[Finite] | None = Field(
        description="Each objective has one value; in the confirmation it is on the test split, unless the fact "
        "`confirmed_on` says that the task has none.",
        examples=[[0.1234]],
    )
    best_epoch: int | None = Field(
        description="The first objective had its best value at this epoch of the first repeat.", examples=[7]
    )
    epoch: int | None = Field(description="This is the last finished epoch.", examples=[12])
    epochs: int = Field(description="A full training has this many epochs.", examples=[20])
    duration_s: float | None = Field(
        description="From the run's start to its end this many seconds passed; while it waited or was paused, too."
    )
    worker: str | None = Field(
        description="This worker trains the run or was the last to do so.", examples=["node-3:4711"]
    )
    attempts: int = Field(
        description="So many of its attempts count towards `retries`, with the present or last one. That of a leaving "
        "worker does not, and those before and after a pause at a rung are one.",
        examples=[1],
    )
    reason: str | None = Field(description="The reason says why the run failed or was cancelled.")
    started_at: datetime | None
    finished_at: datetime | None
    facts: dict[str, Scalar] = Field(
        description="The training reported these facts of itself.", examples=[{"backend": "mask", "parameters": 9098}]
    )
    spent_s: float = Field(
        default=0.0,
        description="Its workers held the run for this many seconds in all, without the time that it waited or was "
        "paused.",
        examples=[61.5],
    )


class CurvePointOut(BaseModel):
    epoch: int = Field(description="Epochs are counted from 1.", examples=[3])
    repeat: int = Field(description="Repeats, one for each seed, are counted from 0.", examples=[0])
    split: str = Field(examples=["val"])
    metric: str = Field(examples=["loss"])
    value: Finite


class AttemptOut(BaseModel):
    """An attempt is one worker's time with a run."""

    number: int = Field(
        description="Attempts are counted from 1; the one after a preempted or paused attempt has its number again.",
        examples=[1],
    )
    state: AttemptState = Field(
        description="A preempted attempt was handed back by a leaving worker; the worker of a lost one fell silent; a "
        "paused one ended at a rung, and its trial goes on if it is promoted."
    )
    worker: str | None = Field(examples=["node-3:4711"])
    started_at: datetime
    ended_at: datetime | None
    reason: str | None = Field(description="The reason says why the attempt failed or was cancelled.")


class WeightsOut(BaseModel):
    """The weights of one seed of a run, at its best epoch by validation."""

    seed: int = Field(description="This is the number of the study's seed.", examples=[1])
    epoch: int = Field(examples=[7])
    digest: str | None = Field(description="This is the file's SHA-256; null where there is none.")
    bytes: int = Field(examples=[36480])
    reason: str | None = Field(description="This says why there is no file.")


class TrialDetail(TrialOut):
    history: list[AttemptOut]
    curves: list[CurvePointOut]
    provenance: dict[str, dict[str, str | int]] | None = Field(
        description="The run comes from these seeds, packages, processor, code and data; null was not recorded.",
        examples=[{"packages": {"torch": "2.13.0"}, "data": {"digest": "5f0c..."}}],
    )
    logs: str | None = Field(
        None,
        description="What its attempts have written is there.",
        examples=["/v1/studies/digits-1/trials/4/logs"],
    )
    weights: list[WeightsOut] = Field([], description="What a complete run has kept, a row for each of its seeds.")


class BestOut(TrialOut):
    """The search's best is its complete trial with the best first objective, by luck too."""

    recommended: RecommendedOut | None = Field(
        None, description="The confirmation recommends this configuration; null before it has ended."
    )


class TrialPage(BaseModel):
    trials: list[TrialOut]
    total: int = Field(description="There are this many such runs in all, whatever limit and offset.")
