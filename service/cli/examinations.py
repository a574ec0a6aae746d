"""`examinations`: what the models of a confirmation say of the test split and of strange inputs."""

from collections.abc import Iterable, Sequence
from statistics import fmean

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from service.api.models import ExaminationOut, ExaminationPage
from service.cli.exit_codes import Failure
from service.cli.output import AsJson, print_json, show_table
from service.cli.session import client_here, console_here
from service.cli.studies import StudyName
from service.cli.views import measured

commands = typer.Typer()

FIGURES = ("accuracy", "loss", "ece", "total", "epistemic")


@commands.command()
def examinations(name: StudyName, as_json: AsJson = False) -> None:
    """Show what the confirmed models say of the test split and of inputs out of distribution: means over their seeds.

    A study has these figures if its definition has an evaluation.
    """
    with client_here() as client:
        found = list(client.examinations(name))
    if as_json:
        print_json(ExaminationPage(examinations=found, total=len(found)))
        return
    if not found:
        raise Failure(
            f"study {name!r} has no examinations yet: they come with the confirmation, if it has an evaluation"
        )
    show_table(console_here(), examinations_table(found))


def examinations_table(found: Iterable[ExaminationOut]) -> Table:
    """A row for every set of inputs below each confirmed configuration, with the means over the seeds so far."""
    configurations: dict[int | None, dict[str, list[ExaminationOut]]] = {}
    for one in found:
        configurations.setdefault(one.configuration, {}).setdefault(one.inputs, []).append(one)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("inputs", no_wrap=True)
    for heading in ("seeds", "passes", *FIGURES):
        table.add_column(heading, justify="right", no_wrap=True)
    for sets in configurations.values():
        table.add_row(Text(next(iter(sets.values()))[0].variant, style="bold"))
        for inputs, seeds in sets.items():
            figures = (measured(_mean(seeds, name)) for name in FIGURES)
            table.add_row(f"  {inputs}", str(len(seeds)), str(seeds[0].passes), *figures)
    return table


def _mean(seeds: Sequence[ExaminationOut], name: str) -> float | None:
    """The mean over the seeds, None where one of them has no such figure."""
    figures = [one.figures.get(name) for one in seeds]
    known = [figure for figure in figures if figure is not None]
    return fmean(known) if len(known) == len(figures) else None
