"""Rules for a study of an own loop, which trains in code that this program does not see."""

from collections.abc import Iterator

from search_spaces.problems import Problem, shown
from search_spaces.shape import StudyShape


def own_loop_does_what_is_asked(definition: StudyShape) -> Iterator[Problem]:
    """What workers do with data and models cannot be asked of foreign code."""
    if not definition.task.is_external:
        return
    for path, value, why in _asked(definition):
        yield Problem.at(path, f"must be left out with task.name external: {why}, got {shown(value)}")


def _asked(definition: StudyShape) -> Iterator[tuple[str, object, str]]:
    """What the study asks for: its path, the value, and why it must not."""
    task = definition.task
    if task.options:
        yield "task.options", task.options, "the loop gets search_space and fixed alone, so write settings into fixed"
    if task.train_size is not None:
        yield "task.train_size", task.train_size, "the loop has its own data, so write a number of samples into fixed"
    if task.precision != "float32":
        yield "task.precision", task.precision, "the loop chooses its own, so write it into fixed"
    if "keep" in definition.model_fields_set and definition.keep != "none":
        yield "keep", definition.keep, "the loop keeps its weights itself"
    if definition.evaluation is not None:
        yield "evaluation", definition.evaluation.model_dump(), "the models are not here to be examined"
    if definition.splits_anew:
        yield "repeats_vary", list(definition.repeats_vary), "a repeat has a seed, and the loop divides its data"
    if definition.folds is not None:
        yield "folds", definition.folds, "a repeat has a seed, and the loop divides its data"


RULES = (own_loop_does_what_is_asked,)
