"""Which program a user's own task is: its training must not go on with another one's state."""

import ast
import hashlib
import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType

from workers.tasks.base import Task

_OURS = __name__.partition(".")[0]


def code_of(task: type[Task]) -> str:
    """A digest of the source of the task's module and of all that it imports from beside it; "" for a built-in task,
    whose program is this one.

    From beside it means: modules of the same package, or of the same folder if the module is in no package. What it
    imports inside functions counts too.
    """
    return "" if task.__module__.partition(".")[0] == _OURS else _digest(sys.modules[task.__module__])


@lru_cache(maxsize=64)
def _digest(module: ModuleType) -> str:
    found = _Sources(module)
    digest = hashlib.sha256()
    for name, source in sorted(found.sources.items()):
        digest.update(repr((name, source)).encode())
    return digest.hexdigest()


class _Sources:
    """The sources of a module and of those beside it that it needs, by name."""

    def __init__(self, found: ModuleType) -> None:
        self.sources: dict[str, bytes] = {}
        module = found.__name__
        self._package = module.partition(".")[0] if "." in module else None
        file = getattr(found, "__file__", None)
        if file is None:  # typed in by hand
            return
        levels = module.count(".") + (Path(file).stem == "__init__")
        self._root = Path(file).parents[levels]  # from which the names count
        waiting = list(_with_packages(module))
        while waiting:
            name = waiting.pop()
            if name not in self.sources and (path := self._file(name)) is not None:
                self.sources[name] = path.read_bytes()
                waiting.extend(self._imported(name, path))

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
