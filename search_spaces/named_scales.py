"""Scales with a name, fitted to the study they are to make smaller."""

from collections.abc import Sequence
from dataclasses import replace

from search_spaces.narrowing import narrowed, numbers, setters
from search_spaces.samples import pool_of, validating
from search_spaces.scale import InvalidScale, Scale
from search_spaces.shape import StudyShape
from search_spaces.task import BUILT_IN_TASKS, BuiltInTask, Samples

SCALES = ("small", "medium", "full")


def named_scale(name: str, definition: StudyShape) -> Scale:
    """One of SCALES for this study: "small" for minutes on two cores, "medium" for hours; "full" leaves nothing out.

    A grid keeps some of its rates, evenly spaced, and the middle one of its widths; other samplers get fewer trials.

    Raises:
        InvalidScale: another name.
    """
    own = BuiltInTask(definition.task.name, Samples(), Samples())  # of an own task all samples, at every scale
    task = BUILT_IN_TASKS.get(definition.task.name, own)
    match name:
        case "small":
            return _fitted(definition, task.small, epochs=5, repeats=3, trials=30, rates=4)
        case "medium":
            return _fitted(definition, task.medium, epochs=10, repeats=5, trials=100, rates=5)
        case "full":
            return Scale()
        case _:
            raise InvalidScale(f"scale must be {', '.join(SCALES)} or key=value, got {name!r}")


def _fitted(definition: StudyShape, samples: Samples, *, epochs: int, repeats: int, trials: int, rates: int) -> Scale:
    train_size = samples.train if _has(definition, samples) else None
    scale = Scale(epochs=epochs, repeats=repeats, train_size=train_size, val_size=samples.val)
    if not definition.sampler.visits_grid:
        return replace(scale, trials=trials)
    space = definition.search_space
    all_rates, widths = sorted(numbers(space, "drop_rate")), sorted(numbers(space, "units"))
    every = -(-len(all_rates) // rates) or 1
    return replace(
        scale,
        rates=_for_all(definition, "drop_rate", all_rates[::every]),
        units=_for_all(definition, "units", widths[len(widths) // 2 :][:1]),
    )


def _has(definition: StudyShape, samples: Samples) -> bool:
    """Whether the task has so many samples to train, besides those that validate; classes may be held out."""
    pool = pool_of(definition.task, definition.folds)
    if pool is None or samples.train is None:
        return True
    kept = validating(definition.task, pool) if samples.val is None else samples.val
    return kept is None or samples.train + kept <= pool


def _for_all(definition: StudyShape, parameter: str, wanted: Sequence[float]) -> Sequence[float] | None:
    """The wanted numbers, unless they would leave a dimension of the parameter none."""
    dimensions = setters(definition.search_space, parameter).values()
    return wanted if wanted and all(narrowed(dimension, wanted) for dimension in dimensions) else None
