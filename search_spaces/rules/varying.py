"""Rules for what the repeats of a study differ in."""

from collections.abc import Iterator

from search_spaces.problems import Problem, listed, shown
from search_spaces.shape import StudyShape
from search_spaces.task import BUILT_IN_TASKS

_PATH = "repeats_vary"


def sources_suit_each_other(definition: StudyShape) -> Iterator[Problem]:
    named = definition.repeats_vary
    if "seed" not in named:
        yield Problem.at(_PATH, 'must hold "seed": write [seed, split], or leave it out for [seed], got ["split"]')
    for number, name in enumerate(named):
        if name in named[:number]:
            yield Problem.at(f"{_PATH}[{number}]", f"is in the list already, got {shown(name)}")


def task_can_split_anew(definition: StudyShape) -> Iterator[Problem]:
    """The worker asks an own task."""
    task = definition.task
    if not definition.splits_anew or task.name not in BUILT_IN_TASKS:
        return
    if not BUILT_IN_TASKS[task.name].splits_anew:
        rule = f"must be [seed]: {task.name} cannot draw its validation split anew"
        yield Problem.at(_PATH, f"{rule} (its class needs the method split, its entry splits_anew=True)")
    if "split_seed" in task.options:
        rule = "must be left out with repeats_vary: [seed, split], which draws a split for every repeat"
        yield Problem.at("task.options.split_seed", f"{rule}, got {shown(task.options['split_seed'])}")


def task_has_folds(definition: StudyShape) -> Iterator[Problem]:
    task = definition.task
    if definition.folds is None or task.name not in BUILT_IN_TASKS or BUILT_IN_TASKS[task.name].has_folds:
        return
    those = listed([name for name, built_in in BUILT_IN_TASKS.items() if built_in.has_folds])
    rule = f"must be left out: {task.name} has a test split of its own, and only {those} and own tasks are cut"
    yield Problem.at("folds", f"{rule}; repeats_vary: [seed, split] draws its validation split anew")


def repeats_fill_the_folds(definition: StudyShape) -> Iterator[Problem]:
    """Each configuration is tested on every fold equally often; a search of one repeat tests on none."""
    folds = definition.folds
    if folds is not None and definition.repeats > 1 and definition.repeats % folds:
        yield Problem.at("repeats", f"must be 1 or a multiple of folds ({folds}), got {definition.repeats}")


def models_are_examined_by_the_same_inputs(definition: StudyShape) -> Iterator[Problem]:
    if definition.folds is not None and definition.evaluation is not None:
        rule = "must be left out with folds: it compares what models say of the same inputs"
        yield Problem.at("evaluation", f"{rule}; repeats_vary: [seed, split] keeps the test split")


RULES = (
    sources_suit_each_other,
    task_can_split_anew,
    task_has_folds,
    repeats_fill_the_folds,
    models_are_examined_by_the_same_inputs,
)
