"""Wheel and sdist, built as for a release from a copy of the checkout that has more in it than belongs there."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tests.installation.environments import ROOT, SECONDS, SOURCES, without_our_path

OF_THE_ROOT = ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
# What lies in a checkout that somebody works in: none of it may leave.
LEFT_LYING = {
    ".env": "POSTGRES_PASSWORD=secret\n",
    "build/lib/workers/removed.py": "raise AssertionError\n",
    "dist/pernodedrop-0.0.9.tar.gz": "",
    "notes.txt": "private\n",
    "service/.env": "PERNODEDROP_API_KEY=secret\n",
    "service/notes.txt": "private\n",
    "tests/test_something.py": "raise AssertionError\n",
    "tests/data/thing.bin": "0" * 1000,
    "workers/checkpoint.safetensors": "0" * 1000,
    "workers/__pycache__/removed.cpython-311.pyc": "0",
}


@dataclass(frozen=True)
class Distributions:
    """What `make dist` leaves: the sdist, and the wheel that is built from it."""

    sdist: Path
    wheel: Path

    def in_sdist(self) -> dict[str, bytes]:
        """The files by their names in the sdist's folder."""
        with tarfile.open(self.sdist) as archive:
            members = [member for member in archive.getmembers() if not member.isdir()]
            assert all(member.isreg() for member in members)
            return {
                str(PurePosixPath(*PurePosixPath(member.name).parts[1:])): archive.extractfile(member).read()
                for member in members
            }


def files_of(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel by their names."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def ours() -> set[str]:
    """The names of the files that the program consists of."""
    files = (file for name in SOURCES for file in (ROOT / name).rglob("*") if file.is_file())
    return {str(file.relative_to(ROOT)) for file in files if "__pycache__" not in file.parts}


def copied(folder: Path, left_lying: dict[str, str]) -> Path:
    """A copy of what the build reads, with other files in it."""
    for name in SOURCES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in OF_THE_ROOT:
        shutil.copy(ROOT / name, folder)
    for name, text in left_lying.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def built(folder: Path) -> Distributions:
    """The distributions of a checkout in which much else lies."""
    _build(copied(folder / "checkout", LEFT_LYING), folder / "dist")
    [sdist], [wheel] = (folder / "dist").glob("*.tar.gz"), (folder / "dist").glob("*.whl")
    return Distributions(sdist, wheel)


def wheel_of(sources: Path, folder: Path) -> Path:
    """The wheel that is built from the sources without an sdist between."""
    _build(sources, folder, "--wheel")
    [wheel] = folder.glob("*.whl")
    return wheel


def _build(sources: Path, folder: Path, *options: str) -> None:
    command = [sys.executable, "-m", "build", *options, "--outdir", folder, sources]
    done = subprocess.run(
        command, env=without_our_path(), check=False, timeout=SECONDS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout.decode()[-2000:]
