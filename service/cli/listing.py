"""`trials`: lists a study's trials, filtered, sorted and in pages."""

import shlex
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from service.api.models import TrialOut
from service.calling import called
from service.cli.output import AsJson, print_json, show_table
from service.cli.session import client_here, console_here, say
from service.cli.studies import StudyName
from service.cli.views import clock, measured, setting
from service.storage.states import RunState, Stage

commands = typer.Typer()


@commands.command()
def trials(  # noqa: PLR0917 (options, given by name)
    name: StudyName,
    state: Annotated[RunState | None, typer.Option(help="Only trials in this state.")] = None,
    variant: Annotated[
        str | None, typer.Option(help="Only trials of this variant, or of those whose names begin so.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="CONDITION", help="Only trials like 'drop_rate<0.3' or units=64. May be repeated."),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            help="number, value (the best first), epoch, time, state, variant or a parameter.",
            show_default="the order of the queue",
        ),
    ] = None,
    descending: Annotated[bool, typer.Option("--descending", "-d", help="The other way round.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The trials of a page.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="The page begins after so many trials.")] = 0,
    confirmation: Annotated[
        bool, typer.Option("--confirmation", help="List the runs of the confirmation instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List a study's trials; those of a long search that still wait for their turn have no row yet.

    Examples:

      pernodedrop trials my-study --sort value --limit 10

      pernodedrop trials my-study --state failed

      pernodedrop trials my-study --variant pernodedrop --where 'drop_rate>=0.3' --sort units
    """
    stage = Stage.CONFIRMATION if confirmation else Stage.SEARCH
    wanted = {"variant": variant, "where": ",".join(where) if where else None, "sort": sort}
    with client_here() as client:
        page = client.trials(
            name, state, limit=limit, offset=offset, stage=stage, descending=descending or None, **wanted
        )
        metric = client.study(name).objectives[0].metric
    if as_json:
        print_json(page)
        return
    if not page.trials:
        say(f"no such trial after the first {offset}" if page.total else f"{name} has no such trial")
        return
    show_table(console_here(), _table(page.trials, metric))
    last = offset + len(page.trials)
    if offset or last < page.total:
        given = {"--state": state, "--variant": variant, "--sort": sort}
        again = [part for option, value in given.items() if value is not None for part in (option, str(value))]
        again += [part for one in where or () for part in ("--where", one)]
        again += ["--descending"] * descending + ["--confirmation"] * confirmation
        more = shlex.join(["trials", name, *again, "--limit", str(limit), "--offset", str(last)])
        next_page = f"; the next ones: `{called(more)}`" if last < page.total else ""
        say(f"{offset + 1} to {last} of {page.total}{next_page}")


def _table(runs: Sequence[TrialOut], metric: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("trial", "state", metric, "epoch", "time", "variant", "with"):
        table.add_column(heading, justify="right" if heading in (metric, "epoch", "time") else "left")
    for run in runs:
        number = run.number if run.stage is Stage.SEARCH else run.place
        params = ", ".join(f"{name} {setting(value)}" for name, value in run.params.items() if name != "regularizer")
        table.add_row(
            "-" if number is None else str(number),
            run.state,
            measured(run.values[0] if run.values else None),
            str(run.epoch or 0),
            "-" if run.duration_s is None else clock(run.duration_s),
            run.variant or "-",
            params,
        )
    return table
