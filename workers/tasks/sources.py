"""The sources of a user's own task, found without running any of them, and a process that runs what it has read."""

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec, resolve_name
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from pernodedrop.begin import LIBRARIES, OURS
from search_spaces.task_folders import search_tasks

Stamp = tuple[int, int]  # of a file: when it was last changed, in ns, and its size; zeros where there is none
Stamps = dict[str, Stamp]  # by path


def stamp_of(file: str) -> Stamp:
    """The file's stamp now."""
    try:
        found = Path(file).stat()
    except OSError:
        return 0, 0
    return found.st_ctime_ns, found.st_size  # nobody can set a ctime, as archives and rsync do with an mtime


def file_of(module: str) -> str | None:
    """The file that `import module` would read, found without importing the packages that hold it."""
    search_tasks()
    top, *inner = with_packages(module)
    try:
        spec = find_spec(top) or spec_here(top)
    except ValueError:  # a module that was made by hand
        return None
    for name in inner:
        spec = None if spec is None else PathFinder.find_spec(name, spec.submodule_search_locations or [])
    return None if spec is None else spec.origin


def spec_here(top: str) -> ModuleSpec | None:
    """The module in the folder that this process was started in; None where it has none."""
    try:
        return PathFinder.find_spec(top, [str(Path.cwd())])
    except FileNotFoundError:  # the folder was removed
        return None


class Sources:
    """The sources of a module and of all that it imports from beside it, by name; what it imports inside functions too.

    From beside it means: of its package, or of the folder that this package, or the module without one, lies in. What
    is installed among others is not beside them, and neither is this program. `absent` are the files that would have
    counted, had they been there.
    """

    def __init__(self, module: str, file: str | None, read: Callable[[Path], bytes] = Path.read_bytes) -> None:
        self.sources: dict[str, bytes] = {}
        self.files: list[Path] = []
        self.absent: list[Path] = []
        self._package = module.partition(".")[0] if "." in module else None
        if file is None:  # typed in by hand
            return
        levels = module.count(".") + (Path(file).stem == "__init__")
        self._root = Path(file).parents[levels]  # from which the names count
        waiting = list(with_packages(module))
        while waiting:
            name = waiting.pop()
            if name not in self.sources and (path := self._file(name)) is not None:
                self.sources[name] = read(path)
                self.files.append(path)
                waiting.extend(self._imported(name, path))

    def _file(self, name: str) -> Path | None:
        """The module's source, None for one that lies elsewhere."""
        top = name.partition(".")[0]
        if top != self._package and (top in OURS or self._is_installed()):
            return None
        path = self._root.joinpath(*name.split("."))
        for candidate in (path / "__init__.py", path.with_name(f"{path.name}.py")):
            if candidate.is_file():
                return candidate
            self.absent.append(candidate)
        return None

    def _is_installed(self) -> bool:
        """Whether what it needs is one of many packages that happen to lie in one folder."""
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
                    yield from with_packages(one.name)
            elif isinstance(node, ast.ImportFrom):
                try:
                    origin = resolve_name("." * node.level + (node.module or ""), package)
                except ImportError:  # beyond the top
                    continue
                for one in node.names:
                    yield from with_packages(f"{origin}.{one.name}")


class ReadOnce(MetaPathFinder):
    """Keeps the sources that this process reads, so that what is imported of them is what was read, also later.

    Put before the other finders, which say where a module lies. `stamps` are of every file that was read or imported
    through it, taken before that.
    """

    def __init__(self) -> None:
        self.stamps: Stamps = {}
        self._contents: dict[Path, bytes] = {}

    def read(self, path: Path) -> bytes:
        """The file's content when it was first read."""
        if path not in self._contents:
            self._note(str(path))
            self._contents[path] = path.read_bytes()
        return self._contents[path]

    def sources(self, module: str, file: str | None) -> Sources:
        """The module's sources, as they were first read."""
        found = Sources(module, file, self.read)
        for path in found.absent:
            self._note(str(path))
        return found

    def forget(self, names: Mapping[str, bytes]) -> None:
        """Let what an earlier process has imported of these modules be imported anew."""
        for name in names:
            if name.partition(".")[0] not in LIBRARIES | sys.stdlib_module_names:
                sys.modules.pop(name, None)

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Where the others find the module, with its source as it was read."""
        spec: ModuleSpec | None = next(filter(None, (one.find_spec(name, path, target) for one in _after(self))), None)
        if spec is None or not spec.has_location or spec.origin is None:
            return spec
        self._note(spec.origin)
        content = self._contents.get(Path(spec.origin))
        if content is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Read(name, spec.origin, content)
        return spec

    def _note(self, file: str) -> None:
        self.stamps.setdefault(file, stamp_of(file))


class _Read(SourceFileLoader):
    """Compiles a content, and neither reads nor writes what a cache has of the file: its time has whole seconds."""

    def __init__(self, name: str, path: str, content: bytes) -> None:
        super().__init__(name, path)
        self._content = content

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self._content, self.path)


def _after(finder: MetaPathFinder) -> list[Any]:
    place = sys.meta_path.index(finder)
    return [one for one in sys.meta_path[place + 1 :] if hasattr(one, "find_spec")]


def with_packages(name: str) -> Iterator[str]:
    """The module's name and those of the packages that hold it, the outermost first."""
    parts = name.split(".")
    return (".".join(parts[: end + 1]) for end in range(len(parts)))
