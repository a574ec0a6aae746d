"""What an accepted definition leaves unsaid, said."""

from collections.abc import Iterator

from search_spaces.conditions import all_needs
from search_spaces.definition import StudyDefinition
from search_spaces.dimensions import CategoricalDimension, Dimension
from search_spaces.known import Known
from search_spaces.parameters import OPTIONS, RATES
from search_spaces.race import contenders
from search_spaces.resolution import given_by


def completed(definition: StudyDefinition) -> StudyDefinition:
    """The definition with the conditions that its parameters imply, and with its way to search.

    A dimension that has no effect on some regularizers is searched for the others only: `none` under six drop rates
    would be trained six times alike.
    """
    space = dict(definition.search_space)
    for name, allowed in _implied(definition):
        space[name] = space[name].model_copy(update={"when": {**space[name].when, **allowed}})
    conditional = definition.model_copy(update={"search_space": space})
    search = definition.search if "search" in definition.model_fields_set else _search(conditional)
    # Outside of a race, a sampler that does not learn from conditional dimensions would draw these at random.
    kept = definition if search == "free" and definition.sampler.models != "all" else conditional
    return kept.model_copy(update={"search": search})


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
    if definition.sampler.visits_grid or len(definition.objectives) > 1:
        return "free"
    return "race" if 1 < len(contenders(definition)) <= definition.trials else "free"


def _implied(definition: StudyDefinition) -> Iterator[tuple[str, dict[str, tuple[str, ...]]]]:
    """Each dimension that some regularizers of the study do not take, with the condition that leaves these out."""
    space = definition.search_space
    setting = [name for name, dimension in space.items() if (dimension.parameter or name) == "regularizer"]
    if not definition.task.is_built_in or len(setting) != 1:
        return  # an own task may give any parameter any sense
    (parent,) = setting
    choices = space[parent].values if isinstance(space[parent], CategoricalDimension) else ()
    needs = all_needs(space)
    for name, dimension in space.items():
        if name == parent:
            continue
        reachable = [str(choice) for choice in choices or () if choice in needs[name].get(parent, {choice})]
        taken = tuple(each for each in reachable if _takes(each, dimension, name))
        if taken and len(taken) < len(reachable):
            yield name, {parent: taken}


def _takes(regularizer: str, dimension: Dimension, name: str) -> bool:
    """Whether the parameter has an effect on a training with this regularizer."""
    match dimension.parameter or name:
        case "drop_rate":
            return RATES.get(regularizer, True) is not None
        case "stir_type" | "mask_mode" | "noisy_fraction":
            return regularizer == "pernodedrop"
        case option if option in OPTIONS:
            return regularizer in OPTIONS[option].of
        case _:
            return True
