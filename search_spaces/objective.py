"""What a study optimizes."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from search_spaces.part import Part

METRIC_PATTERN = r"^(train|val)_[a-z][a-z0-9_]{0,59}$"


class Objective(Part):
    """A metric of an epoch, named <split>_<metric>; the test split is kept from every selection."""

    metric: Annotated[str, StringConstraints(pattern=METRIC_PATTERN)] = Field(
        description="val_loss, val_accuracy, train_loss, ... (never of the test split)"
    )
    direction: Literal["minimize", "maximize"] = "minimize"

    @property
    def tested(self) -> str:
        """The same metric on the test split: "test_loss" of "val_loss"."""
        return f"test_{self.metric.partition('_')[2]}"
