"""`trial` and `cancel`: they show or end one trial, or one run of a confirmation."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from rich.table import Table

from pernodedrop.visible import visible
from service.api.models import AttemptOut, TrialDetail
from service.cli.output import AsJson, print_json, show_table
from service.cli.session import answer, client_here, console_here
from service.cli.studies import StudyName
from service.cli.views import clock, measured, named, setting
from service.storage.provenance import NOT_RECORDED
from service.storage.states import Origin, Stage
from service.times import part_with_a_worker, to_second

commands = typer.Typer()

_CHOSEN = {
    Origin.SAMPLER: "",
    Origin.GIVEN: "by hand",
    Origin.OUTSIDE: "by hand, outside of the search space",
}

Number = Annotated[int, typer.Argument(min=0, help="The trial's number in its study.")]
Confirming = Annotated[
    bool, typer.Option("--confirmation", help="Mean a run of the confirmation; the number is its place there, from 0.")
]


@commands.command()
def trial(name: StudyName, number: Number, confirmation: Confirming = False, as_json: AsJson = False) -> None:
    """Show one trial: its parameters, its results, and its history.

    Example:

      pernodedrop trial my-study 12
    """
    with client_here() as client:
        shown = client.trial(name, number, _stage(confirmation))
    if as_json:
        print_json(shown)
        return
    console = console_here()
    console.print(facts_table(shown))
    show_table(console, history_table(shown.history))


@commands.command()
def cancel(name: StudyName, number: Number, confirmation: Confirming = False, as_json: AsJson = False) -> None:
    """End one trial that waits or is in training, for good; its study continues.

    Example:

      pernodedrop cancel my-study 12
    """
    with client_here() as client:
        ended = client.cancel(name, number, _stage(confirmation))
    answer(as_json, ended, f"{named(ended)} of {name} is {ended.state}", changed=client.last_changed)


def _stage(confirmation: bool) -> Stage:
    return Stage.CONFIRMATION if confirmation else Stage.SEARCH


def facts_table(shown: TrialDetail) -> Table:
    """The facts of the trial, a line each."""
    values = ", ".join(measured(value) for value in shown.values or ())
    lines = {
        "run": named(shown),
        "state": shown.state,
        "reason": visible(shown.reason or ""),
        "variant": shown.variant,
        "seeds": _seeds(shown),
        "chosen": _CHOSEN[shown.origin],
        "value": values and f"{values} (epoch {shown.best_epoch})",
        "epochs": f"{shown.epoch or 0} of {shown.epochs}",
        "time": None if shown.duration_s is None else _time(shown.duration_s, shown.spent_s),
        **{name: setting(value) for name, value in shown.params.items()},
        **_origin(shown),
    }
    table = Table.grid(padding=(0, 2))
    for name, text in lines.items():
        if text:
            table.add_row(name, text)
    return table


def _time(duration_s: float, spent_s: float) -> str:
    spent = part_with_a_worker(duration_s, spent_s)
    return clock(duration_s) if spent is None else f"{clock(duration_s)}, of which workers had it for {clock(spent)}"


def _seeds(shown: TrialDetail) -> str | None:
    """Which of the study's seeds the repeats of a confirmation's run have."""
    if shown.first_seed is None or shown.seeds is None:
        return None
    last = shown.first_seed + shown.seeds - 1
    return f"number {last}" if shown.seeds == 1 else f"numbers {shown.first_seed} to {last}"


def _origin(shown: TrialDetail) -> Mapping[str, str]:
    """Where the run comes from, a line for each group of facts."""
    if shown.provenance is None:
        return {"provenance": NOT_RECORDED} if shown.facts else {}
    groups = shown.provenance.items()
    return {group: visible(", ".join(f"{name} {fact}" for name, fact in facts.items())) for group, facts in groups}


def history_table(history: Sequence[AttemptOut]) -> Table:
    """The trial's attempts, the first one first."""
    table = Table(box=None, pad_edge=False)
    for heading in ("attempt", "from", "to", "worker", "state", "reason"):
        table.add_column(heading)
    for place, one in enumerate(history, 1):  # by which `logs --attempt` and the pages name it
        times = [to_second(at) if at else "-" for at in (one.started_at, one.ended_at)]
        table.add_row(str(place), *times, one.worker or "-", one.state, visible(one.reason or "-"))
    return table
