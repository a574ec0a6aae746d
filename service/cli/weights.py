"""`weights`: fetches the weights that a study has kept into a folder, and exports the model."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

import typer

from pernodedrop.begin import command
from service.cli.exit_codes import ExitCode, Failure
from service.cli.session import client_here, say
from service.cli.studies import StudyName
from service.settings import without_key
from service.storage.artifacts import MANIFEST

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
    """Fetch the weights of the recommended configuration, for `load_winner` of workers.winner."""
    if trial is not None and confirmation is not None:
        raise Failure("--trial and --confirmation name two runs: leave one out", ExitCode.WRONG)
    if ensemble and seed is not None:
        raise Failure("--ensemble is of all seeds: leave --seed out", ExitCode.WRONG)
    folder = (output or Path(f"{name}-weights")).absolute()
    _check_free(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as draft:
            unpacked = Path(draft) / "model"
            unpacked.mkdir()
            with tempfile.TemporaryFile(dir=draft) as archive, client_here() as client:
                which = {"trial": trial, "confirmation": confirmation, "seed": seed, "ensemble": ensemble or None}
                client.weights(name, archive, **which)
                files = _unpack(archive, unpacked)
            if to != "safetensors":
                files += _exported(unpacked, to)
            _put(unpacked, folder)
    except OSError as error:
        raise Failure(f"cannot write {folder}: {error.strerror or error}") from error
    say("\n".join(str(folder / file) for file in files))


def _check_free(folder: Path) -> None:
    """Raise Failure where something else is at the place: an earlier folder of weights is replaced."""
    if folder.is_dir() and ((folder / MANIFEST).is_file() or not any(folder.iterdir())):
        return
    if folder.exists() or folder.is_symlink():
        raise Failure(f"{folder} is there and has no {MANIFEST}: choose another folder with --output", ExitCode.WRONG)


def _unpack(archive: BinaryIO, folder: Path) -> list[str]:
    """Write the zip's files, whose digests must be those of the manifest, and return their names."""
    try:
        with zipfile.ZipFile(archive) as opened:
            manifest = opened.read(MANIFEST)
            told = json.loads(manifest)
            for one in told["files"]:
                _write(opened, one["file"], one["sha256"], folder)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise Failure(f"the controller's answer is no whole zip of weights ({error}): try again") from error
    (folder / MANIFEST).write_bytes(manifest)
    return [MANIFEST, *(one["file"] for one in told["files"])]


def _write(opened: zipfile.ZipFile, name: str, digest: str, folder: Path) -> None:
    if Path(name).name != name or name.startswith("."):
        raise ValueError(f"{name!r} is no plain file name")
    found = hashlib.sha256()
    with opened.open(name) as source, (folder / name).open("wb") as target:
        while piece := source.read(2**20):
            found.update(piece)
            target.write(piece)
    if found.hexdigest() != digest:
        raise ValueError(f"the SHA-256 of {name} is not the one in the database")


def _exported(folder: Path, to: Format) -> list[str]:
    """Write the models as programs, by a process that has the worker's packages; returns the files' names."""
    export = command("workers.winner", str(folder), "--format", to)
    done = subprocess.run(export, env=without_key(os.environ), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["it has ended without a word"]
        raise Failure(lines[-1].removeprefix("error: "))
    return sorted(path.name for path in folder.glob(f"*.{to}"))


def _put(made: Path, folder: Path) -> None:
    """Bring the folder to its place, whole, instead of an earlier one."""
    earlier = made.parent / "earlier"
    if folder.exists():
        folder.replace(earlier)
    try:
        made.replace(folder)
    except OSError:
        if earlier.exists():
            earlier.replace(folder)
        raise
    shutil.rmtree(earlier, ignore_errors=True)
