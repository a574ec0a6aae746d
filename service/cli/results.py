"""The answer of a study: the ranked variants, the confirmation, and the recommended configuration."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from search_spaces.variants import VARIANT_PARAMETERS
from service.api.models import Ranking, RankingRow, StudyDetail
from service.cli.confirmed import confirmation_table
from service.cli.output import show_table, tell
from service.cli.views import measured, setting
from service.client import Client

MOST_OF_FRONT = 20  # rows; the report has more
WIDE = 110  # columns; a narrower terminal shows the settings of the best trial only


def show_results(console: Console, client: Client, study: StudyDetail) -> None:
    """Print the ranking and what the confirmation found, or the search's best; or why there is nothing.

    Of an own task also which source of it trained.
    """
    if study.pause is not None:
        tell(console, f"{study.name} has paused itself: {study.pause}")
    _show_answer(console, client, study)
    if study.task_changed is not None:
        console.print(Text(f"\n{study.task_changed}"), soft_wrap=True)
    elif study.task_code:
        code = study.task_code[0]
        commit = "" if code.commit is None else f", commit {code.commit}"
        console.print(Text(f"\ncode of the task: {code.digest}{commit}"), soft_wrap=True)


def _show_answer(console: Console, client: Client, study: StudyDetail) -> None:
    if study.best is None:
        if study.pause is not None:
            return
        said = f"{study.name} has failed: {study.failure}" if study.failure else f"no trial of {study.name} is complete"
        tell(console, said)
        if study.failure is not None:
            tell(console, f"When the cause is mended: `pernodedrop retry {study.name}`")
        return
    found = client.ranking(study.name)
    rows = found.ranking
    show_table(console, ranking_table(study, rows, with_settings=console.width >= WIDE))
    few = [row.variant for row in rows if row.few]
    if few:
        tell(console, f"* may have lost for want of trials: {', '.join(few)}")
    if found.front:
        console.print()
        show_table(console, front_table(study, found))
    if study.confirmation_so_far is not None:
        tell(console, study.confirmation_so_far)
    if study.winner is None:
        console.print()
        _show_searchs_best(console, study)
        return
    if study.confirmed:
        console.print()
        show_table(console, confirmation_table(study))
        console.print()
    first, *rest = study.winner.verdict
    tell(console, first, "bold")
    for sentence in rest:
        tell(console, sentence)
    if study.recommended is not None:
        tell(console, f"\nrecommended configuration: {study.recommended.why}", style="bold")
        console.print(Text(study.recommended.fixed), soft_wrap=True)


def ranking_table(study: StudyDetail, rows: Sequence[RankingRow], *, with_settings: bool = True) -> Table:
    """The variants, the best of the search first, with the tuning that each had and what its best trial reached.

    A star marks those that may have lost for want of trials.
    """
    objective = study.objectives[0]
    best = "best" if len(study.objectives) == 1 else "best trial's"  # another trial may have a better first objective
    title = f"{study.name}: variants by {objective.metric} ({objective.direction})"
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.padding, table.show_edge = 0, False  # of 80 columns, the longest name takes 36
    table.add_column("", no_wrap=True)
    table.add_column("variant", overflow="fold")
    for heading in ("complete\nof begun", "pruned", "epochs", f"{best}\n{objective.metric}", "mean of\ntop 3"):
        table.add_column(heading, justify="right", no_wrap=True)
    if with_settings:
        table.add_column("with")
    for row in rows:
        cells = [
            f"{row.rank}{'*' if row.few else ''}",
            row.variant,
            f"{row.trials} of {row.begun}",
            str(row.pruned),
            str(row.epochs),
            measured(row.best_values[0] if row.best_values else None),
            measured(row.mean_of_top),
        ]
        table.add_row(*cells, *([_settings(study, row.best_params or {})] if with_settings else []))
    return table


def front_table(study: StudyDetail, found: Ranking) -> Table:
    """The first MOST_OF_FRONT trials of the Pareto front with all their objectives: those to choose from."""
    shown = found.front[:MOST_OF_FRONT]
    few = f"the first {len(shown)} of {found.on_front:,}" if found.on_front > len(shown) else f"{found.on_front}"
    title = f"{study.name}: Pareto front, {few} {'trial' if found.on_front == 1 else 'trials'}"
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.padding, table.show_edge = (0, 1, 0, 0), False
    table.add_column("trial", justify="right", no_wrap=True)
    table.add_column("variant", overflow="fold")
    for objective in study.objectives:
        split, _, metric = objective.metric.partition("_")
        table.add_column(f"{objective.direction}\n{split}_\n{metric}", justify="right", overflow="fold")
    table.add_column("with", overflow="fold")
    for row in shown:
        number = "-" if row.number is None else str(row.number)
        table.add_row(number, row.variant, *map(measured, row.values), _settings(study, row.params))
    return table


def _settings(study: StudyDetail, params: Mapping[str, Any]) -> str:
    """What was searched of the parameters, without those that name the variant."""
    without = {*VARIANT_PARAMETERS, *study.definition.get("fixed", {})}
    return ", ".join(f"{name} {setting(value)}" for name, value in params.items() if name not in without)


def _show_searchs_best(console: Console, study: StudyDetail) -> None:
    best = study.best
    if best is None:
        return
    tell(console, f"the search's best: trial {best.number}, {best.variant}", style="bold")
    for name, value in best.params.items():
        console.print(f"  {name:<16} {setting(value)}")
    said = "The best of many trials is partly luck, so the search alone recommends nothing."
    tell(console, f"{said} {study.advice}" if study.advice else said)
