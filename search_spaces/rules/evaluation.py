"""Rules for the evaluation of a confirmation's models."""

from collections.abc import Iterator

from pernodedrop.near import did_you_mean
from search_spaces.evaluation import HELD_OUT, SPLITS
from search_spaces.problems import Problem, listed, shown
from search_spaces.shape import StudyShape
from search_spaces.task import BUILT_IN_TASKS

_PATH = "evaluation.out_of_distribution"


def evaluation_needs_a_confirmation(definition: StudyShape) -> Iterator[Problem]:
    if definition.evaluation is None or definition.confirmation is not None:
        return
    if len(definition.objectives) > 1:
        rule = "must be left out with several objectives: it examines models of the confirmation, which they exclude"
    else:
        rule = "needs a confirmation, whose models it examines: add confirmation: {top: 1, repeats: 5}"
    yield Problem.at("evaluation", rule)


def sets_differ(definition: StudyShape) -> Iterator[Problem]:
    names = () if definition.evaluation is None else definition.evaluation.out_of_distribution
    for number, name in enumerate(names):
        if name in names[:number]:
            yield Problem.at(f"{_PATH}[{number}]", f"is in the list already, got {shown(name)}")
        elif name in SPLITS:
            rule = f"must be a set out of distribution, not a split, which is always examined, got {shown(name)}"
            yield Problem.at(f"{_PATH}[{number}]", rule)


def task_offers_the_sets(definition: StudyShape) -> Iterator[Problem]:
    """The worker judges the names of an own task."""
    task = definition.task
    if definition.evaluation is None or task.name not in BUILT_IN_TASKS:
        return
    known = BUILT_IN_TASKS[task.name].out_of_distribution
    for number, name in enumerate(definition.evaluation.out_of_distribution):
        if name not in known and name not in SPLITS:
            offered = did_you_mean(name, known, listed(known) or "none: leave the list empty")
            rule = f"must be a set that {task.name} offers ({offered}), got {shown(name)}"
            yield Problem.at(f"{_PATH}[{number}]", rule)


def models_predict_probabilities(definition: StudyShape) -> Iterator[Problem]:
    name = definition.task.name
    if definition.evaluation is None or name not in BUILT_IN_TASKS:
        return
    if not BUILT_IN_TASKS[name].has_probabilities:
        rule = f"must be left out: it needs models that predict probabilities, and those of {name} predict numbers"
        yield Problem.at("evaluation", rule)


def held_out_classes_are_chosen(definition: StudyShape) -> Iterator[Problem]:
    evaluation, task = definition.evaluation, definition.task
    if evaluation is None or not task.is_built_in or HELD_OUT in task.options:
        return
    if HELD_OUT in evaluation.out_of_distribution:
        place = evaluation.out_of_distribution.index(HELD_OUT)
        rule = 'needs task.options.held_out, the classes that no model learns: for example held_out: "8 9" for digits'
        yield Problem.at(f"{_PATH}[{place}]", rule)


RULES = (
    evaluation_needs_a_confirmation,
    sets_differ,
    task_offers_the_sets,
    models_predict_probabilities,
    held_out_classes_are_chosen,
)
