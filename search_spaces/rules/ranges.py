"""Rules for the values of one dimension."""

from collections.abc import Iterator
from decimal import Decimal

from search_spaces.dimensions import CategoricalDimension, FloatDimension, IntDimension, Value
from search_spaces.problems import Problem, shown
from search_spaces.shape import StudyShape

Numeric = FloatDimension | IntDimension

FINEST_STEP = 1e-6  # of the larger bound; Optuna tells neighbouring steps apart to 1e-8


def numeric(definition: StudyShape) -> Iterator[tuple[str, Numeric]]:
    for name, dimension in definition.search_space.items():
        if not isinstance(dimension, CategoricalDimension):
            yield f"search_space.{name}", dimension


def low_is_not_above_high(definition: StudyShape) -> Iterator[Problem]:
    for path, dimension in numeric(definition):
        if dimension.low > dimension.high:
            rule = f"must be at most high ({shown(dimension.high)}), got {shown(dimension.low)}"
            yield Problem.at(f"{path}.low", rule)


def log_needs_positive_low(definition: StudyShape) -> Iterator[Problem]:
    for path, dimension in numeric(definition):
        if dimension.log and dimension.low <= 0:
            least = "at least 1" if isinstance(dimension, IntDimension) else "above 0"
            yield Problem.at(f"{path}.low", f"must be {least} on a log scale, got {shown(dimension.low)}")


def log_excludes_step(definition: StudyShape) -> Iterator[Problem]:
    for path, dimension in numeric(definition):
        unstepped = 1 if isinstance(dimension, IntDimension) else None
        if dimension.log and dimension.step != unstepped:
            rule = f"must be left out where log is true, got {shown(dimension.step)}"
            yield Problem.at(f"{path}.step", rule)


def step_divides_the_range(definition: StudyShape) -> Iterator[Problem]:
    for path, dimension in numeric(definition):
        if dimension.step is None or dimension.log or dimension.low > dimension.high:
            continue
        refusal = step_refusal(dimension, dimension.step)
        if refusal:
            yield Problem.at(f"{path}.step", f"{refusal}, got {shown(dimension.step)}")


def step_refusal(dimension: Numeric, step: float) -> str | None:
    low, high = dimension.low, dimension.high
    if step <= 0:
        return "must be above 0"
    largest = max(abs(low), abs(high))
    if isinstance(dimension, FloatDimension) and step < FINEST_STEP * largest:
        return f"must be at least a millionth of the larger bound ({shown(largest)})"
    if low == high:
        return None
    low_, high_, step_ = (Decimal(str(number)) for number in (low, high, step))
    if high_ - low_ < step_:
        return f"must be at most high - low ({high_ - low_})"
    if (high_ - low_) % step_ != 0:
        reached = low_ + (high_ - low_) // step_ * step_
        return f"must divide high - low ({high_ - low_}) into whole steps (the last one reached is {reached})"
    return None


def choices_differ(definition: StudyShape) -> Iterator[Problem]:
    for name, dimension in definition.search_space.items():
        if not isinstance(dimension, CategoricalDimension):
            continue
        seen: dict[Value, int] = {}
        for number, choice in enumerate(dimension.choices):
            first = seen.setdefault(choice, number)
            if first < number:
                rule = f"repeats choices[{first}] (Optuna takes 1, 1.0 and true for one), got {shown(choice)}"
                yield Problem.at(f"search_space.{name}.choices[{number}]", rule)


RULES = (
    low_is_not_above_high,
    log_needs_positive_low,
    log_excludes_step,
    step_divides_the_range,
    choices_differ,
)
