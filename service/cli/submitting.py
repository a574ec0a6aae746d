"""`submit` and `presets`."""

from pathlib import Path
from typing import Annotated

import typer

from search_spaces import load_preset, preset_names
from service.cli.definitions import copied, definition_of, text_of_preset
from service.cli.exit_codes import ExitCode, Failure
from service.cli.following import watch_to_the_end
from service.cli.scaling import Scales, scaled_definition
from service.cli.session import client_here, say

commands = typer.Typer()

File = Annotated[Path | None, typer.Argument(help="The study's definition, YAML or JSON.", show_default=False)]
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
) -> None:
    """Send a study to the controller; workers begin at once.

    Examples:

      pernodedrop submit my-study.yaml

      pernodedrop submit --preset quickstart --name mine --set budget.trials=50 --set seed=11 --watch

      pernodedrop submit my-study.yaml --set search_space.drop_rate.high=0.5

      pernodedrop submit --preset paper-table1-cifar10 --scale small --scale variants=dropout,pernodedrop-gaussian

      pernodedrop submit --like mine --name mine-again --set seed=12

      pernodedrop submit --like mine --name mine-further --set start_from=mine
    """
    with client_here() as client:
        if like is None:
            definition = definition_of(file, preset, overrides or (), name)
        elif file is not None or preset is not None:
            raise Failure("give one of a file, --preset and --like", ExitCode.WRONG)
        else:
            definition = copied(client.study(like).definition, overrides or (), name)
        study = client.submit(scaled_definition(definition, scale or ()))
        say(f"submitted {study.name}: {study.budget.trials} runs wait for workers")
        for sentence in study.advice:
            say(sentence)
        if watch:
            raise typer.Exit(watch_to_the_end(client, study.name))
        say(f"follow it:  pernodedrop watch {study.name}\ndashboard:  {study.links.dashboard}")


@commands.command()
def presets(
    name: Annotated[str | None, typer.Argument(help="The definition to print.", show_default=False)] = None,
) -> None:
    """List the ready-made definitions, or print one as a start for your own.

    Example:

      pernodedrop presets quickstart > my-study.yaml
    """
    if name is not None:
        say(text_of_preset(name).rstrip())
        return
    for one in preset_names():
        say(f"{one:<24} {load_preset(one).get('description', '')}")
