"""The common ground of every part of a definition."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """Frozen, without unknown fields, and strict: "3" is no number and true is not 1."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)
