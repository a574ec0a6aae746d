"""`studies`, `pause`, `resume`, `stop`, `prioritize`, `extend`, `confirm`, `delete`: they show and change studies."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from pernodedrop.visible import visible
from service.api.models import StudyOut, StudyPage, TrialOut
from service.cli.exit_codes import ExitCode, Failure
from service.cli.following import NO_WORKER
from service.cli.output import AsJson, print_json, show_table, tell
from service.cli.results import show_results
from service.cli.session import answer, client_here, console_here, say
from service.cli.snapshot import take
from service.cli.views import line, measured
from service.client import Client
from service.storage.states import StudyState
from service.times import to_minute

commands = typer.Typer()

StudyName = Annotated[str, typer.Argument(help="The study's name.")]
Until = Literal["fixed", "decided"]
AS_DEFINED = "as the study's definition says, else "


@commands.command()
def studies(
    name: Annotated[
        str | None, typer.Argument(help="The study to show, with its answer so far.", show_default=False)
    ] = None,
    text: Annotated[str | None, typer.Option(help="Only studies with this text in name, description or note.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only studies with this tag.")] = None,
    state: Annotated[StudyState | None, typer.Option(help="Only studies in this state.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the studies, the newest first, or show one.

    Examples:

      pernodedrop studies --state running

      pernodedrop studies my-study
    """
    console = console_here()
    sought = {"text": text, "tag": tag, "state": state}
    if name is not None and any(value is not None for value in sought.values()):
        raise Failure("give either a study or --text, --tag and --state", ExitCode.WRONG)
    with client_here() as client:
        if as_json:
            print_json(_page(list(client.studies(**sought))) if name is None else client.study(name))
        elif name is None:
            _list(console, client, sought)
        else:
            snapshot = take(client, name)
            tell(console, line(snapshot))
            _show_notes(console, snapshot.study)
            show_results(console, client, snapshot.study)


@commands.command()
def pause(name: StudyName, as_json: AsJson = False) -> None:
    """Start no further run of the study; runs in training continue."""
    _order(name, "pause", as_json=as_json)


@commands.command()
def resume(name: StudyName, as_json: AsJson = False) -> None:
    """Resume a paused study."""
    _order(name, "resume", as_json=as_json)


@commands.command()
def stop(name: StudyName, as_json: AsJson = False) -> None:
    """End the study for good; its results stay.

    Example:

      pernodedrop stop my-study
    """
    _order(name, "stop", as_json=as_json)


@commands.command(context_settings={"ignore_unknown_options": True})  # -5 is a priority
def prioritize(
    name: StudyName,
    priority: Annotated[
        int, typer.Argument(help="The priority from -100 to 100; it is 0 unless the definition says otherwise.")
    ],
    as_json: AsJson = False,
) -> None:
    """Let workers serve the study before those of a lower priority; trials in training continue.

    Example:

      pernodedrop prioritize my-study 10
    """
    with client_here() as client:
        study = client.amend(name, priority=priority)
    answer(as_json, study, f"{name} has priority {study.priority}", changed=client.last_changed)


@commands.command()
def extend(
    name: StudyName,
    trials: Annotated[int, typer.Option(min=1, help="The number of further trials.", show_default=False)],
    seen: Annotated[
        int | None, typer.Option(min=1, help="Refuse it where the study has not this many trials (any more).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add trials to a study, whether it is running or complete.

    Example:

      pernodedrop extend my-study --trials 20
    """
    with client_here() as client:
        study = client.extend(name, trials, seen)
    line = f"{name} is {study.state} with {study.budget.trials} trials"
    answer(as_json, study, line, changed=client.last_changed)


@commands.command()
def confirm(  # noqa: PLR0917 (options, given by name)
    name: StudyName,
    top: Annotated[
        int | None,
        typer.Option(min=1, help="The number of best configurations of each variant.", show_default=AS_DEFINED + "1"),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="The number of fresh seeds that each of them is trained with, or at first; more than before adds the "
            "missing ones.",
            show_default=AS_DEFINED + "5",
        ),
    ] = None,
    until: Annotated[
        Until | None,
        typer.Option(
            help="fixed ends after these seeds. decided drops what is certainly worse and adds seeds for the others, "
            "until one is left, or the others are practically equal, or --most-repeats is reached.",
            show_default=AS_DEFINED + "fixed",
        ),
    ] = None,
    most_repeats: Annotated[
        int | None,
        typer.Option(
            min=2, help="With --until decided, the most seeds of a configuration.", show_default=AS_DEFINED + "30"
        ),
    ] = None,
    indifference: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="With --until decided, the difference of means, in the metric's unit, that does not matter to you: "
            "what is certainly closer is practically equal.",
            show_default=AS_DEFINED + "0",
        ),
    ] = None,
    prefer: Annotated[
        str | None,
        typer.Option(
            help="With --until decided, what to recommend of practically equal configurations: cheapest, by the time "
            "of an epoch, or a variant.",
            show_default=AS_DEFINED + "cheapest",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train the best configurations again under fresh seeds and test them, at once or when the search has ended.

    A confirmation that has runs is added to, and what was trained stays:

      pernodedrop confirm my-study --repeats 20

      pernodedrop confirm my-study --until decided --indifference 0.005
    """
    wanted = {"top": top, "repeats": repeats, "until": until, "most_repeats": most_repeats}
    with client_here() as client:
        before = _confirming(client.study(name))
        study = client.confirm(name, **wanted, indifference=indifference, prefer=prefer)
        added = list(client.confirming(name, before)) if _confirming(study) > before else []
    answer(as_json, study, _added(name, study, added), changed=client.last_changed)


def _confirming(study: StudyOut) -> int:
    """The number of the confirmation's runs."""
    return sum(study.confirmation.model_dump().values())


def _added(name: str, study: StudyOut, runs: Sequence[TrialOut]) -> str:
    """What an order to confirm has added."""
    if runs:
        seeds = Counter[str]()
        for run in runs:
            seeds[json.dumps(run.params, sort_keys=True)] += run.seeds or 0
        most = max(seeds.values())
        each = f"{most} seeds each" if min(seeds.values()) == most else f"{min(seeds.values())} to {most} seeds each"
        return f"runs to confirm {name}: {len(runs)} (configurations: {len(seeds)}, {each})"
    if study.state == "complete":
        return f"{name} has a new verdict, and nothing had to be trained for it"
    if _confirming(study):
        return f"{name} will be confirmed further when its present runs have ended"
    return f"{name} will be confirmed when its search has ended"


@commands.command()
def delete(
    name: StudyName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete the study with its trials and curves for good.

    Example:

      pernodedrop delete my-study
    """
    with client_here() as client:
        study = client.study(name)
        if not yes:
            question = f"delete {visible(name)} with its {study.budget.finished} finished trials?"
            typer.confirm(question, abort=True, err=as_json)
        client.delete(name)
    answer(as_json, {"deleted": study.name}, f"deleted {name}", changed=client.last_changed)


def _order(name: str, action: Literal["pause", "resume", "stop"], *, as_json: bool) -> None:
    with client_here() as client:
        study = client.change(name, action)
        is_alone = action == "resume" and (study.counts.waiting or study.counts.paused) and not client.workers()
    also = [NO_WORKER] if is_alone else []
    answer(as_json, study, f"{name} is {study.state}", *also, changed=client.last_changed)


def _page(found: list[StudyOut]) -> StudyPage:
    return StudyPage(studies=found, total=len(found))


def _show_notes(console: Console, study: StudyOut) -> None:
    if study.tags:
        tell(console, f"tags: {', '.join(study.tags)}")
    if study.note:
        tell(console, f"note: {study.note}")


def _list(console: Console, client: Client, sought: Mapping[str, str | None]) -> None:
    found = list(client.studies(**sought))
    said = [f"the {what} {value}" for what, value in sought.items() if value is not None]
    if not found and said:
        tag = sought["tag"]
        remedy = f": `pernodedrop tag STUDY {tag}` gives it to one" if tag is not None and len(said) == 1 else ""
        say(f"no study has {' and '.join(said)}{remedy}")
        return
    if not found:
        say("no study yet: submit one with `pernodedrop submit --preset quickstart`")
        return
    table = Table(box=None, pad_edge=False)
    has_tags = any(study.tags for study in found)
    for heading in ("name", "state", "task", "runs", "search's best", "by", "created", *(["tags"] * has_tags)):
        table.add_column(heading)
    for study in found:
        table.add_row(*_row(study), *([", ".join(study.tags)] * has_tags))
    show_table(console, table)
    for study in found:
        if study.note:
            tell(console, f"{study.name}: {study.note}")
        if study.pause is not None:
            tell(console, f"{study.name} has paused itself: {study.pause}")


def _row(study: StudyOut) -> list[str]:
    value = study.best.values[0] if study.best and study.best.values else None
    best = "-" if value is None else f"{study.objectives[0].metric} {measured(value)}"
    variant = study.best.variant if study.best else "-"
    created = to_minute(study.created_at)
    return [study.name, study.state, study.task, f"{study.counts.ended}/{study.budget.trials}", best, variant, created]
