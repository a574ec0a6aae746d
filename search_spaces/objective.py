"""The objective of a study: a metric, its direction, and the best epoch by it."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Protocol, TypeVar

from pydantic import Field, StringConstraints

from search_spaces.part import Part

METRIC_PATTERN = r"^(train|val)_[a-z][a-z0-9_]{0,59}$"
LONGEST_NAME = 100  # characters of a metric's name without its split; an index of the database holds the whole name
_NAME = re.compile(rf"\w[\w.@+%/ -]{{0,{LONGEST_NAME - 1}}}")
TEST = "test"
ONE_MASK = "_one_mask"  # suffix of a figure of one mask a sample, for a model that predicts by several
SNAPSHOTS = "_snapshots"  # suffix of a figure of the mean prediction of a training's snapshots

# Metrics by a clock or of memory, in which no two trainings are the same.
OF_THE_MACHINE = frozenset({"train_seconds", "train_peak_bytes"})


class Objective(Part):
    """An objective is a metric of an epoch, named <split>_<metric>; the test split never selects anything."""

    metric: Annotated[str, StringConstraints(pattern=METRIC_PATTERN)] = Field(
        description="The study optimizes this metric: val_loss, val_accuracy, train_loss, ... (never the test split's)."
    )
    direction: Literal["minimize", "maximize"] = Field(
        default="minimize", description="Whether less of it is better, or more."
    )

    @property
    def tested(self) -> str:
        """The same metric on the test split: "test_loss" of "val_loss"."""
        return metric_name(TEST, self.metric.partition("_")[2])

    @property
    def maximizes(self) -> bool:
        """Whether more is better."""
        return self.direction == "maximize"

    def cost(self, value: float) -> float:
        """Return the value with the sign that makes less better."""
        return -value if self.maximizes else value

    def of(self, metrics: Mapping[str, float]) -> float | None:
        """The objective's value among an epoch's metrics; None if it was not measured."""
        return _measured(self.metric, metrics)

    def is_better(self, value: float | None, than: float | None) -> bool:
        """Whether `value` beats `than`, which is None before the first; an equal or non-finite value never does."""
        if value is None or not math.isfinite(value):
            return False
        return than is None or self.cost(value) < self.cost(than)


class Measured(Protocol):
    """An epoch."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """The measured values by "<split>_<metric>"."""


Epoch = TypeVar("Epoch", bound=Measured)


def best_epoch(epochs: Iterable[Epoch], objective: Objective) -> Epoch | None:
    """The epoch with the best finite value of the objective, the first of equals; None if no value is finite."""
    best: Epoch | None = None
    for epoch in epochs:
        if objective.is_better(objective.of(epoch.metrics), None if best is None else objective.of(best.metrics)):
            best = epoch
    return best


def metric_name(split: str, metric: str) -> str:
    """The metric's name in an epoch: "val_loss" of "val" and "loss"."""
    return f"{split}_{metric}"


def unusable_name(metrics: Iterable[str]) -> str | None:
    """Why one of an epoch's metrics, each "<split>_<metric>", has a name that cannot be recorded; None if all can."""
    for name in metrics:
        metric = name.partition("_")[2]
        if not _NAME.fullmatch(metric):
            shown = repr(metric) if len(metric) <= LONGEST_NAME else f"{metric[:20]!r}... of {len(metric)} characters"
            return (
                f"a metric is named {shown}: use 1 to {LONGEST_NAME} letters, digits, spaces and _ . @ + % / -, "
                "and begin with a letter, a digit or _"
            )
    return None


def with_objectives(metrics: Mapping[str, float], objectives: Iterable[Objective]) -> dict[str, float]:
    """An epoch's metrics, with those of the objectives also under the names that the objectives use."""
    names = [name for objective in objectives for name in (objective.metric, objective.tested)]
    found = {name: _measured(name, metrics) for name in names}
    return {**metrics, **{name: value for name, value in found.items() if value is not None}}


def _measured(name: str, metrics: Mapping[str, float]) -> float | None:
    own, plain = measured_as(name)
    return metrics.get(own, metrics.get(plain))


def measured_as(name: str) -> tuple[str, str]:
    """The names that a metric is measured under: a model of one pass has it without the suffix of several,
    "val_loss" for "val_loss_one_mask"."""
    return (name, name.removesuffix(ONE_MASK).removesuffix(SNAPSHOTS))


def split_of(name: str) -> str:
    """The split of a metric's name: "val" of "val_loss"."""
    return name.partition("_")[0]
