"""Rules for drop rates that a regularizer cannot have."""

from collections.abc import Iterator, Mapping

from search_spaces.conditions import Needs, all_needs, both, impossible
from search_spaces.dimensions import CategoricalDimension
from search_spaces.parameters import RATES
from search_spaces.problems import Problem
from search_spaces.rules.parameters import extremes
from search_spaces.shape import StudyShape


def rates_suit_their_regularizers(definition: StudyShape) -> Iterator[Problem]:
    """A trial of such a rate would fail, in every repetition."""
    space, fixed = definition.search_space, definition.fixed
    if not definition.task.is_built_in:
        return  # an own task may use these names for layers of its own
    needs = all_needs(space)
    for regularizer, domain in RATES.items():
        if domain is None:
            continue
        for name, dimension in space.items():
            if (dimension.parameter or name) != "drop_rate" or not _meet(definition, needs, needs[name], regularizer):
                continue
            remedy = f"give {regularizer} a range of its own (parameter: drop_rate, when: {{regularizer: ...}})"
            for part, value in extremes(dimension):
                refusal = domain.refusal(value)
                if refusal is not None:
                    yield Problem.at(f"search_space.{name}.{part}", f"{refusal} for {regularizer}: {remedy}")
        if "drop_rate" in fixed and _meet(definition, needs, {}, regularizer):
            refusal = domain.refusal(fixed["drop_rate"])
            if refusal is not None:
                yield Problem.at("fixed.drop_rate", f"{refusal} for {regularizer}")


def _meet(definition: StudyShape, needs: Mapping[str, Needs], of_rate: Needs, regularizer: str) -> bool:
    """Whether a trial with this regularizer may have a rate that needs this."""
    if definition.fixed.get("regularizer") == regularizer:
        return True
    return any(
        regularizer in dimension.choices
        and not impossible(both(of_rate, needs[name], {name: frozenset({regularizer})}))
        for name, dimension in definition.search_space.items()
        if (dimension.parameter or name) == "regularizer" and isinstance(dimension, CategoricalDimension)
    )


RULES = (rates_suit_their_regularizers,)
