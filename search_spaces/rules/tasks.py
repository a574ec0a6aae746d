"""Rules for what a built-in task offers: its options, its metrics and its samples. The worker judges an own task."""

from collections.abc import Iterator
from difflib import get_close_matches

from search_spaces.evaluation import HELD_OUT
from search_spaces.held_out import count_refusal, held_out_refusal, names_in
from search_spaces.networks import COLUMNS
from search_spaces.objective import measured_as
from search_spaces.parameters import MEASURED
from search_spaces.problems import Problem, shown
from search_spaces.samples import pool_of, validating
from search_spaces.shape import StudyShape
from search_spaces.task import BUILT_IN_TASKS, EXTERNAL, BuiltInTask

# Figures of the training split's steps, which every training has; peak_bytes only on a GPU.
OF_STEPS = ("step_loss", "gradient_norm", "seconds", "peak_bytes")
FACTORS = {"rank": 3, "rows": 10, "columns": COLUMNS}  # of linear_factorization, unless task.options says otherwise


def task_is_known(definition: StudyShape) -> Iterator[Problem]:
    task = definition.task
    if task.is_built_in and task.name not in BUILT_IN_TASKS:
        names = ", ".join([*BUILT_IN_TASKS, EXTERNAL])
        close = get_close_matches(task.name, [*BUILT_IN_TASKS, EXTERNAL], n=1)
        hint = f": did you mean {shown(close[0])}?" if close else ""
        rule = f"must be one of {names}, or an own package.module:Class, got {shown(task.name)}{hint}"
        yield Problem.at("task.name", rule)


def options_are_known(definition: StudyShape) -> Iterator[Problem]:
    task, built_in = definition.task, built_in_of(definition)
    if built_in is None or built_in.options is None:
        return
    for name, value in task.options.items():
        path = f"task.options.{name}"
        if name not in built_in.options:
            close = get_close_matches(name, built_in.options, n=1)
            remedy = f"did you mean {close[0]}?" if close else f"it has {', '.join(built_in.options)}"
            yield Problem.at(path, f"is no option of {task.name}: {remedy}")
            continue
        refusal = built_in.options[name].refusal(value)
        if refusal is not None:
            yield Problem.at(path, refusal)


def rank_is_possible(definition: StudyShape) -> Iterator[Problem]:
    options = definition.task.options
    if definition.task.name != "linear_factorization":
        return
    rank, rows, columns = (options.get(name, usual) for name, usual in FACTORS.items())
    if not (isinstance(rank, int) and isinstance(rows, int) and isinstance(columns, int)) or rank <= min(rows, columns):
        return
    if "rank" in options:
        yield Problem.at("task.options.rank", f"must be at most rows and columns, got {rank} for {rows} x {columns}")
    else:
        name = "rows" if rows == min(rows, columns) else "columns"
        yield Problem.at(f"task.options.{name}", f"must be at least rank, {rank} by default, got {options[name]}")


def held_out_classes_exist(definition: StudyShape) -> Iterator[Problem]:
    """Only the data say which words a folder of recordings has, and which topics of the documents are frequent."""
    task, built_in = definition.task, built_in_of(definition)
    value = task.options.get(HELD_OUT)
    if built_in is None or value is None or (built_in.options is not None and HELD_OUT not in built_in.options):
        return
    if built_in.classes or not names_in(value):
        broken = held_out_refusal(value, task.name, built_in.classes)
        if broken is None and built_in.learned is not None:
            broken = count_refusal(len(names_in(value)), task.name, built_in.learned)
        if broken is not None:
            yield Problem.at(f"task.options.{HELD_OUT}", broken)


def metrics_exist(definition: StudyShape) -> Iterator[Problem]:
    built_in = built_in_of(definition)
    if built_in is None or built_in.metrics is None:
        return
    everywhere = ("loss", *built_in.metrics)
    known = [f"{split}_{name}" for split in ("val", "train") for name in everywhere]
    known += [f"train_{name}" for name in OF_STEPS]
    for number, objective in enumerate(definition.objectives):
        if measured_as(objective.metric)[1] in (*known, *MEASURED):
            continue
        close = get_close_matches(objective.metric, [*known, *MEASURED], n=1)
        remedy = f"did you mean {close[0]}?" if close else f"it has val_ and train_ of {', '.join(everywhere)}"
        rule = f"is no metric of {definition.task.name}, got {shown(objective.metric)}: {remedy}"
        yield Problem.at(f"objectives[{number}].metric", rule)


def samples_suffice(definition: StudyShape) -> Iterator[Problem]:
    """Training and validation are cut from samples whose number is known; a folder's own data may be fewer."""
    task = definition.task
    pool = pool_of(task, definition.folds)
    val_size = None if pool is None else validating(task, pool)
    if pool is None or val_size is None:
        return
    if val_size >= pool:
        rule = f"must be at most {pool - 1} of the {pool} samples of {task.name}, got {val_size}"
        yield Problem.at("task.options.val_size", rule)
    elif task.train_size is not None and task.train_size > pool - val_size:
        rule = f"must be at most {pool - val_size} of the {pool} samples of {task.name} beside {val_size} that validate"
        yield Problem.at("task.train_size", f"{rule}, got {task.train_size}")


def built_in_of(definition: StudyShape) -> BuiltInTask | None:
    """The study's task among those with a name; None for an own one, and for an unknown name."""
    return BUILT_IN_TASKS.get(definition.task.name)


RULES = (
    task_is_known,
    options_are_known,
    rank_is_possible,
    held_out_classes_exist,
    metrics_exist,
    samples_suffice,
)
