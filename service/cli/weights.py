"""`weights`: fetches the weights that a study has kept into a folder, and exports the model."""

import os
import subprocess
from pathlib import Path
from typing import Annotated, Literal

import typer

from pernodedrop.begin import command
from service.cli.exit_codes import ExitCode, Failure
from service.cli.session import client_here, say
from service.cli.studies import StudyName
from service.client import NotWhole, Which, unpack, written
from service.settings import folder_of, without_key

Format = Literal["safetensors", "pt2", "onnx"]

commands = typer.Typer()

OfOutput = Annotated[
    Path | None, typer.Option("--output", "-o", help="The folder to write.", show_default="NAME-weights")
]
Trial = Annotated[int | None, typer.Option(min=0, help="The weights of this trial of the search.", show_default=False)]
Place = Annotated[
    int | None,
    typer.Option(min=0, help="Those of the configuration at this place in the confirmation.", show_default=False),
]
OfSeed = Annotated[int | None, typer.Option("--seed", min=0, help="Only this seed's.", show_default="all seeds")]
Ensemble = Annotated[bool, typer.Option("--ensemble", help="Load or export all seeds as one averaged model.")]
To = Annotated[Format, typer.Option("--format", help="pt2, of torch.export, and onnx need the worker's packages.")]


@commands.command()
def weights(
    name: StudyName,
    output: OfOutput = None,
    *,
    trial: Trial = None,
    confirmation: Place = None,
    seed: OfSeed = None,
    ensemble: Ensemble = False,
    to: To = "safetensors",
) -> None:
    """Fetch the weights of the recommended configuration, for `load_winner` of workers.winner.

    Examples:

      pernodedrop weights my-study -o winner

      pernodedrop weights my-study --ensemble --format onnx
    """
    if trial is not None and confirmation is not None:
        raise Failure("--trial and --confirmation name two runs: leave one out", ExitCode.WRONG)
    if ensemble and seed is not None:
        raise Failure("--ensemble is of all seeds: leave --seed out", ExitCode.WRONG)
    try:
        folder = folder_of("--output", str(output or f"{name}-weights"))
    except ValueError as error:
        raise Failure(str(error), ExitCode.WRONG) from error
    which: Which = {"trial": trial, "confirmation": confirmation, "seed": seed, "ensemble": ensemble or None}
    try:
        with written(folder) as (draft, archive):
            with client_here() as client:
                client.weights(name, archive, **which)
            files = unpack(archive, draft)
            if to != "safetensors":
                files += _exported(draft, to)
    except NotWhole as error:
        raise Failure(str(error)) from error
    except FileExistsError as error:
        raise Failure(f"{error}: choose another folder with --output", ExitCode.WRONG) from error
    except OSError as error:
        raise Failure(f"cannot write {folder}: {error.strerror or error}") from error
    say("\n".join(str(folder / file) for file in files))


def _exported(folder: Path, to: Format) -> list[str]:
    """Write the models as programs, by a process that has the worker's packages; returns the files' names."""
    export = command("workers.winner", str(folder), "--format", to)
    done = subprocess.run(export, env=without_key(os.environ), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["it has ended without a word"]
        raise Failure(lines[-1].removeprefix("error: "))
    return sorted(path.name for path in folder.glob(f"*.{to}"))
