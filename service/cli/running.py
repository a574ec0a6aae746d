"""`run` and `serve`: the whole service on this machine."""

import os
import shlex
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from pernodedrop.door import heed_in_background
from pernodedrop.near import hint
from search_spaces import InvalidDefinition, parse_definition
from search_spaces.task import EXTERNAL
from service.calling import pass_on
from service.cli.continuation import submit_under_free_name, unfinished
from service.cli.definitions import definition_of
from service.cli.exit_codes import ExitCode, Failure
from service.cli.files import write
from service.cli.following import follow, outcome
from service.cli.results import show_results
from service.cli.scaling import Scales, scaled_definition
from service.cli.session import console_here, say
from service.cli.submitting import File, Overrides, Preset
from service.cli.task_folders import Tasks, search_tasks_in
from service.cli.views import budgeted
from service.client import Client
from service.settings import ARTIFACTS, CHECKPOINTS, CONTROLLER_PORT, DASHBOARD_PORT, Settings, folder_of
from service.stack import Stack
from service.storage.places import unusable

FIRST_STUDY = "quickstart"
NO_WORKER = "no worker is alive: press Ctrl-C, and start the same command again if this line stays"

commands = typer.Typer()

MOST_SLOTS = 64  # as `pernodedrop worker --slots` has it


def _slots(text: str) -> str:
    if text != "auto" and not (text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= MOST_SLOTS):
        raise typer.BadParameter(f"must be auto or from 1 to {MOST_SLOTS}, got {text[:40]}{hint(text, ('auto',))}")
    return text


WorkerCount = Annotated[int, typer.Option(min=1, max=256, help="The number of worker processes.")]
Threads = Annotated[int, typer.Option(min=1, max=1024, help="The CPU threads of each worker.")]
Slots = Annotated[
    str,
    typer.Option(
        metavar="N|auto", parser=_slots, help="The number of trials that each worker trains at once on its device."
    ),
]
Home = Annotated[
    Path | None, typer.Option(help="The folder of the database, logs and reports.", show_default="PERNODEDROP_HOME")
]
ControllerPort = Annotated[
    int, typer.Option("--port", min=1, max=65535, help="The controller's port, or another if it is taken.")
]
DashboardPort = Annotated[int, typer.Option(min=1, max=65535, help="The dashboard's port, or another if it is taken.")]


@commands.command()
def run(  # noqa: PLR0917 (options, given by name)
    file: File = None,
    preset: Preset = None,
    named: Annotated[Path | None, typer.Option("--file", help="The same as the argument.")] = None,
    overrides: Overrides = None,
    scale: Scales = None,
    workers: WorkerCount = 2,
    threads: Threads = 1,
    home: Home = None,
    tasks: Tasks = None,
) -> None:
    """Start everything, run one study to its end, print the answer, and stop everything.

    Postgres, controller, dashboard and workers run on this machine only; DATABASE_URL replaces the embedded
    Postgres. Without a definition the study is "quickstart". The same command continues an interrupted study, and
    begins a new one after a finished study.

    Examples:

      pernodedrop run

      pernodedrop run my-study.yaml --workers 4

      pernodedrop run --preset quickstart --set budget.trials=60

      pernodedrop run --preset paper-table1-cifar10 --scale small
    """
    if file is not None and named is not None:
        raise Failure("give the definition once: as an argument or by --file", ExitCode.WRONG)
    source = file or named
    given = definition_of(source, preset or (FIRST_STUDY if source is None else None), overrides or [])
    definition = _checked(scaled_definition(given, scale or []))
    if definition.get("task", {}).get("name") == EXTERNAL:
        raise Failure("task external has no worker to run: submit it to `pernodedrop serve`, and start your own loop")
    search_tasks_in(tasks)
    settings = _settings(home)
    heed_in_background()
    try:
        raise typer.Exit(_search(settings, definition, "search" in given, workers, threads, home))
    except KeyboardInterrupt:
        _say_at_last("interrupted: the same command continues the study")
        raise typer.Exit(ExitCode.INTERRUPTED) from None


@commands.command()
def serve(  # noqa: PLR0917 (options, given by name)
    workers: WorkerCount = 2,
    threads: Threads = 1,
    slots: Slots = "1",
    port: ControllerPort = CONTROLLER_PORT,
    dashboard_port: DashboardPort = DASHBOARD_PORT,
    home: Home = None,
    tasks: Tasks = None,
) -> None:
    """Start everything and keep it running until Ctrl-C; studies are kept for the next time.

    Example, in two terminals:

      pernodedrop serve --workers 4

      pernodedrop submit --preset quickstart --watch
    """
    search_tasks_in(tasks)
    settings = _settings(home)
    heed_in_background()
    try:
        with Stack(
            settings,
            workers=workers,
            threads=threads,
            slots=slots,
            controller_port=port,
            dashboard_port=dashboard_port,
            say=say,
        ) as stack:
            say(f"API        {stack.url}/v1\nAPI docs   {stack.url}/docs\ndashboard  {stack.dashboard_url}")
            say(f"workers    {workers}\nlogs       {stack.logs}\ndata       {stack.data}")
            if stack.url != settings.url:
                say(f"for commands in other terminals: export PERNODEDROP_URL={stack.url}")
            say("Ctrl-C stops it")
            while True:
                stack.check()
                time.sleep(0.5)
    except KeyboardInterrupt:
        _say_at_last("stopped; the same command continues")


def _again(home: Path | None) -> str:
    """The command that starts the service with these studies again."""
    return "serve" if home is None else f"serve --home {shlex.quote(str(home))}"


def _search(  # noqa: PLR0917 (options)
    settings: Settings, definition: dict[str, Any], names_search: bool, workers: int, threads: int, home: Path | None
) -> ExitCode:
    console = console_here()
    say("starting Postgres, controller, dashboard and workers ...")
    with Stack(settings, workers=workers, threads=threads, say=say) as stack, stack.client() as client:
        say(f"controller {stack.url}, dashboard {stack.dashboard_url}, {workers} workers, logs in {stack.logs}")
        name = _study(client, definition, names_search=names_search)
        _tell_of_others(client, name)
        study = follow(console, client, name, stack.check, alone=NO_WORKER)
        show_results(console, client, study)
        report = settings.home / "reports" / f"{name}.html"
        write(report, client.report(name))
        say(f"report     {report}\nlogs       {stack.logs}\ndata       {stack.data}")
        say(f"service    `pernodedrop {_again(home)}` starts it again, for these commands and the dashboard")
    return outcome(study)


def _study(client: Client, definition: dict[str, Any], *, names_search: bool) -> str:
    """Return the name of the study to follow: an unfinished one of this definition, else a new one."""
    left = unfinished(client, definition, names_search=names_search)
    if left is None:
        name = submit_under_free_name(client, definition)
        budget = client.study(name).budget
        say(f"submitted {name}: {budgeted(budget.trials, budget.epochs)}")
        return name
    if left.pause is not None:
        again = client.retry(left.name).retried
        say(f"{left.name} had paused itself: {left.pause}")
        say(f"trying {again} failed runs again")
    elif left.state == "paused":
        client.change(left.name, "resume")
    say(f"continuing {left.name}: {left.budget.finished} of {left.budget.trials} runs were finished before")
    if left.definition["search"] != definition["search"]:
        say(f"its search is {left.definition['search']}, as it began; a new study would have a {definition['search']}")
    if left.definition["keep"] != definition["keep"]:
        say(f"its keep is {left.definition['keep']}, as it began; a new study would have {definition['keep']}")
    return left.name


def _tell_of_others(client: Client, name: str) -> None:
    """Name the other unfinished studies, which this one shares the workers with."""
    others = [study.name for study in client.studies() if study.state == "running" and study.name != name]
    if others:
        say(f"unfinished studies are trained as well: {', '.join(others)} (`pernodedrop serve` and `stop` end them)")


def _checked(definition: dict[str, Any]) -> dict[str, Any]:
    """Return the complete definition, whose rules are checked before anything is started."""
    try:
        return parse_definition(definition).model_dump(mode="json")
    except InvalidDefinition as error:
        raise Failure(str(error), ExitCode.WRONG) from error


def _settings(home: Path | None) -> Settings:
    pass_on()
    settings = _settings_at(home)
    if settings.database_url is not None:
        from service.storage.database.address import normalise_url  # takes a while to import

        try:
            normalise_url(settings.database_url)
        except ValueError as error:
            raise Failure(str(error), ExitCode.WRONG) from error
    for name in (ARTIFACTS, CHECKPOINTS):  # every worker would end with this, in a log that nobody reads
        place = os.environ.get(name, "").strip()
        if place != "none" and (refusal := unusable(place or None)):
            raise Failure(f"{name} cannot be {place}: {refusal}", ExitCode.WRONG)
    return settings


def _settings_at(home: Path | None) -> Settings:
    """The environment's settings, with another home where one is given."""
    try:
        given = {} if home is None else {"PERNODEDROP_HOME": str(folder_of("--home", str(home)))}
        return Settings.from_environment({**os.environ, **given})
    except ValueError as error:
        raise Failure(str(error), ExitCode.WRONG) from error


def _say_at_last(text: str) -> None:
    """Say a last word, for which there is perhaps no terminal any more."""
    with suppress(OSError):
        say(text)
