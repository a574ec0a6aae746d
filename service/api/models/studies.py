"""Studies and lists of them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from service.api.models.answers import ConfirmedOut, ObjectiveOut, RecommendedOut, WinnerOut
from service.api.models.trials import TrialOut
from service.storage.states import StudyState


class CountsOut(BaseModel):
    """The runs are counted by state; those of the search add up to the budget."""

    waiting: int = 0
    running: int = 0
    paused: int = 0
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
    epochs: int | None = Field(None, description="The search trains at most so many epochs; null is no limit.")
    booked_epochs: int = Field(
        0,
        description="So many epochs are trained, or are paid for until trials in training end or come to their next "
        "rung; 0 where trials do not pause and epochs are not budgeted.",
    )


class LinksOut(BaseModel):
    self: str = Field(examples=["/v1/studies/digits-1"])
    report: str = Field(examples=["/v1/studies/digits-1/report"])
    dashboard: str = Field(examples=["http://127.0.0.1:8080/studies/digits-1"])
    weights: str | None = Field(
        None,
        description="The weights of the recommended configuration, once it is; null where the study keeps none.",
        examples=["/v1/studies/digits-1/winner/weights"],
    )


class StudyOut(BaseModel):
    name: str = Field(examples=["digits-1"])
    state: StudyState
    failure: str | None = Field(
        None, description="This is why no trial is complete, with the commonest reason, once the study has failed."
    )
    pause: str | None = Field(
        None,
        description="This is why the study has paused itself, because its first runs failed alike, and the remedy.",
    )
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
    tags: list[str] = Field([], description="People find the study by these words.", examples=[["paper", "digits"]])
    note: str = Field("", description="This is what people noted of the study.", examples=["rerun after the fix"])


class Retried(StudyOut):
    retried: int = Field(description="So many failed runs wait again.", examples=[3])


class Submitted(StudyOut):
    advice: list[str] = Field(
        description="Sentences say what the definition means for the workers that are there.", examples=[[]]
    )


class Planned(BaseModel):
    """What a submission would create; nothing was stored."""

    name: str = Field(examples=["digits-1"])
    trials: int = Field(description="The search would have this many runs.", examples=[200])
    advice: list[str] = Field(description="Sentences say what the definition means for the workers that are there.")
    definition: dict[str, Any] = Field(description="This is the definition with defaults filled in.")


class EarlierOut(BaseModel):
    """The sampler learns from these trials of an earlier study, which are no trials of this one."""

    study: str = Field(description="The earlier study had this name.", examples=["digits-0"])
    trials: int = Field(description="It had finished this many trials when this study was submitted.", examples=[40])


class TaskCodeOut(BaseModel):
    """A source of an own task: its module, and what it imports from beside it."""

    digest: str = Field(description="This is its SHA-256.")
    runs: int = Field(description="It trained this many runs.", examples=[12])
    commit: str | None = Field(description="It lay in a git repository at this commit, dirty where it was changed.")


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
    task_code: list[TaskCodeOut] = Field(
        [], description="These sources of an own task trained the study, that of the most runs first."
    )
    task_changed: str | None = Field(
        None, description="This sentence says that several sources of the task trained the study; null otherwise."
    )


class StudyPage(BaseModel):
    studies: list[StudyOut]
    total: int = Field(description="There are this many studies in all, whatever limit and offset.")
