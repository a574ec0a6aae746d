"""Rules for drop rates that a regularizer cannot have, and for options that a fixed mask cannot have."""

from collections.abc import Iterator, Mapping
from functools import partial

from search_spaces.conditions import Needs, all_needs, both, impossible
from search_spaces.dimensions import CategoricalDimension
from search_spaces.parameters import RATES
from search_spaces.problems import Problem
from search_spaces.rules.parameters import extremes
from search_spaces.shape import StudyShape

SHARED = {"mask_groups": "samples", "time_correlation": "positions"}  # what a fixed mask is the same for


def rates_suit_their_regularizers(definition: StudyShape) -> Iterator[Problem]:
    """A trial of such a rate would fail, in every repetition."""
    space, fixed = definition.search_space, definition.fixed
    if not definition.task.is_built_in:
        return  # an own task may use these names for layers of its own
    needs = all_needs(space)
    for regularizer, domain in RATES.items():
        if domain is None:
            continue
        meet = partial(_meet, definition, needs, "regularizer", regularizer)
        for name, dimension in space.items():
            if (dimension.parameter or name) != "drop_rate" or not meet(needs[name]):
                continue
            remedy = f"give {regularizer} a range of its own (parameter: drop_rate, when: {{regularizer: ...}})"
            for part, value in extremes(dimension):
                refusal = domain.refusal(value)
                if refusal is not None:
                    yield Problem.at(f"search_space.{name}.{part}", f"{refusal} for {regularizer}: {remedy}")
        if "drop_rate" in fixed and meet({}):
            refusal = domain.refusal(fixed["drop_rate"])
            if refusal is not None:
                yield Problem.at("fixed.drop_rate", f"{refusal} for {regularizer}")


def fixed_masks_are_shared(definition: StudyShape) -> Iterator[Problem]:
    """A trial of a fixed mask with such an option would fail."""
    space, fixed = definition.search_space, definition.fixed
    if not definition.task.is_built_in:
        return
    needs = all_needs(space)
    for option, all_of_them in SHARED.items():
        places = [
            (f"search_space.{name}", needs[name], dimension.values)
            for name, dimension in space.items()
            if (dimension.parameter or name) == option
        ]
        if option in fixed:
            places = [(f"fixed.{option}", {}, (fixed[option],))]
        for path, of_option, values in places:
            suits = option == "time_correlation" and values is not None and set(values) <= {0, 1}  # all or none shared
            if not suits and _meet(definition, needs, "mask_mode", "fixed", of_option):
                rule = f'cannot be combined with mask_mode "fixed", whose one mask all {all_of_them} share'
                remedy = "search it under when: {mask_mode: dynamic}, or fix mask_mode to dynamic"
                yield Problem.at(path, f"{rule}: {remedy}")


def _meet(definition: StudyShape, needs: Mapping[str, Needs], parameter: str, value: str, of_other: Needs) -> bool:
    """Whether a trial in which the parameter has this value may have another that needs this."""
    if definition.fixed.get(parameter) == value:
        return True
    return any(
        value in dimension.choices and not impossible(both(of_other, needs[name], {name: frozenset({value})}))
        for name, dimension in definition.search_space.items()
        if (dimension.parameter or name) == parameter and isinstance(dimension, CategoricalDimension)
    )


RULES = (rates_suit_their_regularizers, fixed_masks_are_shared)
