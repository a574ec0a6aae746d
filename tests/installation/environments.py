"""Virtual environments beside the one that the tests run in: really installed, or linked to what is installed here."""

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
SOURCES = ("pernodedrop", "search_spaces", "service", "workers")
LAYERS = ("torch", "numpy", "numba")
SECONDS = 600  # for a command: an installation takes half a minute where the wheels are near


@dataclass(frozen=True)
class Environment:
    """A virtual environment without pip."""

    folder: Path

    @property
    def packages(self) -> Path:
        return Path(sysconfig.get_path("purelib", "venv", {"base": str(self.folder)}))

    def installed(self) -> set[str]:
        """The names of all distributions."""
        return {canonicalize_name(one.name) for one in distributions(path=[str(self.packages)])}

    def find(self, name: str) -> Distribution:
        return next(iter(distributions(name=name, path=[str(self.packages)])))

    def install(self, requirement: str) -> None:
        """`pip install REQUIREMENT`, in the versions that the suite runs with."""
        command = [sys.executable, "-m", "pip", "--python", self.folder / "bin/python", "install", "--quiet"]
        options = ["--no-compile", "--constraint", ROOT / "constraints.txt", requirement]
        subprocess.run([*command, *options], cwd=self.folder, env=without_our_path(), check=True, timeout=SECONDS)

    def python(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run this environment's Python to its end, elsewhere than in the repository."""
        return self.run("python", *arguments, **variables)

    def run(self, program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one of this environment's programs to its end, elsewhere than in the repository."""
        return subprocess.run(
            [self.folder / "bin" / program, *arguments], cwd=self.folder, env=without_our_path(**variables),
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip


def without_our_path(**variables: str) -> dict[str, str]:
    """This process's environment, in which nothing of the repository is found by itself."""
    return {name: value for name, value in (os.environ | variables).items() if name != "PYTHONPATH"}


def clean(folder: Path) -> Environment:
    """A new environment with nothing in it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=SECONDS)
    return Environment(folder)


def linked(folder: Path, *parts: str, without: frozenset[str] = frozenset()) -> Environment:
    """An environment with what `parts`, `layers` or extras, ask for, and our packages, of which pip knows nothing."""
    made = clean(folder)
    for name in SOURCES:
        (made.packages / name).symlink_to(ROOT / name)
    asked = subprocess.run(
        [sys.executable, ROOT / "docker/requirements", *parts], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    for name in closure(asked, distribution) - without:
        record = (distribution(name).read_text("RECORD") or "").splitlines()  # torch's has 15,000 lines
        for top in {re.split("[/,]", line)[0] for line in record} - {"..", "__pycache__"}:
            target = Path(str(distribution(name).locate_file(top)))
            (made.packages / top).symlink_to(target)
    return made


def closure(requirements: Iterable[str], find: Callable[[str], Distribution]) -> set[str]:
    """The names of what is required and of all that it requires itself, on this machine."""
    found: set[str] = set()
    waiting = [(Requirement(line), "") for line in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        needs = [Requirement(line) for line in find(name).requires or []] if name not in found else []
        found.add(name)
        waiting += [(need, extra) for need in needs for extra in ("", *requirement.extras)]
    return found
