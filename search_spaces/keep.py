"""Which trainings of a study keep their weights."""

from typing import Literal

from pydantic import Field

Keep = Literal["none", "confirmed", "best", "every"]

KEEP: Keep = "confirmed"  # where a new definition leaves it unsaid
KEPT_BEFORE: Keep = "none"  # what studies of earlier releases did, whose definitions do not say it
DESCRIPTION = (
    "Which trainings keep the weights of their best epoch by validation, under every seed. none: no training. "
    "confirmed: the runs of the confirmation. best: also the search's best trial of every variant so far. every: also "
    "every complete trial of the search."
)


def kept_as(default: Keep) -> Keep:
    """The field with this default."""
    field: Keep = Field(default=default, description=DESCRIPTION)
    return field


def keeps_search(keep: Keep) -> bool:
    """Whether trials of the search keep their weights."""
    return keep in ("best", "every")


def keeps_confirmation(keep: Keep) -> bool:
    """Whether the runs of the confirmation keep their weights."""
    return keep != "none"
