"""The process of `pernodedrop check`: reads a request from standard input and says line by line what it finds.

The request is JSON: the study's `definition`, the `data_folder`, and whether to `fetch` data that are missing. A line
is JSON too, with a `kind`: task, variants, data, hooks, begins, variant, fails, problem, note or memory.
"""

import os
import sys

from pernodedrop import door

if __name__ == "__main__":
    door.open_door()
    from workers.trial.family import is_secret

    for name in [name for name in os.environ if is_secret(name)]:  # a task has no use for them
        del os.environ[name]

import json
import resource
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pernodedrop.begin import OURS
from search_spaces import StudyDefinition, parse_definition
from search_spaces.one_of_each import one_of_each
from search_spaces.task_folders import OPTION, search_tasks
from workers.checking.hooks import hooks_of, inputs_of
from workers.checking.metrics import only_on_a_gpu, problems_of
from workers.checking.rehearsal import CPU, rehearsed
from workers.tasks import DataUnavailable, Task
from workers.tasks.code import is_here, read_once, version_of
from workers.tasks.errors import UnknownTask
from workers.tasks.fetching import no_fetching
from workers.tasks.finite import not_finite
from workers.tasks.registry import module_of
from workers.trial.dividing import task_of
from workers.trial.machine import memory
from workers.trial.main import reason_of
from workers.trial.messages import Order
from workers.trial.out_of_memory import is_out_of_memory

Say = Callable[..., None]
_PROGRAM = tuple(str(Path(__file__).parents[2] / name) for name in OURS)


def main(say: Say) -> None:
    """Check the request on standard input."""
    asked = json.load(sys.stdin)
    definition = parse_definition(asked["definition"])
    data_folder = Path(asked["data_folder"])
    search_tasks()
    with nullcontext() if asked["fetch"] else no_fetching():
        _check(definition, data_folder, say)


def _check(definition: StudyDefinition, data_folder: Path, say: Say) -> None:
    try:
        variants = one_of_each(definition)
    except ValueError as error:
        say("problem", text=f"the variants cannot be told: {error}")
        return
    orders = {
        name: Order.of_study(definition, config, range(1), evaluation=definition.evaluation, data_folder=data_folder)
        for name, config in variants.items()
    }
    say("variants", count=len(orders))
    if not orders or not _prepared(definition, next(iter(orders.values())), say):
        return
    measured = {}
    for name, order in orders.items():
        say("begins", variant=name)
        try:
            found = rehearsed(definition, order)
        except BaseException as error:  # whatever a task raises
            say("fails", variant=name, text=f"would fail: {_failure(error)}")
            continue
        measured[name] = found.metrics
        if found.problem is not None:
            say("fails", variant=name, text=found.problem)
        for text in found.warned:
            say("note", text=text)
        say("variant", variant=name, metrics=found.metrics)
    for text in problems_of(definition, measured):
        say("problem", text=text)
    for text in only_on_a_gpu(definition):
        say("note", text=text)
    _tell_memory(say)


def _prepared(definition: StudyDefinition, order: Order, say: Say) -> bool:
    """Import the task and read its data; returns whether that has succeeded."""
    try:
        module = module_of(order.task)
        known = read_once(module)
        task = task_of(order, 0)
    except BaseException as error:
        say("problem", text=str(error) if isinstance(error, UnknownTask) else _failure(error))
        return False
    version = version_of(type(task))
    file = getattr(sys.modules[type(task).__module__], "__file__", None)
    say("task", name=definition.task.name, file=file, code=version["task"], files=len(known))
    if not definition.task.is_built_in and (text := _elsewhere(module, file)) is not None:
        say("note", text=text)
    return _has_data(task, say)


def _has_data(task: Task, say: Say) -> bool:
    try:
        data = task.splits(CPU)
    except BaseException as error:
        say("problem", text=str(error) if isinstance(error, DataUnavailable) else f"the data: {_failure(error)}")
        return False
    sizes = {"train": len(data.train_x), "val": len(data.val_x)}
    say("data", sizes=sizes if data.test_x is None else {**sizes, "test": len(data.test_x)})
    try:
        say("hooks", names=hooks_of(task), inputs=inputs_of(data))
    except Exception as error:  # a streamed data set is read for the first time
        say("problem", text=f"the data: {_failure(error)}")
        return False
    for text in not_finite(data):
        say("note", text=f"{text}: mend the data, unless the model and the loss mask them")
    return True


def _elsewhere(module: str, file: str | None) -> str | None:
    """What workers need to find the module of an own task; None for one that is installed as packages are."""
    if file is None:
        return None
    top = module.partition(".")[0]
    folder = Path(file).absolute().parents[module.count(".") + (Path(file).stem == "__init__")]
    if folder.name in ("site-packages", "dist-packages"):
        return None
    where = "the folder that this command was started in" if is_here(top) and folder == Path.cwd() else str(folder)
    return f"{top} lies in {where}: give it to workers that are started elsewhere by {OPTION} {folder}"


def _failure(error: BaseException) -> str:
    said = f"{reason_of(error)}{_place(error)}"
    return f"too little memory here: {said}" if is_out_of_memory(error) else said


def _place(error: BaseException) -> str:
    """The last line of the task's own files that the error came through; "" where there is none."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith((*_PROGRAM, sys.prefix, sys.base_prefix, "<"))]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""


def _tell_memory(say: Say) -> None:
    unit = 1 if sys.platform == "darwin" else 1024
    peak, found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, memory()
    say("memory", peak=peak, total=None if found is None else found[0])


def run() -> int:
    """Check what standard input asks for; what a task prints goes to the errors. Returns 0."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as lines:
        os.dup2(2, 1)

        def say(kind: str, **facts: Any) -> None:
            lines.write(json.dumps({"kind": kind, **facts}) + "\n")
            lines.flush()

        main(say)
    return 0


if __name__ == "__main__":
    sys.exit(door.through(run))
