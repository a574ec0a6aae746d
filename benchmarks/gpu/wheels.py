"""The wheels that a GPU machine without a network needs for the parts `resume`, `slots` and `stack`.

    make gpu-wheels WHEELS=FOLDER                   or
    python -m benchmarks.gpu.wheels FOLDER [--python 3.12] [--platform manylinux_2_28_x86_64 ...]

Takes what service and worker depend on, as installed here, without what such a machine has already, in the versions of
constraints.txt, and fills the folder with one wheel of each for that machine's Python. Wheels that are there stay,
others go. Exit status 1 where a wheel needs what nobody brings, or where folder and repository are too large to send.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from email.parser import HeaderParser
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from zipfile import ZipFile

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).parents[2]
PROJECT = "pernodedrop"
EXTRAS = ("common", "service", "worker")
MOST_MIB = 60.0  # of wheels and repository together: what can be sent to a borrowed machine, with a margin

# A machine for torch on GPUs has these, and what they need themselves. They are large, or of one piece with its torch
# and its driver, and so must stay as they are there.
ALREADY_THERE = ("torch", "triton", "numpy", "numba", "llvmlite", "scipy", "scikit-learn", "librosa", "rich", "pyyaml")

# Newest first: a wheel is of one of them or for any platform.
PLATFORMS = tuple(f"{name}_x86_64" for name in (
    "manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014", "manylinux_2_12", "manylinux2010",
    "manylinux_2_5", "manylinux1",
))  # fmt: skip


class Unfit(Exception):
    """The wheels do not serve; one line that names the rule, the value and the remedy."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.gpu.wheels", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the wheels go")
    parser.add_argument("--python", default="3.12", help="of the GPU machine (default: 3.12)")
    parser.add_argument("--platform", action="append", help="of the GPU machine; repeatable (default: manylinux)")
    options = parser.parse_args(arguments)
    try:
        fill(options.folder, options.python, options.platform or PLATFORMS)
    except Unfit as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def fill(folder: Path, python: str, platforms: Sequence[str]) -> None:
    """Bring the folder to exactly the wheels that are needed there, and say how large all is."""
    environment = target_environment(python)
    pinned = pins((ROOT / "constraints.txt").read_text())
    chosen = {name: pinned_version(name, pinned) for name in closure(environment)}
    fitting = set(_tags(python, platforms))
    folder.mkdir(parents=True, exist_ok=True)
    found = dict(_kept(folder, chosen, fitting))
    if missing := [f"{name}=={version}" for name, version in chosen.items() if name not in found]:
        _download(folder, missing, python, platforms)
        found = dict(_kept(folder, chosen, fitting))
    for wheel in found.values():
        check_needs(wheel, chosen, environment)
    check_size(folder, found.values())


def target_environment(python: str) -> Mapping[str, str]:
    """What markers such as `python_version < "3.13"` are read by."""
    linux = {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"}
    versions = {"python_version": python, "python_full_version": f"{python}.0", "implementation_version": f"{python}.0"}
    return {**{name: str(value) for name, value in default_environment().items()}, **linux, **versions, "extra": ""}


def closure(environment: Mapping[str, str]) -> list[str]:
    """The names of all packages that the project needs at run time, without those that are there."""
    seen: set[str] = set()
    waiting = [PROJECT]
    while waiting:
        name = waiting.pop()
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError as missing:
            raise Unfit(f"every dependency must be installed here, {missing.name} is not: run `make test`") from None
        extras = EXTRAS if name == PROJECT else ("",)
        needed = {need for extra in extras for need, _ in _needed(needs, {**environment, "extra": extra})}
        new = needed - seen - {PROJECT, *ALREADY_THERE}
        seen |= new
        waiting += new
    return sorted(seen)


def pins(constraints: str) -> dict[str, str]:
    """Versions by name."""
    pairs = (line.split("==") for line in constraints.splitlines() if "==" in line and not line.startswith("#"))
    return {canonicalize_name(name): version.strip() for name, version in pairs}


def pinned_version(name: str, pinned: Mapping[str, str]) -> str:
    """The version that the suite runs with.

    Raises:
        Unfit: there is none, or another one is installed, whose needs were read.
    """
    here = distribution(name).version
    if pinned.get(name) != here:
        raise Unfit(
            f"{name} must be installed as constraints.txt has it, {here} is here and {pinned.get(name, 'nothing')} "
            "there: pip install --constraint constraints.txt --editable '.[all]'"
        )
    return here


def check_needs(wheel: Path, chosen: Mapping[str, str], environment: Mapping[str, str]) -> None:
    """Raises Unfit where the wheel needs a package, or a version of one, that nobody brings."""
    with ZipFile(wheel) as archive:
        [metadata] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        headers = HeaderParser().parsestr(archive.read(metadata).decode())
    for name, need in _needed(headers.get_all("Requires-Dist", []), environment):
        if name not in chosen and name not in ALREADY_THERE:
            raise Unfit(
                f"{wheel.name} needs {name}, which no wheel brings: install it here, pinned, and run this again"
            )
        if name in chosen and not need.specifier.contains(chosen[name], prereleases=True):
            raise Unfit(f"{wheel.name} needs {need}, the wheel is {chosen[name]}: change constraints.txt")


def check_size(folder: Path, wheels: Iterable[Path]) -> None:
    """Say how much there is to send; raises Unfit where it is too much."""
    brought, tree = (sum(file.stat().st_size for file in files) / 2**20 for files in (wheels, _tree(folder)))
    print(f"{folder}: wheels {brought:.1f} MiB, repository {tree:.1f} MiB, together {brought + tree:.1f} MiB")
    if brought + tree > MOST_MIB:
        raise Unfit(
            f"wheels and repository must be at most {MOST_MIB:g} MiB to be sent, they are {brought + tree:.1f} MiB: "
            "add what the GPU machine has to ALREADY_THERE in benchmarks/gpu/wheels.py"
        )


def _needed(requirements: Iterable[str], environment: Mapping[str, str]) -> Iterator[tuple[str, Requirement]]:
    for requirement in map(Requirement, requirements):
        if requirement.marker is None or requirement.marker.evaluate(dict(environment)):
            yield canonicalize_name(requirement.name), requirement


def _tags(python: str, platforms: Sequence[str]) -> Iterator[Tag]:
    version = tuple(map(int, python.split(".")))
    yield from cpython_tags(version, platforms=platforms)
    yield from compatible_tags(version, f"cp{python.replace('.', '')}", [*platforms])


def _kept(folder: Path, chosen: Mapping[str, str], fitting: set[Tag]) -> Iterator[tuple[str, Path]]:
    """The wheels that serve, by name; the others are removed."""
    kept = set()
    for wheel in sorted(folder.glob("*.whl")):
        name, version, _, tags = parse_wheel_filename(wheel.name)
        if name in kept or chosen.get(name) != str(version) or not tags & fitting:
            wheel.unlink()
            continue
        kept.add(name)
        yield name, wheel


def _download(folder: Path, pinned: Sequence[str], python: str, platforms: Sequence[str]) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--dest", str(folder), "--python-version", python, "--implementation", "cp"]
    command += [word for platform in platforms for word in ("--platform", platform)]
    if status := subprocess.run([*command, *pinned], check=False).returncode:
        raise Unfit(f"pip must find a wheel of every package, it ended with status {status}: see its lines above")


def _tree(folder: Path) -> list[Path]:
    """What else travels: every file that git does not ignore, but for the folder of wheels."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    files = [ROOT / name for name in listed if name]
    return [file for file in files if file.is_file() and not file.is_relative_to(folder.resolve())]


if __name__ == "__main__":
    sys.exit(main())
