"""`tag` and `note`: what people write of a study."""

from typing import Annotated

import typer

from pernodedrop.near import did_you_mean
from service.api.models import StudyOut
from service.cli.exit_codes import ExitCode, Failure
from service.cli.output import AsJson
from service.cli.session import answer, client_here
from service.cli.studies import StudyName

commands = typer.Typer()


@commands.command()
def tag(
    name: StudyName,
    tags: Annotated[list[str] | None, typer.Argument(help="The tags to add.", show_default=False)] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", "-r", metavar="TAG", help="Take this tag away. May be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give a study tags, by which `studies --tag` finds it; without any, show those that it has.

    Example:

      pernodedrop tag my-study paper cifar10
    """
    with client_here() as client:
        study: StudyOut = client.study(name)
        has = study.tags
        missing = [one for one in remove or () if one not in has]
        if missing:
            remedy = did_you_mean(missing[0], has, f"it has {', '.join(has) or 'none'}")
            raise Failure(f"{name} has no tag {missing[0]!r}: {remedy}", ExitCode.WRONG)
        wanted = sorted({*has, *(tags or ())} - {*(remove or ())})
        if wanted != has:
            study = client.amend(name, tags=wanted)
    line = f"{name} has the tags {', '.join(study.tags)}" if study.tags else f"{name} has no tags"
    answer(as_json, study, line, changed=wanted != has if tags or remove else None)


@commands.command()
def note(
    name: StudyName,
    text: Annotated[
        str | None, typer.Argument(help='The note, instead of an earlier one; "" takes it away.', show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Note something of a study, which lists and reports show; without a text, show what is noted.

    Example:

      pernodedrop note my-study "again with the mended labels"
    """
    with client_here() as client:
        study: StudyOut = client.study(name) if text is None else client.amend(name, note=text)
    line = f"{name}: {study.note}" if study.note else f"{name} has no note"
    answer(as_json, study, line, changed=None if text is None else client.last_changed)
