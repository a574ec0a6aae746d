"""`db init` and `db audit`: they create the tables and check the records."""

import typer

from service.cli.exit_codes import ExitCode, Failure
from service.cli.meant import NearGroup
from service.cli.output import AsJson, print_json
from service.cli.session import say, settings_here

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
