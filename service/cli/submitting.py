"""`submit` and `presets`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from pernodedrop.visible import visible_lines
from search_spaces import load_preset, preset_names
from service.calling import called
from service.cli.definitions import copied, definition_of, preset_of, text_of_preset
from service.cli.exit_codes import ExitCode, Failure
from service.cli.following import watch_to_the_end
from service.cli.output import AsJson, echo, print_json
from service.cli.scaling import Scales, scaled_definition
from service.cli.session import client_here, say
from service.cli.studies import StudyName
from service.cli.views import budgeted
from service.client import Client

commands = typer.Typer()

File = Annotated[
    Path | None, typer.Argument(help="The study's definition, YAML or JSON, or a preset's name.", show_default=False)
]
Preset = Annotated[str | None, typer.Option(help="A ready-made definition; `pernodedrop presets` lists them.")]
Like = Annotated[
    str | None, typer.Option(metavar="STUDY", help="Copy the definition of this study of the service; give a --name.")
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the definition; may be repeated.")
]
Name = Annotated[str | None, typer.Option(help="The study's name, instead of the definition's.")]


@commands.command()
def submit(  # noqa: PLR0917 (options, given by name)
    file: File = None,
    preset: Preset = None,
    like: Like = None,
    overrides: Overrides = None,
    scale: Scales = None,
    name: Name = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the study to its end and print the answer.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, say what would be created, and store nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send a study to the controller; workers begin at once.

    Examples:

      pernodedrop submit my-study.yaml

      pernodedrop submit quickstart --dry-run

      pernodedrop submit --preset quickstart --name mine --set budget.trials=50 --set seed=11 --watch

      pernodedrop submit my-study.yaml --set search_space.drop_rate.high=0.5

      pernodedrop submit --preset paper-table1-cifar10 --scale small --scale variants=dropout,pernodedrop-gaussian

      pernodedrop submit --like mine --name mine-again --set seed=12

      pernodedrop submit --like mine --name mine-further --set start_from=mine
    """
    if watch and (dry_run or as_json):
        raise Failure(f"--watch does not go with {'--dry-run' if dry_run else '--json'}: leave one out", ExitCode.WRONG)
    with client_here() as client:
        if like is None:
            definition = definition_of(file, preset, overrides or (), name)
        elif file is not None or preset is not None:
            raise Failure("give one of a file, --preset and --like", ExitCode.WRONG)
        else:
            definition = copied(client.study(like).definition, overrides or (), name)
        definition = scaled_definition(definition, scale or ())
        if dry_run:
            _plan(client, definition, as_json)
            return
        name = _submit(client, definition, as_json, watch)
        if watch:
            raise typer.Exit(watch_to_the_end(client, name))


@commands.command()
def clone(
    name: StudyName,
    new_name: Annotated[str, typer.Argument(metavar="NEWNAME", help="The copy's name.")],
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Submit a study's definition again under another name, as `submit --like` does.

    Example:

      pernodedrop clone mine mine-again --set seed=12
    """
    with client_here() as client:
        copy = copied(client.study(name).definition, overrides or (), new_name, "as the second argument")
        _submit(client, copy, as_json, False)


def _plan(client: Client, definition: Mapping[str, Any], as_json: bool) -> None:
    """Say what the definition would create."""
    planned = client.check(definition)
    if as_json:
        print_json(planned)
        return
    whole = planned.definition
    searched = ", ".join(whole["search_space"]) or "nothing"
    runs = budgeted(planned.trials, whole["budget"].get("epochs"))
    say(f"nothing was stored: {planned.name} would have {runs} of {whole['task']['name']}")
    say(f"it would search {searched} by {whole['sampler']['name']}, pruned by {whole['pruner']['name']}")
    for sentence in planned.advice:
        say(sentence)


def _submit(client: Client, definition: Mapping[str, Any], as_json: bool, watch: bool) -> str:
    """Submit the definition, say so, and return the study's name."""
    study = client.submit(definition)
    if as_json:
        print_json(study)
        return study.name
    say(f"submitted {study.name}: {budgeted(study.budget.trials, study.budget.epochs)} wait for workers")
    for sentence in study.advice:
        say(sentence)
    if not watch:
        say(f"follow it:  {called(f'watch {study.name}')}\ndashboard:  {study.links.dashboard}")
    return study.name


@commands.command()
def presets(
    name: Annotated[str | None, typer.Argument(help="The definition to print.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """List the ready-made definitions, or print one as a start for your own.

    Example:

      pernodedrop presets quickstart > my-study.yaml
    """
    if as_json:
        print_json({"presets": preset_names()} if name is None else preset_of(name))
        return
    if name is not None:
        echo(visible_lines(text_of_preset(name).rstrip()))
        return
    for one in preset_names():
        say(f"{one:<24} {load_preset(one).get('description', '')}")
