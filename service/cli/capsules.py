"""`capsule`: packs a study into a file from which its runs can be trained again."""

import io
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Annotated

import typer

from pernodedrop.visible import visible_lines
from service.cli.exit_codes import Failure
from service.cli.files import save
from service.cli.session import client_here
from service.cli.studies import StudyName
from service.storage.capsule.archive import MANIFEST, Manifest

commands = typer.Typer()

OfOutput = Annotated[Path | None, typer.Option("--output", "-o", help="The file to write.", show_default="NAME.zip")]


@commands.command()
def capsule(name: StudyName, output: OfOutput = None) -> None:
    """Pack a study into one file: definition, results, where they come from, and what `reproduce` needs.

    Examples:

      pernodedrop capsule my-study -o my-study.zip

      pernodedrop reproduce my-study.zip
    """
    with client_here() as client:
        content = client.capsule(name)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            missing = Manifest.model_validate_json(archive.read(MANIFEST)).missing
    except (zipfile.BadZipFile, KeyError, ValueError, zlib.error) as error:
        reason = str(error).splitlines()[0]
        raise Failure(f"the controller's answer is no whole capsule ({reason}): try again") from error
    for file, why in missing.items():
        sys.stderr.write(visible_lines(f"warning: the capsule has no {file}: {why}\n"))
    save(output or Path(f"{name}.zip"), content)
