"""`studies`, `report`, `pause`, `resume`, `stop`, `delete`, `workers`: questions and orders to the controller."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from service.api.models import StudyOut
from service.cli.files import write_whole
from service.cli.results import show_results
from service.cli.session import client_here, console_here, say
from service.cli.snapshot import take
from service.cli.views import line, measured
from service.client import Client

StudyName = Annotated[str, typer.Argument(help="The study's name.")]


def studies(
    name: Annotated[
        str | None, typer.Argument(help="Show this one with its answer so far.", show_default=False)
    ] = None,
) -> None:
    """List the studies, the newest first, or show one."""
    console = console_here()
    with client_here() as client:
        if name is None:
            _list(console, client)
        else:
            snapshot = take(client, name)
            console.print(line(snapshot), soft_wrap=True)
            show_results(console, client, snapshot.study)


def report(
    name: StudyName,
    output: Annotated[Path | None, typer.Option(help="Where to write it.", show_default="NAME.html")] = None,
) -> None:
    """Write the study's report as an HTML page that needs nothing else."""
    with client_here() as client:
        page = client.report(name)
    say(str(write_whole(output or Path(f"{name}.html"), page)))


def pause(name: StudyName) -> None:
    """Start no further run of the study; those in training go on."""
    _order(name, "pause")


def resume(name: StudyName) -> None:
    """Go on with a paused study."""
    _order(name, "resume")


def stop(name: StudyName) -> None:
    """End the study for good; its results stay."""
    _order(name, "stop")


def delete(name: StudyName, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Remove the study with its trials and curves, for good."""
    with client_here() as client:
        study = client.study(name)
        if not yes:
            typer.confirm(f"delete {name} with its {study.budget.finished} finished trials?", abort=True)
        client.delete(name)
    say(f"deleted {name}")


def workers() -> None:
    """List the workers that were seen lately and what they train."""
    with client_here() as client:
        alive = client.workers()
    if not alive:
        say("no worker was seen lately: start one with `pernodedrop worker`")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("host", "pid", "device", "state", "study", "trial", "seen"):
        table.add_column(heading)
    for one in alive:
        trial = "-" if one.trial is None else str(one.trial)
        seen = f"{max(0, int((datetime.now(UTC) - one.seen_at).total_seconds()))} s ago"
        table.add_row(one.host, str(one.pid), one.device, one.state, one.study or "-", trial, seen)
    console_here().print(table)


def _order(name: str, action: Literal["pause", "resume", "stop"]) -> None:
    with client_here() as client:
        say(f"{name} is {client.change(name, action).state}")


def _list(console: Console, client: Client) -> None:
    found = list(client.studies())
    if not found:
        say("no study yet: submit one with `pernodedrop submit --preset quickstart`")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "state", "task", "runs", "best", "variant", "created"):
        table.add_column(heading)
    for study in found:
        table.add_row(*_row(study))
    console.print(table)


def _row(study: StudyOut) -> list[str]:
    ended = study.budget.trials - study.counts.waiting - study.counts.running
    value = study.best.values[0] if study.best and study.best.values else None
    best = "-" if value is None else f"{study.objectives[0].metric} {measured(value)}"
    variant = study.best.variant if study.best else "-"
    created = f"{study.created_at:%Y-%m-%d %H:%M} UTC"
    return [study.name, study.state, study.task, f"{ended}/{study.budget.trials}", best, variant, created]
