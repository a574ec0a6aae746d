"""Rules for the objectives, sampler, pruner and budget together."""

from collections.abc import Iterator, Sequence

from search_spaces.dimensions import CategoricalDimension, Dimension
from search_spaces.parameters import MEASURED
from search_spaces.part import by_name
from search_spaces.problems import Problem, listed, shown
from search_spaces.pruners import PRUNERS, PrunerPart
from search_spaces.pruners.asha import AshaPruner
from search_spaces.race import MOST_POINTS, contenders
from search_spaces.samplers import SAMPLERS, SamplerPart
from search_spaces.samplers.sampler import Models
from search_spaces.shape import StudyShape
from search_spaces.variants import VARIANT_PARAMETERS, telling_in

Strategy = SamplerPart | PrunerPart


def objectives_differ(definition: StudyShape) -> Iterator[Problem]:
    metrics = [objective.metric for objective in definition.objectives]
    for number, metric in enumerate(metrics):
        if metric in metrics[:number]:
            yield Problem.at(f"objectives[{number}].metric", f"is an objective already, got {shown(metric)}")


def objectives_are_measured(definition: StudyShape) -> Iterator[Problem]:
    """A trial without the figure after some epoch would fail."""
    if not definition.task.is_built_in:
        return  # an own task may give a metric such a name
    for number, objective in enumerate(definition.objectives):
        parameter = MEASURED.get(objective.metric)
        is_measured = definition.fixed.get(parameter or "", 0)
        if parameter is None or is_measured == 1 or (is_measured and parameter != "curvature_every"):
            continue
        rule = f"needs fixed.{parameter}: 1, which measures it after every epoch"
        yield Problem.at(f"objectives[{number}].metric", f"{rule}, got {shown(objective.metric)}")


def sampler_takes_several_objectives(definition: StudyShape) -> Iterator[Problem]:
    yield from _takes_several_objectives(definition, "sampler", definition.sampler, SAMPLERS)


def pruner_takes_several_objectives(definition: StudyShape) -> Iterator[Problem]:
    yield from _takes_several_objectives(definition, "pruner", definition.pruner, PRUNERS)


def _takes_several_objectives(
    definition: StudyShape, path: str, part: Strategy, known: Sequence[type[Strategy]]
) -> Iterator[Problem]:
    if len(definition.objectives) > 1 and not part.takes_several_objectives:
        those = [name for name, other in by_name(known).items() if other.takes_several_objectives]
        yield Problem.at(f"{path}.name", f"must be {listed(those)} with several objectives, got {shown(part.name)}")


def patience_needs_one_objective(definition: StudyShape) -> Iterator[Problem]:
    """No value is simply better than another with several objectives."""
    patience = definition.budget.patience
    if len(definition.objectives) > 1 and patience is not None:
        yield Problem.at("budget.patience", f"must be left out with several objectives, got {patience}")


def options_suit(definition: StudyShape) -> Iterator[Problem]:
    """The sampler and the pruner check their own options."""
    yield from definition.sampler.problems()
    yield from definition.pruner.problems(epochs=definition.task.epochs, repeats=definition.repeats)


def pruner_has_repeats_to_compare(definition: StudyShape) -> Iterator[Problem]:
    pruner = definition.pruner
    if definition.repeats < pruner.fewest_repeats:
        rule = f"must be at least {pruner.fewest_repeats} with the {pruner.name} pruner, got {definition.repeats}"
        yield Problem.at("repeats", f"{rule}: raise it, or leave the pruner out")


def paused_trials_can_go_on(definition: StudyShape) -> Iterator[Problem]:
    """Trials are compared by one curve each, on rungs that all of them share."""
    pruner = definition.pruner
    if not pruner.pauses:
        return
    if definition.repeats > 1:
        rule = f"must be 1 with the {pruner.name} pruner, whose rungs compare one curve each"
        yield Problem.at("repeats", f"{rule}, got {definition.repeats}: let a confirmation train the best under more")
    if definition.task.is_external:
        rule = "must be one that ends a trial (median, hyperband, ...) with task.name external, whose loop keeps no"
        yield Problem.at("pruner.name", f"{rule} checkpoint for another one to go on from, got {shown(pruner.name)}")
    if definition.is_race:
        rule = f'must be "free" or left out with the {pruner.name} pruner, which compares all trials on one ladder'
        yield Problem.at("search", f"{rule}, got {shown(definition.search)}")


def rungs_lead_to_the_end(definition: StudyShape) -> Iterator[Problem]:
    """Without one that is trained to its end, a search has no result."""
    pruner, budget, epochs = definition.pruner, definition.budget, definition.task.epochs
    if budget.epochs is not None and budget.epochs < (fewest := pruner.fewest_epochs(epochs, definition.repeats)):
        rule = f"must be at least {fewest}, which train one trial to its end"
        yield Problem.at("budget.epochs", f"{rule}, got {budget.epochs}: raise it")
    elif isinstance(pruner, AshaPruner) and budget.trials is not None and not pruner.ends(budget.trials, epochs):
        rule = f"must be at least {pruner.fewest_trials(epochs)}, of which the rungs let one be trained to its end"
        yield Problem.at("budget.trials", f"{rule}, got {budget.trials}: raise it or pruner.min_epochs")


def trials_are_given(definition: StudyShape) -> Iterator[Problem]:
    sampler = definition.sampler
    if definition.budget.trials is None and definition.budget.epochs is None and not sampler.visits_grid:
        rule = f"is missing: the {sampler.name} sampler has no end of its own (only the grid has)"
        yield Problem.at("budget.trials", rule)


def sampler_has_dimensions_to_model(definition: StudyShape) -> Iterator[Problem]:
    """A sampler that models only some dimensions would draw at random if it had none of them."""
    sampler = definition.sampler
    if sampler.models == "all":
        return
    kind = "numeric dimension" if sampler.models == "numeric" else "dimension"
    if not any(modelled(dimension, sampler.models, definition) for dimension in definition.search_space.values()):
        rule = f"must hold a {kind} without a condition and with more than one value for the {sampler.name} sampler"
        yield Problem.at("search_space", rule)


def modelled(dimension: Dimension, models: Models, definition: StudyShape) -> bool:
    if models == "numeric" and isinstance(dimension, CategoricalDimension):
        return False
    single = dimension.values is not None and len(dimension.values) == 1
    return not single and all(parent in definition.fixed or _is_given(parent, definition) for parent in dimension.when)


def _is_given(parent: str, definition: StudyShape) -> bool:
    """Whether the sampler meets one value of it only: that of its variant, in a race."""
    dimension = definition.search_space.get(parent)
    if dimension is None or not definition.is_race:
        return False
    return (dimension.parameter or parent) in (*VARIANT_PARAMETERS, *telling_in(definition.search_space))


def patience_needs_no_order(definition: StudyShape) -> Iterator[Problem]:
    """Patience counts results as they come, which differs between fleets."""
    if definition.budget.patience is not None and definition.sampler.lag is not None:
        rule = "must be left out with sampler.lag: it counts results as they come, which differs between fleets"
        yield Problem.at("budget.patience", f"{rule}, got {definition.budget.patience}")


def race_is_possible(definition: StudyShape) -> Iterator[Problem]:
    if definition.search == "free":
        return
    if definition.sampler.visits_grid:
        rule = 'must be "free" or left out with the grid sampler, which trains every configuration'
        yield Problem.at("search", f"{rule}, got {shown(definition.search)}")


def race_needs_one_objective(definition: StudyShape) -> Iterator[Problem]:
    if len(definition.objectives) > 1 and definition.search == "race":
        yield Problem.at("search", 'must be fair or free with several objectives, got "race"')


def race_has_a_trial_for_every_variant(definition: StudyShape) -> Iterator[Problem]:
    if not definition.is_race:
        return
    variants, trials = len(contenders(definition)), definition.trials
    if not variants:
        rule = f"needs at most {MOST_POINTS:,} combinations of the dimensions that tell variants apart"
        yield Problem.at("search", f"{rule}, got more: set it to free, or give them fewer values or a condition (when)")
    if trials < variants:
        rule = f"must be at least {variants}, one for each variant of the {definition.search}, got {trials}"
        yield Problem.at("budget.trials", f"{rule}: raise it, or set search to free")


RULES = (
    objectives_differ,
    objectives_are_measured,
    sampler_takes_several_objectives,
    pruner_takes_several_objectives,
    patience_needs_one_objective,
    options_suit,
    pruner_has_repeats_to_compare,
    paused_trials_can_go_on,
    rungs_lead_to_the_end,
    trials_are_given,
    sampler_has_dimensions_to_model,
    patience_needs_no_order,
    race_is_possible,
    race_needs_one_objective,
)
