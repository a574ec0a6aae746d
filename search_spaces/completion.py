"""What an accepted definition leaves unsaid, said."""

from collections.abc import Iterator
from typing import TypeVar

from search_spaces.conditions import all_needs
from search_spaces.definition import StudyDefinition
from search_spaces.dimensions import Value
from search_spaces.effects import dependences
from search_spaces.known import Known
from search_spaces.narrowing import setters
from search_spaces.race import contenders
from search_spaces.resolution import given_by
from search_spaces.shape import StudyShape

Shape = TypeVar("Shape", bound=StudyShape)


def completed(definition: StudyDefinition) -> StudyDefinition:
    """The definition with the conditions that its parameters imply, and with its way to search.

    A dimension that has no effect on some regularizers is searched for the others only: `none` under six drop rates
    would be trained six times alike.
    """
    conditional = with_implied_conditions(definition)
    search = definition.search if "search" in definition.model_fields_set else _search(conditional)
    # Outside of a race, a sampler that does not learn from conditional dimensions would draw these at random.
    kept = definition if search == "free" and definition.sampler.models != "all" else conditional
    keeps: dict[str, object] = {"keep": "none"} if definition.task.is_external else {}
    budget = definition.budget
    if budget.epochs is not None and budget.trials is None and not definition.sampler.visits_grid:
        keeps |= {"budget": budget.model_copy(update={"trials": definition.trials})}
    return kept.model_copy(update={"search": search, **keeps})


def with_implied_conditions(definition: Shape) -> Shape:
    """The definition with a condition on each dimension that has no effect beside some values of another one."""
    space = dict(definition.search_space)
    for name, allowed in _implied(definition):
        space[name] = space[name].model_copy(update={"when": {**space[name].when, **allowed}})
    conditional = definition.model_copy(update={"search_space": space})
    conditional.__dict__.pop("order", None)  # it is remembered, and of the dimensions without the conditions
    return conditional


def without_implied_trials(definition: Shape) -> Shape:
    """The definition without the number of trials, where its budget of epochs implies it: a copy with another budget
    of epochs has another one."""
    budget = definition.budget
    if budget.epochs is None or budget.trials is None or definition.sampler.visits_grid:
        return definition
    unsaid = definition.model_copy(update={"budget": budget.model_copy(update={"trials": None})})
    return unsaid if unsaid.trials == budget.trials else definition


def with_exact_starts(definition: StudyDefinition) -> StudyDefinition:
    """The definition whose known configurations have what their trials are given: see `given_by`.

    The rules have accepted them.
    """
    starts = tuple(
        known if known.outside else Known(params=given_by(definition, known)) for known in definition.start_with
    )
    return definition.model_copy(update={"start_with": starts})


def _search(definition: StudyDefinition) -> str:
    """A race where variants are compared, and each can have a trial."""
    if definition.sampler.visits_grid or definition.pruner.pauses or len(definition.objectives) > 1:
        return "free"
    return "race" if 1 < len(contenders(definition)) <= definition.trials else "free"


def _implied(definition: StudyShape) -> Iterator[tuple[str, dict[str, tuple[Value, ...]]]]:
    """Each dimension that has no effect beside some choices of another one, with the condition that leaves them out."""
    space = definition.search_space
    needs = all_needs(space)
    for name, other, takes, values in dependences(definition):
        setting = list(setters(space, other))
        if values is None or len(setting) != 1 or name in needs[setting[0]]:
            continue  # a condition cannot say it, or would depend on itself
        reachable = [value for value in values if value in (space[setting[0]].values or ())]
        taken = tuple(value for value in reachable if takes(value))
        if taken and len(taken) < len(reachable):
            yield name, {setting[0]: taken}
