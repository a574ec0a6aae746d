"""Rules for objectives, sampler, pruner and budget together."""

from collections.abc import Iterator

from search_spaces.conditions import is_unconditional
from search_spaces.dimensions import CategoricalDimension, Dimension
from search_spaces.problems import Problem, listed, shown
from search_spaces.pruners import HyperbandPruner, PairedPruner, SuccessiveHalvingPruner
from search_spaces.samplers import TpeSampler
from search_spaces.shape import StudyShape

SAMPLERS_OF_SEVERAL_OBJECTIVES = ("tpe", "random", "nsgaii", "grid", "qmc")


def objectives_differ(definition: StudyShape) -> Iterator[Problem]:
    metrics = [objective.metric for objective in definition.objectives]
    for number, metric in enumerate(metrics):
        if metric in metrics[:number]:
            yield Problem.at(f"objectives[{number}].metric", f"is an objective already, got {shown(metric)}")


def sampler_takes_several_objectives(definition: StudyShape) -> Iterator[Problem]:
    name = definition.sampler.name
    if len(definition.objectives) > 1 and name not in SAMPLERS_OF_SEVERAL_OBJECTIVES:
        rule = f"must be {listed(SAMPLERS_OF_SEVERAL_OBJECTIVES)} with several objectives, got {shown(name)}"
        yield Problem.at("sampler.name", rule)


def several_objectives_are_not_pruned(definition: StudyShape) -> Iterator[Problem]:
    if len(definition.objectives) > 1 and definition.pruner.name != "none":
        rule = f'must be "none" with several objectives, got {shown(definition.pruner.name)}'
        yield Problem.at("pruner.name", rule)


def patience_needs_one_objective(definition: StudyShape) -> Iterator[Problem]:
    """With several objectives no value is simply better than another."""
    patience = definition.budget.patience
    if len(definition.objectives) > 1 and patience is not None:
        yield Problem.at("budget.patience", f"must be left out with several objectives, got {patience}")


def pruner_starts_within_the_epochs(definition: StudyShape) -> Iterator[Problem]:
    pruner, epochs = definition.pruner, definition.task.epochs
    if isinstance(pruner, HyperbandPruner | SuccessiveHalvingPruner) and pruner.min_epochs > epochs:
        rule = f"must be at most task.epochs ({epochs}), got {pruner.min_epochs}"
        yield Problem.at("pruner.min_epochs", rule)


def pruner_has_repeats_to_compare(definition: StudyShape) -> Iterator[Problem]:
    """The paired pruner never looks after the last repeat, when there is nothing left to save."""
    pruner = definition.pruner
    if not pruner.pairs_repeats:
        return
    fewest = pruner.n_startup_repeats + 1 if isinstance(pruner, PairedPruner) else 2
    if definition.repeats < fewest:
        yield Problem.at(
            "repeats", f"must be at least {fewest} with the {pruner.name} pruner, got {definition.repeats}"
        )


def confirmation_needs_one_objective(definition: StudyShape) -> Iterator[Problem]:
    """With several objectives it is its author's choice which configuration is best."""
    if len(definition.objectives) > 1 and definition.confirmation is not None:
        yield Problem.at("confirmation", "must be left out with several objectives, got an object")


def groups_are_multivariate(definition: StudyShape) -> Iterator[Problem]:
    sampler = definition.sampler
    if isinstance(sampler, TpeSampler) and sampler.group and not sampler.multivariate:
        yield Problem.at("sampler.group", "must be false where multivariate is false, got true")


def trials_are_given(definition: StudyShape) -> Iterator[Problem]:
    name = definition.sampler.name
    if definition.budget.trials is None and name != "grid":
        rule = f"is missing: the {name} sampler has no end of its own (only the grid has)"
        yield Problem.at("budget.trials", rule)


def sampler_has_dimensions_to_model(definition: StudyShape) -> Iterator[Problem]:
    """Optuna's cmaes and gp see only what every trial has; with nothing left they would draw at random."""
    name = definition.sampler.name
    if name not in ("cmaes", "gp"):
        return
    kind = "numeric dimension" if name == "cmaes" else "dimension"
    if not any(modelled(dimension, name, definition) for dimension in definition.search_space.values()):
        rule = f"must hold a {kind} without a condition and with more than one value for the {name} sampler"
        yield Problem.at("search_space", rule)


def modelled(dimension: Dimension, sampler: str, definition: StudyShape) -> bool:
    if sampler == "cmaes" and isinstance(dimension, CategoricalDimension):
        return False
    single = dimension.values is not None and len(dimension.values) == 1
    return not single and is_unconditional(dimension, definition.fixed)


RULES = (
    objectives_differ,
    sampler_takes_several_objectives,
    several_objectives_are_not_pruned,
    patience_needs_one_objective,
    pruner_starts_within_the_epochs,
    pruner_has_repeats_to_compare,
    confirmation_needs_one_objective,
    groups_are_multivariate,
    trials_are_given,
    sampler_has_dimensions_to_model,
)
