"""The API's answers: one model per thing, each field with its meaning and unit."""

from datetime import datetime
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from service.storage.states import AttemptState, Origin, RunState, Stage, StudyState

Scalar = bool | int | float | str
DecidedAs = Literal["winner", "practically equal", "undecided"]


def _finite_or_none(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


# JSON knows neither NaN nor infinity: such a value is null.
Finite = Annotated[float | None, BeforeValidator(_finite_or_none)]


class ProblemOut(BaseModel):
    """A problem is one rule that the request breaks."""

    path: str = Field(
        description="The path leads to the place in the request.", examples=["search_space.drop_rate.high"]
    )
    message: str = Field(examples=["search_space.drop_rate.high must be below 1, got 1.2"])


class ErrorOut(BaseModel):
    """Every error has this shape."""

    error: str = Field(description="This name of the error is for programs.", examples=["unknown_study"])
    message: str = Field(description="This one line is for people.", examples=["there is no study 'digits-1'"])
    problems: list[ProblemOut] | None = Field(None, description="A 422 lists every broken rule here.")


class ObjectiveOut(BaseModel):
    metric: str = Field(examples=["val_loss"])
    direction: Literal["minimize", "maximize"]


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
        description="Each objective has one value; in the confirmation it is on the test split.", examples=[[0.1234]]
    )
    best_epoch: int | None = Field(description="The first objective had its best value at this epoch.", examples=[7])
    epoch: int | None = Field(description="This is the last finished epoch.", examples=[12])
    epochs: int = Field(description="A full training has this many epochs.", examples=[20])
    duration_s: float | None = Field(description="The run has taken this many seconds since its start.")
    worker: str | None = Field(
        description="This worker trains the run or was the last to do so.", examples=["node-3:4711"]
    )
    attempts: int = Field(description="The run was started this many times.", examples=[1])
    reason: str | None = Field(description="The reason says why the run failed or was cancelled.")
    started_at: datetime | None
    finished_at: datetime | None
    facts: dict[str, Scalar] = Field(
        description="The training reported these facts of itself.", examples=[{"backend": "mask", "parameters": 9098}]
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
        description="Attempts are counted from 1; the one after a preempted attempt has its number again.", examples=[1]
    )
    state: AttemptState = Field(
        description="A preempted attempt was handed back by a leaving worker; the worker of a lost one fell silent."
    )
    worker: str | None = Field(examples=["node-3:4711"])
    started_at: datetime
    ended_at: datetime | None
    reason: str | None = Field(description="The reason says why the attempt failed or was cancelled.")


class TrialDetail(TrialOut):
    history: list[AttemptOut]
    curves: list[CurvePointOut]
    provenance: dict[str, dict[str, str | int]] | None = Field(
        description="The run comes from these seeds, packages, processor, code and data; null was not recorded.",
        examples=[{"packages": {"torch": "2.13.0"}, "data": {"digest": "5f0c..."}}],
    )


class CountsOut(BaseModel):
    """The runs are counted by state; those of the search add up to the budget."""

    waiting: int = 0
    running: int = 0
    complete: int = 0
    pruned: int = 0
    failed: int = 0
    cancelled: int = 0


class BudgetOut(BaseModel):
    trials: int = Field(description="The search has this many runs in all.", examples=[200])
    finished: int = Field(description="This many runs are complete, pruned or failed.", examples=[37])
    elapsed_s: float = Field(
        description="This many seconds passed from the first run's start to the end, or until now.", examples=[61.5]
    )
    wall_time_s: float | None = Field(description="The limit of elapsed_s is this many seconds; null is no limit.")
    device_time_s: float | None = Field(description="The limit of spent_s is this many seconds; null is no limit.")
    spent_s: float = Field(
        description="All workers together held the search's runs for this many seconds.", examples=[118.2]
    )
    patience: int | None = Field(
        description="This many trials in a row without a better value end the search; null is no limit."
    )


class WinnerOut(BaseModel):
    """This configuration is first by its figures under fresh seeds; the verdict says whether it has won."""

    run: int = Field(description="This is the run's id in the queue.", examples=[31])
    variant: str = Field(examples=["pernodedrop-gaussian-dynamic"])
    params: dict[str, Scalar] = Field(examples=[{"regularizer": "pernodedrop", "drop_rate": 0.3}])
    metric: str = Field(examples=["test_loss"])
    mean: Finite = Field(description="This is the metric's mean over the seeds.", examples=[0.1311])
    low: Finite = Field(description="The mean's 95% interval begins here.", examples=[0.1274])
    high: Finite = Field(description="The mean's 95% interval ends here.", examples=[0.1348])
    seeds: int = Field(examples=[5])
    outcome: DecidedAs | None = Field(
        None,
        description="This is what a confirmation that went on until it was decided has come to; one with a fixed "
        "number of seeds has none.",
    )
    verdict: list[str] = Field(
        description="These sentences say what can be concluded.",
        examples=[["dropout wins the confirmation: mean test_loss 0.1311 (0.1274 to 0.1348) over 5 fresh seeds."]],
    )


class RecommendedOut(BaseModel):
    """The study recommends this configuration of its confirmation."""

    run: int = Field(description="This is the run's id in the queue.", examples=[31])
    variant: str = Field(examples=["pernodedrop-gaussian-dynamic"])
    params: dict[str, Scalar] = Field(examples=[{"regularizer": "pernodedrop", "drop_rate": 0.3}])
    why: str = Field(
        description="The sentence says whether it has won.", examples=["dropout, the winner of the confirmation."]
    )
    fixed: str = Field(
        description="This YAML can be pasted into a study's definition.",
        examples=["fixed:\n  regularizer: dropout\n  drop_rate: 0.3"],
    )


class ConfirmedOut(BaseModel):
    """A row has the figures of one confirmed configuration under the fresh seeds."""

    run: int = Field(description="This is the run's id in the queue.", examples=[31])
    variant: str = Field(examples=["pernodedrop-gaussian-dynamic"])
    params: dict[str, Scalar] = Field(examples=[{"regularizer": "pernodedrop", "drop_rate": 0.3}])
    metric: str = Field(examples=["test_loss"])
    seeds: int = Field(examples=[5])
    mean: Finite = Field(description="This is the metric's mean over the seeds.", examples=[0.1311])
    low: Finite = Field(description="The mean's 95% interval begins here.", examples=[0.1274])
    high: Finite = Field(description="The mean's 95% interval ends here.", examples=[0.1348])
    difference: Finite = Field(
        description="This is its mean difference to the first row over the seeds; null in the first row."
    )
    difference_low: Finite = Field(
        description="The difference's interval, which holds for all pairs at once, begins here."
    )
    difference_high: Finite = Field(description="The difference's interval ends here.")
    seeds_won: int | None = Field(description="It was better than the first row under this many seeds.")


class LinksOut(BaseModel):
    self: str = Field(examples=["/v1/studies/digits-1"])
    report: str = Field(examples=["/v1/studies/digits-1/report"])
    dashboard: str = Field(examples=["http://127.0.0.1:8080/studies/digits-1"])


class StudyOut(BaseModel):
    name: str = Field(examples=["digits-1"])
    state: StudyState
    task: str = Field(examples=["digits"])
    priority: int = Field(description="Workers serve the highest priority first.", examples=[0])
    objectives: list[ObjectiveOut]
    created_at: datetime
    finished_at: datetime | None
    counts: CountsOut
    budget: BudgetOut
    confirmation: CountsOut = Field(description="The confirmation's runs are counted by state.")
    best: TrialOut | None = Field(description="This is the search's best complete trial by the first objective.")
    links: LinksOut


class EarlierOut(BaseModel):
    """The sampler learns from these trials of an earlier study, which are no trials of this one."""

    study: str = Field(description="The earlier study had this name.", examples=["digits-0"])
    trials: int = Field(description="It had finished this many trials when this study was submitted.", examples=[40])


class StudyDetail(StudyOut):
    winner: WinnerOut | None = Field(
        description="This configuration is first in the confirmation once that has ended; the verdict says whether it "
        "has won."
    )
    recommended: RecommendedOut | None = Field(
        None, description="The study recommends it once the confirmation has ended; without one it recommends nothing."
    )
    confirmed: list[ConfirmedOut] = Field(
        [], description="These are the confirmed configurations, the best mean first, once the confirmation has ended."
    )
    advice: str | None = Field(
        None,
        description="The sentence says how to learn which variant is better; null once the confirmation has ended.",
        examples=["To find out, train each variant's best configuration again: `pernodedrop confirm digits-1`."],
    )
    confirmation_so_far: str | None = Field(
        None,
        description="This sentence says where a confirmation stands that goes on until it is decided; null otherwise.",
        examples=["Not decided yet: 3 of 9 left after 7 seeds."],
    )
    starts_from: EarlierOut | None = Field(description="Null says that the sampler began with nothing.")
    definition: dict[str, Any] = Field(description="This is the definition as submitted, with defaults filled in.")


class BestOut(TrialOut):
    """The search's best is its complete trial with the best first objective, by luck too."""

    recommended: RecommendedOut | None = Field(
        None, description="The confirmation recommends this configuration; null before it has ended."
    )


class RankingRow(BaseModel):
    """A row has the results of one variant of regularization in the study."""

    rank: int = Field(description="Rank 1 is the best.", examples=[1])
    variant: str = Field(examples=["pernodedrop-gaussian-dynamic"])
    trials: int = Field(description="The variant has this many complete trials.", examples=[9])
    pruned: int = Field(examples=[3])
    best_values: list[Finite] | None = Field(examples=[[0.1234]])
    mean_of_top: Finite = Field(
        description="This is the mean of the first objective over the variant's top 3 complete trials."
    )
    best_params: dict[str, Scalar] | None
    best_number: int | None = Field(examples=[4])
    begun: int = Field(description="The variant has had this many trials, of any state.", examples=[12])
    epochs: int = Field(description="They were trained for this many epochs in all, over all seeds.", examples=[96])
    few: bool = Field(
        description="The variant may have lost for want of trials: it has under 2 complete ones, or fewer than a third "
        "of those of the variant with the most."
    )


class FigureOut(BaseModel):
    name: str = Field(description="The figure's file has this name, without a suffix.", examples=["history"])
    caption: str = Field(examples=["Every complete trial's val_loss in the order of the search"])


class ExaminationOut(BaseModel):
    """An examination is what the best model of one seed says of one set of inputs."""

    run: int = Field(description="This is the run's id in the queue.", examples=[31])
    place: int | None = Field(description="The run has this place in the confirmation.", examples=[0])
    configuration: int | None = Field(
        description="The first run of the same configuration has this place; other runs add seeds to it.", examples=[0]
    )
    variant: str = Field(examples=["pernodedrop-gaussian-dynamic"])
    repeat: int = Field(description="Repeats, one for each seed, are counted from 0.", examples=[0])
    seed: int = Field(description="The seed has this number among the study's seeds.", examples=[1])
    epoch: int = Field(description="The model is the one of this epoch, the best by validation.", examples=[17])
    inputs: str = Field(
        description="The set is the split test (val if the task has none), or one out of distribution.",
        examples=["gaussian_noise_3"],
    )
    kind: str = Field(description="The set is a test, or its inputs are shift, semantic or far.", examples=["shift"])
    level: int = Field(description="A shift has levels from 1, the weakest; 0 is none.", examples=[3])
    passes: int = Field(description="The model predicted in this many passes; without noise in one.", examples=[20])
    outputs: str = Field(
        description="The outputs are logits of one class (softmax) or of each label (sigmoid).", examples=["softmax"]
    )
    figures: dict[str, Finite] = Field(
        description="These figures are of the whole set: docs/operations.md lists them.",
        examples=[{"loss": 0.31, "accuracy": 0.91, "epistemic": 0.04}],
    )


class WorkerOut(BaseModel):
    id: str = Field(examples=["6f1c9d5e-2b0a-4c53-9e64-1f0d2a7b8c31"])
    host: str = Field(examples=["node-3"])
    pid: int = Field(examples=[4711])
    device: str = Field(examples=["cuda:0"])
    state: str = Field(
        description="The worker is idle, busy, held up (it waits for the runs that a search with a lag must end before "
        "the next one), or, once it was asked to leave, leaving.",
        examples=["busy"],
    )
    started_at: datetime
    seen_at: datetime
    study: str | None = Field(description="The worker trains a run of this study.")
    trial: int | None = Field(description="The worker trains the trial of this number.")


class Submitted(StudyOut):
    advice: list[str] = Field(
        description="Sentences say what the definition means for the workers that are there.", examples=[[]]
    )


class StudyPage(BaseModel):
    studies: list[StudyOut]
    total: int = Field(description="There are this many studies in all, whatever limit and offset.")


class TrialPage(BaseModel):
    trials: list[TrialOut]
    total: int = Field(description="There are this many such runs in all, whatever limit and offset.")


class ExaminationPage(BaseModel):
    examinations: list[ExaminationOut]
    total: int = Field(description="There are this many examinations in all, whatever limit and offset.")


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
