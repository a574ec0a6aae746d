"""`db init`, `db audit`, `db dump` and `db restore`: the tables made, the records checked, all of it as one file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pernodedrop.visible import visible_lines
from service.cli.exit_codes import ExitCode, Failure
from service.cli.meant import NearGroup
from service.cli.output import AsJson, print_json
from service.cli.session import say, settings_here

if TYPE_CHECKING:
    from service.storage.dumps.weights import Copied

commands = typer.Typer(cls=NearGroup, help="Maintain the database.", no_args_is_help=True, rich_markup_mode="rich")


@commands.command("init")
def initialise() -> None:
    """Create or upgrade the tables in DATABASE_URL. It is safe to repeat, also from several machines at once."""
    from service.storage.database import database

    try:
        database.initialise(settings_here().require_database())
    except ValueError as error:
        raise Failure(str(error), ExitCode.WRONG) from error
    say("the database is ready")


@commands.command("audit")
def audit(as_json: AsJson = False) -> None:
    """Check that budgets, histories, Optuna's record and curves in DATABASE_URL agree. Workers may be running."""
    from service.storage import audit
    from service.storage.database.database import Database

    try:
        with Database.open(settings_here().require_database()) as db:
            db.check()
            findings = audit.audit(db)
    except ValueError as error:
        raise Failure(str(error), ExitCode.WRONG) from error
    if as_json:
        print_json({"findings": [str(finding) for finding in findings]})
    for finding in [] if as_json else findings:
        say(str(finding))
    if findings:
        raise Failure(f"{len(findings)} findings")
    if not as_json:
        say("the books are sound")


@commands.command("dump")
def dump(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The dump is written here, whole or not at all.")],
    artifacts: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Copy the weights that the dump names here, a folder or URL.")
    ] = None,
) -> None:
    """Write the whole database into one file, while workers are at work. It is a secret: it has all that lies there.

    It is DATABASE_URL's, or where that is not set, the embedded Postgres's of PERNODEDROP_HOME. Checkpoints are
    files of their own: docs/backup.md says whether to take them along. So are weights, which --artifacts copies from
    PERNODEDROP_ARTIFACTS.

    Example:

      pernodedrop db dump backup.dump
    """
    from service.storage.dumps import dumping

    with _database(is_made=False) as url:
        made = dumping.dump(url, file, _tell, _places(artifacts, is_dumped=True))
    say(f"{file} has {made.studies} {'study' if made.studies == 1 else 'studies'}, {made.size / 1e6:.1f} MB")
    say(f"checkpoints of this database are named {made.database}: workers elsewhere take --adopt-checkpoints with it")
    _say_weights(made.weights, artifacts, str(settings_here().artifacts))


@commands.command("restore")
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="`pernodedrop db dump` made it.")],
    webhooks: Annotated[
        bool, typer.Option("--webhooks/--no-webhooks", help="Whether the copy tells the webhooks, too.")
    ] = True,
    artifacts: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Copy the weights that the dump names from here, where db dump put them."),
    ] = None,
) -> None:
    """Restore a dump into an empty database, and bring it up to this release; its studies go on from there.

    It is DATABASE_URL's, or where that is not set, the embedded Postgres's of PERNODEDROP_HOME. Runs that were in
    training wait again, and no attempt of theirs is lost.

    Example:

      pernodedrop db restore backup.dump
    """
    from service.storage.dumps import restoring

    if not file.exists():
        raise Failure(f"there is no file {file}", ExitCode.WRONG)
    with _database(is_made=True) as url:
        places = _places(artifacts, is_dumped=False)
        made = restoring.restore(url, file, _tell, webhooks=webhooks, artifacts=places)
    say(f"the database has {made.studies} {'study' if made.studies == 1 else 'studies'} again")
    if made.handed_back:
        say(f"{made.handed_back} that were in training wait for a worker")
    _say_weights(made.weights, str(settings_here().artifacts), str(artifacts))


def _places(chosen: str | None, *, is_dumped: bool) -> tuple[str, str] | None:
    """From where to where weights are copied; None where they are not."""
    if chosen is None:
        return None
    ours = settings_here().artifacts
    if ours is None:
        raise Failure("--artifacts copies weights, and PERNODEDROP_ARTIFACTS=none keeps none", ExitCode.WRONG)
    theirs = chosen if "://" in chosen else str(Path(chosen).expanduser().absolute())
    if theirs == ours:
        raise Failure(f"--artifacts must be another place than PERNODEDROP_ARTIFACTS, {ours}", ExitCode.WRONG)
    return (ours, theirs) if is_dumped else (theirs, ours)


def _say_weights(copied: "Copied | None", there: str | None, source: str) -> None:
    if copied is None:
        return
    say(f"{there} has {copied.files} files of weights, {copied.size / 1e6:.1f} MB are new")
    if copied.lacking:
        runs = ", ".join(str(run) for run in sorted({one.run_id for one in copied.lacking})[:10])
        raise Failure(
            f"{len(copied.lacking)} files of weights are missing or damaged in {source}, of the runs {runs}; all else "
            "is done: copy them from where they are, or train these runs again"
        )


@contextmanager
def _database(*, is_made: bool) -> Iterator[str]:
    """The URL of the database that is meant; the embedded server runs meanwhile, whoever else uses it."""
    from service.storage.embedded import EmbeddedPostgres

    settings = settings_here()
    try:
        if settings.database_url is not None:
            yield settings.database_url
            return
        folder = settings.home / "postgres"
        if not is_made and not (folder / "data").exists():
            raise Failure(
                f"there is no database: DATABASE_URL is not set, and {folder} has none; set DATABASE_URL or "
                "PERNODEDROP_HOME",
                ExitCode.WRONG,
            )
        server = EmbeddedPostgres(folder)
        try:
            yield server.start()
        finally:
            server.release()
    except ValueError as error:
        raise Failure(str(error), ExitCode.WRONG) from error


def _tell(text: str) -> None:
    typer.echo(visible_lines(text), err=True)
