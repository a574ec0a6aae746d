"""What the attempts of a run have written."""

from datetime import datetime

from pydantic import BaseModel, Field

from service.storage.states import AttemptState


class AttemptLog(BaseModel):
    """The end of what one attempt has written; secrets that are known or look like secrets are left out."""

    attempt: int = Field(description="This is the attempt's place among those of its run, from 1.", examples=[1])
    state: AttemptState
    worker: str | None = Field(examples=["node-3:4711"])
    started_at: datetime
    ended_at: datetime | None
    reason: str | None = Field(description="The reason says why the attempt failed or was cancelled.")
    traceback: str | None = Field(description="The trial raised here; null where it did not.")
    stdout: str = Field(description="These are the last lines of standard output.", examples=["epoch 1\n"])
    stderr: str = Field(description="These are the last lines of standard error.", examples=[""])
    stdout_bytes: int = Field(description="So many bytes were written to standard output in all.", examples=[8])
    stderr_bytes: int = Field(description="So many bytes were written to standard error in all.", examples=[0])
    written_at: datetime | None = Field(
        description="It was written to the database then; null says that nothing is kept of the attempt."
    )


class Logs(BaseModel):
    state: str = Field(description="The run is in this state.", examples=["failed"])
    attempts: list[AttemptLog] = Field(description="These are the run's attempts, the first one first.")
