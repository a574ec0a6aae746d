"""Errors, as every route tells them."""

from pydantic import BaseModel, Field


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
