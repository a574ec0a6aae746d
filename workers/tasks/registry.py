"""From a study's task name to its task."""

import importlib
import inspect
import logging
import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from pernodedrop import begin
from pernodedrop.installation import need
from pernodedrop.near import did_you_mean, hint, nearest
from search_spaces import BUILT_IN_TASKS, TaskSpec
from search_spaces.task_folders import OPTION, VARIABLE, search_tasks
from search_spaces.task_modules import TaskModules
from workers.tasks.base import Task
from workers.tasks.code import is_here
from workers.tasks.errors import UnknownTask
from workers.tasks.sources import with_packages
from workers.tasks.splitting import Division

log = logging.getLogger(__name__)

KEPT = 2  # tasks whose data stay loaded: studies take turns on a worker, memory is finite


def module_of(spec: TaskSpec) -> str:
    """The module of the task of a built-in name or of an own class "package.module:Class"; imports nothing.

    Raises:
        UnknownTask: no such name.
    """
    return _path_of(spec).partition(":")[0]


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
    path = _path_of(spec)
    library = BUILT_IN_TASKS[spec.name].library
    if library is not None:
        need(f"the task {spec.name}", "worker", library)
    return _class(path)(spec, data_folder)


def _path_of(spec: TaskSpec) -> str:
    if not spec.is_built_in:
        return spec.name
    if spec.name not in BUILT_IN_TASKS:
        names = ", ".join(BUILT_IN_TASKS)
        rule = f"task.name must be one of {names} or package.module:Class, got {spec.name!r}"
        raise UnknownTask(rule + hint(spec.name, BUILT_IN_TASKS))
    return BUILT_IN_TASKS[spec.name].path


def _class(path: str) -> type[Task]:
    module_name, _, class_name = path.partition(":")
    try:
        module = _module(module_name)
    except (Exception, SystemExit) as error:  # whatever a user's module raises while it is imported
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, SystemExit):
            reason = f"it exits: {reason}"
        remedy = _remedy(module_name, error)
        raise UnknownTask(f"task module {module_name!r} cannot be imported ({reason}): {remedy}") from error
    found = getattr(module, class_name, None)
    if found is None:
        classes = [name for name, one in vars(module).items() if inspect.isclass(one)]
        remedy = did_you_mean(class_name, classes, "check the spelling")
        raise UnknownTask(f"task module {module_name!r} has no class {class_name!r}: {remedy}")
    if not (inspect.isclass(found) and issubclass(found, Task)):
        raise UnknownTask(f"task {path!r} is no Task: derive the class from workers.tasks.Task")
    if inspect.isabstract(found):
        missing = ", ".join(sorted(found.__abstractmethods__))
        raise UnknownTask(f"task {path!r} is incomplete: define {missing}")
    return found


def _remedy(module: str, error: BaseException) -> str:
    """What to do where the module cannot be imported."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return "mend it; the worker imports it anew for the next trial"
    if error.name in with_packages(module):
        meant = nearest(module.partition(".")[0], _files_of_tasks())
        instead = "" if meant is None else f"did you mean {meant}? Else "
        return f"{instead}install it where the worker runs, or give its folder to the worker by {OPTION} or {VARIABLE}"
    return f"install {error.name} where the worker runs, or put it beside the task"


def _files_of_tasks() -> list[str]:
    """The names of the modules that lie in folders of tasks, or where this process was started."""
    folders = (".", *filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)))
    with suppress(OSError):  # one is gone
        return sorted({file.stem for folder in folders for file in Path(folder).glob("*.py")})
    return []


def _module(name: str) -> ModuleType:
    """The module; one that is found nowhere else may lie in a folder of tasks, or where the worker was started.

    These are searched from then on, behind all others, so that nothing there hides a module that lies elsewhere.
    """
    search_tasks()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0] or not is_here(name):
            raise
    for line in begin.search_last(str(Path.cwd())):
        log.warning("%s", line)
    return importlib.import_module(name)
