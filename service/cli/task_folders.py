"""`--tasks`: the folders of own tasks, for the processes that import one."""

from typing import Annotated

import typer

from search_spaces.task_folders import HELP, OPTION, VARIABLE, search_tasks
from service.cli.exit_codes import ExitCode, Failure

_TEXT = HELP.partition(" (")[0].capitalize().replace("pythonpath", "PYTHONPATH")
Tasks = Annotated[list[str] | None, typer.Option(OPTION, metavar="FOLDER", help=f"{_TEXT}.", show_default=VARIABLE)]


def search_tasks_in(folders: list[str] | None) -> None:
    """Let this command's processes search these folders behind all others, instead of those of PERNODEDROP_TASKS.

    Raises:
        Failure: one of them is no folder.
    """
    try:
        search_tasks(folders)
    except ValueError as error:
        raise Failure(str(error), ExitCode.WRONG) from error
