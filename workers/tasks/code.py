"""Which program a user's own task is: its training must not go on with another one's state."""

import hashlib
import sys
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import invalidate_caches
from pathlib import Path
from types import ModuleType

from pernodedrop.begin import OURS
from workers.tasks.base import Task
from workers.tasks.commits import commit_of
from workers.tasks.sources import ReadOnce, Sources, Stamps, file_of, spec_here

_OURS = __name__.partition(".")[0]

_read_once: list[ReadOnce] = []  # of this process, where it is for one task


def code_of(task: type[Task]) -> str:
    """A digest of the source of the task's module and of all that it imports from beside it; "" for a built-in task,
    whose program is this one.

    From beside it means: modules of the same package, and of the folder that this, or the module, lies in. What it
    imports inside functions counts too.
    """
    return "" if task.__module__.partition(".")[0] == _OURS else _digest(sys.modules[task.__module__])


def code_here(module: str) -> str | None:
    """The same digest of the module of this name as it is installed here, found without running any of it; None where
    there is none."""
    file = file_of(module)
    return None if file is None else _digest_of(Sources(module, file).sources)


def is_here(module: str) -> bool:
    """Return whether the folder that this process was started in has the module."""
    return spec_here(module.partition(".")[0]) is not None


def read_once(module: str) -> Stamps:
    """Read the sources of an own task's module now: what this process imports of them is what their digest says,
    whenever that is, and whatever was imported of them before.

    Returns the stamps of all files that this process reads or imports from now on, which grow with them.
    """
    invalidate_caches()
    reader = ReadOnce()
    if module.partition(".")[0] not in OURS:
        reader.forget(reader.sources(module, file_of(module)).sources)
    sys.meta_path[:] = [reader, *(finder for finder in sys.meta_path if finder not in _read_once)]
    _read_once[:] = [reader]
    return reader.stamps


@lru_cache(maxsize=64)
def version_of(task: type[Task]) -> dict[str, str | int]:
    """The task's module and its code: of a built-in task the digest of its file, of an own one that of `code_of`, with
    the commit of the git repository that it lies in, if any, and "dirty" where its files were changed since."""
    module = sys.modules[task.__module__]
    file = getattr(module, "__file__", None)
    if module.__name__.partition(".")[0] == _OURS:
        return {"module": module.__name__, "task": hashlib.sha256(Path(str(file)).read_bytes()).hexdigest()}
    found: dict[str, str | int] = {"module": module.__name__, "task": _digest(module)}
    commit = None if file is None else commit_of(_sources(module).files)
    return found if commit is None else {**found, "commit": commit}


@cache
def program_digest() -> str:
    """A digest of this program's sources that compute a training."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for folder in ("pernodedrop", "search_spaces", "workers/tasks", "workers/training"):
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(repr((path.relative_to(root).as_posix(), path.read_bytes())).encode())
    return digest.hexdigest()


@lru_cache(maxsize=64)
def _digest(module: ModuleType) -> str:
    return _digest_of(_sources(module).sources)


def _sources(module: ModuleType) -> Sources:
    file = getattr(module, "__file__", None)
    return _read_once[0].sources(module.__name__, file) if _read_once else Sources(module.__name__, file)


def _digest_of(sources: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, source in sorted(sources.items()):
        digest.update(repr((name, source)).encode())
    return digest.hexdigest()
