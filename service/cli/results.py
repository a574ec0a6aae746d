"""The answer of a study: the ranked variants and the best configuration."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pernodedrop.visible import visible
from search_spaces.variants import VARIANT_PARAMETERS
from service.api.models import RankingRow, StudyDetail, TrialOut, WinnerOut
from service.cli.views import measured, setting
from service.client import Client

WIDE = 100  # columns; a narrower terminal shows the settings of the best trial only


def show_results(console: Console, client: Client, study: StudyDetail) -> None:
    """Print the ranking and the best configuration, by the confirmation if there is one, or why there is none."""
    if study.best is None:
        console.print(f"no trial of {study.name} is complete{_why_not(client, study)}", soft_wrap=True)
        return
    wide = console.width >= WIDE
    console.print(ranking_table(study, client.ranking(study.name), with_settings=wide))
    if study.confirmation_so_far is not None:
        console.print(Text(study.confirmation_so_far), soft_wrap=True)
    if study.winner is None:
        _show_configuration(console, f"best configuration: trial {study.best.number}, {study.best.variant}", study.best)
        return
    first, *rest = study.winner.verdict
    _show_configuration(console, first, study.winner)
    for sentence in rest:
        console.print(Text(sentence), soft_wrap=True)


def _show_configuration(console: Console, title: str, chosen: TrialOut | WinnerOut) -> None:
    console.print(Text(title, style="bold"), soft_wrap=True)
    for name, value in chosen.params.items():
        console.print(f"  {name:<16} {setting(value)}")


def ranking_table(study: StudyDetail, rows: Sequence[RankingRow], *, with_settings: bool = True) -> Table:
    """The variants, the best first, each with the best values of the searched settings."""
    objective = study.objectives[0]
    fixed = frozenset(study.definition.get("fixed", {}))
    title = f"{study.name}: variants by {objective.metric} ({objective.direction})"
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("rank", justify="right")
    table.add_column("variant", no_wrap=True)
    for heading in ("trials", "pruned", f"best\n{objective.metric}", "mean of\ntop 3"):
        table.add_column(heading, justify="right", no_wrap=True)
    if with_settings:
        table.add_column("with")
    for row in rows:
        cells = [
            str(row.rank),
            row.variant,
            str(row.trials),
            str(row.pruned),
            measured(row.best_values[0] if row.best_values else None),
            measured(row.mean_of_top),
        ]
        searched = {k: v for k, v in (row.best_params or {}).items() if k not in {*VARIANT_PARAMETERS, *fixed}}
        settings = ", ".join(f"{name} {setting(value)}" for name, value in searched.items())
        table.add_row(*cells, *([settings] if with_settings else []))
    return table


def _why_not(client: Client, study: StudyDetail) -> str:
    if not study.counts.failed:
        return ""
    first = client.trials(study.name, "failed", limit=1).trials
    return f"; the first failure: {visible(first[0].reason or '')}" if first else ""
