"""What an own loop says and is told."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field, StringConstraints

from search_spaces.growing import LONGEST_VALUE
from search_spaces.objective import LONGEST_NAME
from search_spaces.part import Part
from search_spaces.scalars import LARGEST, TEXT_PATTERN
from service.api.models.answers import ObjectiveOut
from service.api.models.scalars import Finite, Scalar
from service.storage.states import RunState, Stage, StudyState

HOLDER_PATTERN = r"^[A-Za-z0-9._-]{1,200}:[0-9]{1,9}$"
UUID_PATTERN = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
MOST_METRICS = 100  # of an epoch
LONGEST_LOG = 2**17  # characters of a text: more than is kept
_ID = "6f1c9d5e-2b0a-4c53-9e64-1f0d2a7b8c31"
_CLAIM = "0b9f3a52-7d4e-4f0b-9d38-6f2f0c1e8a77"

LogText = Annotated[str, StringConstraints(max_length=LONGEST_LOG)]
Uuid = Annotated[str, StringConstraints(pattern=UUID_PATTERN)]
MetricName = Annotated[str, StringConstraints(max_length=LONGEST_NAME + len("train_"), pattern=TEXT_PATTERN)]
Figure = Annotated[float, Field(ge=-1e308, le=1e308)]


class AskIn(Part):
    holder: Annotated[str, StringConstraints(pattern=HOLDER_PATTERN)] = Field(
        description="Host and process of the asker, for people: host:pid.", examples=["node-3:4711"]
    )
    worker: Uuid | None = Field(
        default=None,
        description="The asker's id: any UUID of its own, or the one of an earlier answer. Asked again with it, "
        "after a lost answer for example, the asker gets the run that it has. null: the answer names a new one.",
        examples=[_ID],
    )


class LeaseIn(Part):
    """The proof of a lease, from the answer that gave the run."""

    token: int = Field(ge=0, le=2**63 - 1, description="It grows with every holder of the run.", examples=[3])
    claim: Uuid = Field(description="It is drawn at random for every holder.", examples=[_CLAIM])


class LogIn(Part):
    """What the training has written so far. The last 200 lines of each text are kept, and at most 64 KiB."""

    stdout: LogText = Field(default="", description="Its standard output, or its log.", examples=["epoch 1\n"])
    stderr: LogText = ""
    traceback: LogText | None = Field(default=None, description="Why it has failed.", examples=[None])


class RenewIn(LeaseIn):
    LONGEST_TEXT: ClassVar[int] = LONGEST_LOG

    log: LogIn | None = Field(
        default=None, description="Replaces the log that this holder has sent before; null leaves it.", examples=[None]
    )


class ReportIn(RenewIn):
    repeat: int = Field(ge=0, le=LARGEST, description="The repeat's place in seeds, from 0.", examples=[0])
    epoch: int = Field(ge=1, le=LARGEST, description="Epochs are reported one after another, from 1.", examples=[1])
    metrics: dict[MetricName, Figure | None] = Field(
        min_length=1,
        max_length=MOST_METRICS,
        description="The epoch's figures by train_..., val_... or test_..., the objectives among them; those of the "
        "test split only where the run is tested. null is a number that is not finite.",
        examples=[{"val_loss": 0.3, "train_loss": 0.2}],
    )


class TellIn(RenewIn):
    state: Literal["complete", "failed", "handed_back"] = Field(
        description="complete: every epoch of every repeat was reported. failed: it cannot be trained. handed_back: "
        "another asker trains it, and no attempt is counted.",
        examples=["complete"],
    )
    reason: Annotated[str, StringConstraints(max_length=LONGEST_VALUE)] | None = Field(
        default=None, description="Why, for people.", examples=[None]
    )


class WaitOut(BaseModel):
    """There is nothing to train now: ask again after so many seconds."""

    state: Literal["wait"] = "wait"
    worker: str = Field(examples=[_ID])
    seconds: float = Field(examples=[1.0])
    why: Literal["paused", "lag", "busy"] = Field(
        description="paused: the study is. lag: runs before the next must end. busy: others train all that is left.",
    )


class OverOut(BaseModel):
    """There is nothing left to train: the study has ended, or this asker was asked to leave."""

    state: Literal["ended"] = "ended"
    study_state: StudyState = Field(examples=["complete"])


class TrainOut(BaseModel):
    """A run to train, leased to the asker."""

    state: Literal["train"] = "train"
    worker: str = Field(description="The asker's id, for its next question.", examples=[_ID])
    run: int = Field(description="The run's id, for the other requests.", examples=[12])
    token: int = Field(examples=[3])
    claim: str = Field(examples=[_CLAIM])
    stage: Stage = Field(examples=["search"])
    number: int = Field(description="The trial's number, or the run's place in the confirmation.", examples=[4])
    params: dict[str, Scalar] = Field(
        description="What to train: the searched parameters and the fixed ones.", examples=[{"drop_rate": 0.3}]
    )
    epochs: int = Field(description="Each repeat has this many epochs.", examples=[20])
    seeds: list[int] = Field(
        description="A seed below 2**32 for each repeat. The repeats are trained one after another.",
        examples=[[123, 456]],
    )
    tested: bool = Field(description="Report test_... metrics as well.", examples=[False])
    objectives: list[ObjectiveOut]
    lease_s: float = Field(
        description="Whoever neither reports nor renews for so many seconds loses the run.", examples=[60.0]
    )


AskOut = Annotated[WaitOut | OverOut | TrainOut, Field(discriminator="state")]


class WordOut(BaseModel):
    """Whether the training goes on. If it does not, the run has ended, and there is nothing left to tell of it."""

    go_on: bool = Field(examples=[True])
    why: Literal["pruned", "stopped", "failed"] | None = Field(
        description="pruned: it promises nothing. stopped: it was cancelled, or its study stopped. failed: the reason "
        "says why.",
        examples=[None],
    )
    reason: str | None = Field(None, examples=[None])


class ToldOut(BaseModel):
    """How the run stands; one that had ended otherwise before stays so."""

    state: RunState = Field(examples=["complete"])
    values: list[Finite] | None = Field(
        description="One for each objective: its mean over the repeats at their best epochs.", examples=[[0.1234]]
    )
    best_epoch: int | None = Field(description="The best epoch of the first repeat.", examples=[3])
    reason: str | None = Field(None, examples=[None])
