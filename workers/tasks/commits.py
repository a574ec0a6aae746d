"""The git commit that files lie in, as far as there is one."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

# What git gives to a hook: with them it would answer for the hook's repository, wherever the files lie.
_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")
PATIENCE_S = 5.0  # s, for a repository on a slow disk


def commit_of(files: Sequence[Path]) -> str | None:
    """The commit of the repository that holds the first file, with ", dirty" where one of the files differs from it or
    is not in it; None where there is no repository, no git, or no answer in time."""
    git = shutil.which("git")
    if git is None or not files:
        return None
    folder = files[0].parent
    commit = _answer(git, folder, "rev-parse", "HEAD")
    changed = _answer(git, folder, "status", "--porcelain", "--", *map(str, files))
    if not commit or changed is None:
        return None
    return f"{commit}, dirty" if changed else commit


def _answer(git: str, folder: Path, *question: str) -> str | None:
    quiet = ("-c", "core.fsmonitor=false", "--no-optional-locks")  # starts nothing, and writes nothing
    try:
        done = subprocess.run(
            [git, *quiet, *question],
            cwd=folder,
            env={name: value for name, value in os.environ.items() if name not in _ELSEWHERE},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
