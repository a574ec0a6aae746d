"""Rules for the confirmation of the best configurations."""

from collections.abc import Iterator

from pernodedrop.near import hint
from search_spaces.confirmation import CHEAPEST, OF_DECIDED
from search_spaces.narrowing import CannotNarrow
from search_spaces.problems import Problem, listed, shown
from search_spaces.shape import StudyShape
from search_spaces.variants import variants_of


def confirmation_needs_one_objective(definition: StudyShape) -> Iterator[Problem]:
    """The author chooses the best configuration of several objectives."""
    if len(definition.objectives) > 1 and definition.confirmation is not None:
        yield Problem.at("confirmation", "must be left out with several objectives, got an object")


def fixed_confirmation_decides_nothing(definition: StudyShape) -> Iterator[Problem]:
    confirmation = definition.confirmation
    if confirmation is None or confirmation.is_decided:
        return
    for field in OF_DECIDED:
        if field in confirmation.model_fields_set:
            rule = "needs confirmation.until: decided, which goes on until the best is known"
            yield Problem.at(f"confirmation.{field}", f"{rule}, got {shown(getattr(confirmation, field))}")


def first_round_fits(definition: StudyShape) -> Iterator[Problem]:
    confirmation = definition.confirmation
    if confirmation is not None and confirmation.repeats > confirmation.most:
        rule = f"must be at least confirmation.repeats ({confirmation.repeats}), got {confirmation.most_repeats}"
        yield Problem.at("confirmation.most_repeats", rule)


def confirmation_suits_the_folds(definition: StudyShape) -> Iterator[Problem]:
    """Further seeds meet the same folds again, and looks count every seed as a new one."""
    folds, confirmation = definition.folds, definition.confirmation
    if folds is None or confirmation is None:
        return
    if confirmation.is_decided:
        rule = "must be fixed with folds: seeds beyond them meet the same test samples again, which a look cannot count"
        yield Problem.at("confirmation.until", f'{rule}, got "decided"')
    if confirmation.repeats % folds:
        rule = f"must be a multiple of folds ({folds}), so that every fold tests equally often"
        yield Problem.at("confirmation.repeats", f"{rule}, got {confirmation.repeats}")


def preferred_variant_exists(definition: StudyShape) -> Iterator[Problem]:
    confirmation = definition.confirmation
    if confirmation is None or confirmation.prefer == CHEAPEST:
        return
    try:
        variants = variants_of(definition.search_space, definition.fixed)
    except CannotNarrow:  # too many to name
        return
    if confirmation.prefer not in variants:
        rule = f"must be {listed([CHEAPEST, *variants])}, got {shown(confirmation.prefer)}"
        yield Problem.at("confirmation.prefer", rule + hint(confirmation.prefer, [CHEAPEST, *variants]))


RULES = (
    confirmation_needs_one_objective,
    fixed_confirmation_decides_nothing,
    first_round_fits,
    confirmation_suits_the_folds,
)
OF_VARIANTS = (preferred_variant_exists,)  # they rely on a search space that obeys its rules
