"""From a study's task name to its task."""

import importlib
import inspect
import os
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from pernodedrop.installation import need
from pernodedrop.near import hint
from search_spaces import BUILT_IN_TASKS, TaskSpec
from search_spaces.task_modules import TaskModules
from workers.tasks.base import Task
from workers.tasks.code import is_here
from workers.tasks.errors import UnknownTask
from workers.tasks.splitting import Division

KEPT = 2  # tasks whose data stay loaded: studies take turns on a worker, memory is finite


def load_task(spec: TaskSpec, data_folder: Path, division: Division | None = None) -> Task:
    """Return the task of a built-in name or of an own class "package.module:Class".

    The task of an equal spec is the one returned before, with its data loaded. Every division of its data has a task
    object of its own, so that nothing that was computed from one training split meets another.

    Raises:
        UnknownTask: no such name, module or class, its module is not allowed here, or the class is no usable Task.
        InvalidOptions: the task refuses its options.
        MissingPackage: the library that reads its data is not installed.
    """
    return _task(spec.model_dump_json(), data_folder, division)


@lru_cache(maxsize=KEPT)
def _task(spec_json: str, data_folder: Path, division: Division | None) -> Task:
    task = _made(TaskSpec.model_validate_json(spec_json), data_folder)
    if division is not None:
        task.division = division
    return task


def _made(spec: TaskSpec, data_folder: Path) -> Task:
    if not spec.is_built_in:
        refusal = TaskModules.from_environment(os.environ).refusal(spec.name)
        if refusal is not None:
            raise UnknownTask(f"task {refusal}")
        return _class(spec.name)(spec, data_folder)
    if spec.name not in BUILT_IN_TASKS:
        names = ", ".join(BUILT_IN_TASKS)
        rule = f"task.name must be one of {names} or package.module:Class, got {spec.name!r}"
        raise UnknownTask(rule + hint(spec.name, BUILT_IN_TASKS))
    built_in = BUILT_IN_TASKS[spec.name]
    if built_in.library is not None:
        need(f"the task {spec.name}", "worker", built_in.library)
    return _class(built_in.path)(spec, data_folder)


def _class(path: str) -> type[Task]:
    module_name, _, class_name = path.partition(":")
    try:
        module = _module(module_name)
    except (Exception, SystemExit) as error:  # whatever a user's module raises while it is imported
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, SystemExit):
            reason = f"it exits: {reason}"
        raise UnknownTask(
            f"task module {module_name!r} cannot be imported ({reason}): install it where the worker runs, or name its "
            "folder in PYTHONPATH there"
        ) from error
    found = getattr(module, class_name, None)
    if found is None:
        raise UnknownTask(f"task module {module_name!r} has no class {class_name!r}: check the spelling")
    if not (inspect.isclass(found) and issubclass(found, Task)):
        raise UnknownTask(f"task {path!r} is no Task: derive the class from workers.tasks.Task")
    if inspect.isabstract(found):
        missing = ", ".join(sorted(found.__abstractmethods__))
        raise UnknownTask(f"task {path!r} is incomplete: define {missing}")
    return found


def _module(name: str) -> ModuleType:
    """The module; one that is found nowhere else may lie in the folder that the worker was started in.

    That folder is searched from then on, behind all others, so that nothing there hides a module that lies elsewhere.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0] or not is_here(name):
            raise
    sys.path.append(str(Path.cwd()))
    return importlib.import_module(name)
