"""`retry`."""

from typing import Annotated

import typer

from service.cli.following import NO_WORKER
from service.cli.output import AsJson
from service.cli.session import answer, client_here
from service.cli.studies import StudyName

commands = typer.Typer()


@commands.command()
def retry(
    name: StudyName,
    trial: Annotated[
        list[int] | None,
        typer.Option(
            min=0, help="A trial's number; may be repeated.", show_default="all that failed, the confirmation's too"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train failed runs again, when the cause is mended, with the configurations that they had.

    The budget stays as it is: a trial that is tried again is the same trial of it, under its number. A study that has
    ended runs again, and one that has paused itself goes on.

    Examples:

      pernodedrop retry my-study

      pernodedrop retry my-study --trial 4 --trial 7
    """
    with client_here() as client:
        study = client.retry(name, trial or None)
        is_alone = study.state == "running" and not client.workers()
    runs = "1 failed run waits" if study.retried == 1 else f"{study.retried} failed runs wait"
    also = [NO_WORKER] if is_alone else []
    answer(as_json, study, f"{runs} again, and {name} is {study.state}", *also, changed=client.last_changed)
