"""How many samples a built-in task has to train and to validate, where that is known without its data."""

from search_spaces.evaluation import HELD_OUT
from search_spaces.held_out import names_in, place_of
from search_spaces.task import BUILT_IN_TASKS, TaskSpec


def pool_of(task: TaskSpec, folds: int | None) -> int | None:
    """The most samples that train and validate, without the classes that are held out; None where only the data say."""
    built_in = BUILT_IN_TASKS.get(task.name)
    if built_in is None or built_in.pool is None:
        return None
    counts = list(built_in.pool)
    if folds is not None and built_in.tested:
        counts = [own + tested for own, tested in zip(counts, built_in.tested, strict=True)]
    held_out = task.options.get(HELD_OUT)
    if held_out is not None and len(counts) == len(built_in.classes):
        places = {place_of(name, built_in.classes) for name in names_in(held_out)}
        counts = [count for place, count in enumerate(counts) if place not in places]
    total = sum(counts)
    return total if folds is None else total + -total // folds  # the largest fold is tested


def validating(task: TaskSpec, pool: int) -> int | None:
    """How many samples of so many validate; None where the option is no whole number."""
    val_size = task.options.get("val_size")
    if val_size is None:
        return pool // 5
    return val_size if type(val_size) is int else None
