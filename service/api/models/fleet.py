"""Workers, presets, figures and health."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from service.api.models.examinations import FigureOut


class MemoryOut(BaseModel):
    held: int | None = Field(
        description="The worker's trial processes hold so many bytes; null: that is unknown.", examples=[734003200]
    )
    used: int = Field(description="All processes on the device use so many bytes.", examples=[2147483648])
    total: int = Field(
        description="The device has so many bytes; for a CPU those of the machine or the container.",
        examples=[25769803776],
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
    serves: str | None = Field(
        None,
        description="It is an asker of an own loop, and takes runs of this study alone; null: a worker of the fleet.",
    )
    memory: MemoryOut | None = Field(
        None,
        description="This is the memory of its device, as of `seen_at`, for a GPU as of its last epoch before; null: "
        "the worker has said none.",
    )


class Workers(BaseModel):
    workers: list[WorkerOut]


class Figures(BaseModel):
    figures: list[FigureOut]


class Presets(BaseModel):
    presets: list[str] = Field(examples=[["quickstart"]])


class Version(BaseModel):
    version: str = Field(description="This is the version of the controller's program.", examples=["1.0.0"])


class Health(BaseModel):
    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    status: Literal["ok", "full"] = Field(
        "ok", description="It is full while the database's disk has no room: reading goes on, orders answer 503."
    )
    message: str | None = Field(None, description="The sentence says what to do about a full disk.")
