"""Workers, presets, figures and health."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from service.api.models.examinations import FigureOut


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
        description="It is an asker of an own loop, and takes runs of this study alone; null: a worker of the fleet."
    )


class Workers(BaseModel):
    workers: list[WorkerOut]


class Figures(BaseModel):
    figures: list[FigureOut]


class Presets(BaseModel):
    presets: list[str] = Field(examples=[["quickstart"]])


class Health(BaseModel):
    status: Literal["ok"] = "ok"
