"""The folders of users' own tasks: searched behind all others by every process that imports a task."""

import os
from collections.abc import Sequence
from pathlib import Path

from pernodedrop import begin

VARIABLE = "PERNODEDROP_TASKS"
OPTION = "--tasks"
HELP = (
    "a folder of own tasks, or several as PYTHONPATH has them, searched behind all other modules (default: "
    "PERNODEDROP_TASKS)"
)


def search_tasks(given: Sequence[str] | None = None) -> None:
    """Search the folders that `VARIABLE` names behind all others, in this process and those that it starts.

    Those that `OPTION` was `given` take its place; it may be given several times. So nothing in them hides a module
    that lies elsewhere, and `pernodedrop.begin.hidden` says what another module hides there.

    Raises:
        ValueError: one of them is no folder.
    """
    name, written = (VARIABLE, [os.environ.get(VARIABLE, "")]) if given is None else (OPTION, given)
    folders = [_folder(name, text) for one in written for text in one.split(os.pathsep) if text.strip()]
    if given is not None:
        os.environ[VARIABLE] = os.pathsep.join(folders)
    for folder in folders:
        begin.search_last(folder)


def _folder(name: str, text: str) -> str:
    try:
        folder = Path(text.strip()).expanduser().absolute()
    except (RuntimeError, FileNotFoundError):  # nobody's home, or the current folder is gone
        folder = Path(text)
    if not folder.is_dir():
        what = "it is no folder" if folder.exists() else "there is no such folder"
        raise ValueError(f"{name} must name folders of tasks, got {text[:200]}: {what}")
    return str(folder)
