"""Scales with a name, fitted to the study they are to make smaller."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from search_spaces.narrowing import narrowed, numbers, setters
from search_spaces.scale import InvalidScale, Scale
from search_spaces.shape import StudyShape

SCALES = ("small", "medium", "full")


@dataclass(frozen=True)
class Samples:
    """How many samples of a task to take; None takes all."""

    train: int | None = None
    val: int | None = None


SMALL = {
    "digits": Samples(400),
    "cifar10": Samples(2_000, 1_000),
    "speech_commands": Samples(500, 300),
    "rcv1": Samples(2_000, 1_000),
}
MEDIUM = {
    "digits": Samples(1_000),
    "cifar10": Samples(10_000, 5_000),
    "speech_commands": Samples(2_000),
    "rcv1": Samples(8_000),
}


def named_scale(name: str, definition: StudyShape) -> Scale:
    """One of SCALES for this study: "small" for minutes on two cores, "medium" for hours; "full" leaves nothing out.

    A grid keeps some of its rates, evenly spaced, and the middle one of its widths; other samplers get fewer trials.

    Raises:
        InvalidScale: another name.
    """
    match name:
        case "small":
            return _fitted(definition, SMALL, epochs=5, repeats=3, trials=30, rates=4)
        case "medium":
            return _fitted(definition, MEDIUM, epochs=10, repeats=5, trials=100, rates=5)
        case "full":
            return Scale()
        case _:
            raise InvalidScale(f"scale must be {', '.join(SCALES)} or key=value, got {name!r}")


def _fitted(
    definition: StudyShape, sizes: Mapping[str, Samples], *, epochs: int, repeats: int, trials: int, rates: int
) -> Scale:
    samples = sizes.get(definition.task.name, Samples())
    scale = Scale(epochs=epochs, repeats=repeats, train_size=samples.train, val_size=samples.val)
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


def _for_all(definition: StudyShape, parameter: str, wanted: Sequence[float]) -> Sequence[float] | None:
    """The wanted numbers, unless they would leave a dimension of the parameter none."""
    dimensions = setters(definition.search_space, parameter).values()
    return wanted if wanted and all(narrowed(dimension, wanted) for dimension in dimensions) else None
