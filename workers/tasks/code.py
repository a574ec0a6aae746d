"""Which program a user's own task is: its training must not go on with another one's state."""

import ast
import hashlib
import sys
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, resolve_name
from pathlib import Path
from types import ModuleType

from workers.tasks.base import Task
from workers.tasks.commits import commit_of

_OURS = __name__.partition(".")[0]


def code_of(task: type[Task]) -> str:
    """A digest of the source of the task's module and of all that it imports from beside it; "" for a built-in task,
    whose program is this one.

    From beside it means: modules of the same package, or of the same folder if the module is in no package. What it
    imports inside functions counts too.
    """
    return "" if task.__module__.partition(".")[0] == _OURS else _digest(sys.modules[task.__module__])


def code_here(module: str) -> str | None:
    """The same digest of the module of this name as it is installed here, found without running any of it; None where
    there is none."""
    file = _file_of(module)
    return None if file is None else _Sources(module, file).digest


def is_here(module: str) -> bool:
    """Return whether the folder that this process was started in has the module."""
    return _spec_here(module.partition(".")[0]) is not None


@lru_cache(maxsize=64)
def version_of(task: type[Task]) -> dict[str, str | int]:
    """The task's module and its code: of a built-in task the digest of its file, of an own one that of `code_of`, with
    the commit of the git repository that it lies in, if any, and "dirty" where its files were changed since."""
    module = sys.modules[task.__module__]
    file = getattr(module, "__file__", None)
    if module.__name__.partition(".")[0] == _OURS:
        return {"module": module.__name__, "task": hashlib.sha256(Path(str(file)).read_bytes()).hexdigest()}
    found: dict[str, str | int] = {"module": module.__name__, "task": _digest(module)}
    commit = None if file is None else commit_of(_Sources(module.__name__, file).files)
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
    return _Sources(module.__name__, getattr(module, "__file__", None)).digest


def _file_of(module: str) -> str | None:
    """The file that `import module` would read, found without importing the packages that hold it."""
    top, *inner = _with_packages(module)
    try:
        spec = find_spec(top) or _spec_here(top)
    except ValueError:  # a module that was made by hand
        return None
    for name in inner:
        spec = None if spec is None else PathFinder.find_spec(name, spec.submodule_search_locations or [])
    return None if spec is None else spec.origin


def _spec_here(top: str) -> ModuleSpec | None:
    try:
        return PathFinder.find_spec(top, [str(Path.cwd())])
    except FileNotFoundError:  # the folder was removed
        return None


class _Sources:
    """The sources of a module and of those beside it that it needs, by name."""

    def __init__(self, module: str, file: str | None) -> None:
        self.sources: dict[str, bytes] = {}
        self.files: list[Path] = []
        self._package = module.partition(".")[0] if "." in module else None
        if file is None:  # typed in by hand
            return
        levels = module.count(".") + (Path(file).stem == "__init__")
        self._root = Path(file).parents[levels]  # from which the names count
        waiting = list(_with_packages(module))
        while waiting:
            name = waiting.pop()
            if name not in self.sources and (path := self._file(name)) is not None:
                self.sources[name] = path.read_bytes()
                self.files.append(path)
                waiting.extend(self._imported(name, path))

    @property
    def digest(self) -> str:
        digest = hashlib.sha256()
        for name, source in sorted(self.sources.items()):
            digest.update(repr((name, source)).encode())
        return digest.hexdigest()

    def _file(self, name: str) -> Path | None:
        """The module's source, None for one that lies elsewhere."""
        beside = name.partition(".")[0] == self._package if self._package else not self._is_installed(name)
        path = self._root.joinpath(*name.split("."))
        candidates = (path / "__init__.py", path.with_name(f"{path.name}.py"))
        return next((one for one in candidates if one.is_file()), None) if beside else None

    def _is_installed(self, name: str) -> bool:
        """Whether it is one of many packages that happen to lie in one folder."""
        return bool(self.sources) and self._root.name in ("site-packages", "dist-packages")

    def _imported(self, name: str, path: Path) -> Iterator[str]:
        """The names that the module may import, with the packages that hold them."""
        try:
            tree = ast.parse(self.sources[name])
        except (SyntaxError, ValueError):  # it is not imported then, or only where that is caught
            return
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for one in node.names:
                    yield from _with_packages(one.name)
            elif isinstance(node, ast.ImportFrom):
                try:
                    origin = resolve_name("." * node.level + (node.module or ""), package)
                except ImportError:  # beyond the top
                    continue
                for one in node.names:
                    yield from _with_packages(f"{origin}.{one.name}")


def _with_packages(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[: end + 1]) for end in range(len(parts)))
