"""Makes a study smaller for a small machine: a pure function from definition to definition."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from search_spaces.definition import StudyDefinition
from search_spaces.dimensions import Dimension
from search_spaces.narrowing import CannotNarrow, numbers, shown, with_values
from search_spaces.parsing import parse_definition
from search_spaces.race import contenders
from search_spaces.variants import variants_of, with_variants

MARK = "-scaled"
LEAST_SEEDS = 2  # of a confirmation
LONGEST_NAME, LONGEST_DESCRIPTION = 63, 2000  # characters


class InvalidScale(ValueError):
    """The study does not have the part; the message is one line that names it."""


@dataclass(frozen=True)
class Scale:
    """The part of a study to keep; None keeps everything, and numbers are upper limits."""

    epochs: int | None = None  # of a training
    train_size: int | None = None  # samples
    val_size: int | None = None  # samples
    repeats: int | None = None  # seeds, of the search and of the confirmation
    trials: int | None = None
    variants: Collection[str] | None = None  # "dropout", "pernodedrop-gaussian" for both of its mask modes, ...
    rates: Collection[float] | None = None  # drop rates
    units: Collection[float] | None = None  # widths of the regularized layer


def scaled(definition: StudyDefinition, scale: Scale) -> StudyDefinition:
    """The smaller study; its name ends in "-scaled" and its description begins with what is left of the original.

    Raises:
        InvalidScale: the scale names what the study does not search.
        InvalidDefinition: the smaller study breaks a rule; its pruner may need more epochs, for example.
    """
    try:
        space = _smaller_space(definition, scale)
    except CannotNarrow as error:
        raise InvalidScale(str(error)) from error
    task = definition.task.model_copy(update={"epochs": _least(definition.task.epochs, scale.epochs)})
    task = task.model_copy(update={"train_size": _least(task.train_size, scale.train_size)})
    if scale.val_size is not None:
        val_size = task.options.get("val_size")
        kept = _least(val_size if isinstance(val_size, int) else None, scale.val_size)
        task = task.model_copy(update={"options": {**task.options, "val_size": kept}})
    confirmation = definition.confirmation
    if confirmation is not None and scale.repeats is not None:
        fewer = {
            field: _fill(
                definition.folds, max(LEAST_SEEDS, min(getattr(confirmation, field), scale.repeats)), definition.folds
            )
            for field in ("repeats", "most_repeats")
            if field == "repeats" or confirmation.is_decided
        }
        confirmation = confirmation.model_copy(update=fewer)
    repeats = definition.repeats
    if scale.repeats is not None and scale.repeats < repeats:
        repeats = _fill(definition.folds, scale.repeats, 1)
    parts = {"search_space": space, "task": task, "repeats": repeats, "confirmation": confirmation}
    smaller = definition.model_copy(update=parts)
    budget = definition.budget.model_copy(update={"trials": _trials(smaller, scale.trials)})
    smaller = smaller.model_copy(update={"budget": budget})
    if smaller.is_race and smaller.trials < len(contenders(smaller)):
        smaller = smaller.model_copy(update={"search": "free"})
    left = "; ".join(_left(definition, smaller, scale))
    if not left:
        return definition
    description = f"Scaled down to {left}. {definition.description}".strip()[:LONGEST_DESCRIPTION]
    name = definition.name.removesuffix(MARK)[: LONGEST_NAME - len(MARK)] + MARK
    marked = smaller.model_copy(update={"name": name, "description": description})
    return parse_definition(marked.model_dump(mode="json"))


def _fill(folds: int | None, seeds: int, least: int | None) -> int:
    """The number of seeds with which every fold is tested equally often, `least` where there are fewer seeds."""
    return seeds if folds is None else seeds - seeds % folds or least or seeds


def _smaller_space(definition: StudyDefinition, scale: Scale) -> dict[str, Dimension]:
    space, fixed = dict(definition.search_space), definition.fixed
    if scale.variants is not None:
        space = with_variants(space, fixed, scale.variants)
    for parameter, wanted in (("drop_rate", scale.rates), ("units", scale.units)):
        if wanted is not None and not (parameter in fixed and fixed[parameter] in wanted):
            space = with_values(space, parameter, wanted)
    return space


def _trials(smaller: StudyDefinition, limit: int | None) -> int | None:
    """The runs of the smaller study; a grid is not visited again because it has become smaller."""
    trials = _least(smaller.budget.trials, limit)
    if not smaller.sampler.visits_grid or trials is None:
        return trials
    points = len(smaller.grid)
    return trials if trials < points else None


def _least(value: int | None, limit: int | None) -> int | None:
    return min((number for number in (value, limit) if number is not None), default=None)


def _left(whole: StudyDefinition, smaller: StudyDefinition, scale: Scale) -> Iterator[str]:
    """The size of everything that became smaller, in words."""
    counts = (
        (whole.task.epochs, smaller.task.epochs, "epochs"),
        (whole.repeats, smaller.repeats, "repeats"),
        (whole.trials, smaller.trials, "runs"),
        (whole.confirmation_epochs, smaller.confirmation_epochs, "epochs of confirmation"),
    )
    yield from (f"{after:,} of {before:,} {what}" for before, after, what in counts if after < before)
    if smaller.task.train_size != whole.task.train_size:
        yield f"{smaller.task.train_size:,} training samples"
    if smaller.task.options != whole.task.options:
        yield f"{smaller.task.options['val_size']:,} validation samples"
    if smaller.search != whole.search:
        yield f"a {smaller.search} search"
    if scale.variants is not None:
        before, after = (variants_of(d.search_space, d.fixed) for d in (whole, smaller))
        if len(after) < len(before):
            yield f"the variants {', '.join(after)}"
    for parameter, name in (("drop_rate", "rates"), ("units", "units")):
        fewer = numbers(smaller.search_space, parameter)
        if fewer != numbers(whole.search_space, parameter):
            yield f"the {name} {shown(fewer)}"
