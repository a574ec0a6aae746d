"""`db audit`: whether the database's books agree."""

from service.cli.exit_codes import ExitCode, Failure
from service.cli.session import say, settings_here


def database_audit() -> None:
    """Check budgets, every run's history, Optuna's record and the curves in DATABASE_URL; also while workers work."""
    from service.storage.audit import audit
    from service.storage.database import Database

    settings = settings_here()
    try:
        with Database.open(settings.require_database()) as db:
            db.check()
            findings = audit(db)
    except ValueError as error:
        raise Failure(str(error), ExitCode.WRONG) from error
    for finding in findings:
        say(str(finding))
    if findings:
        raise Failure(f"{len(findings)} findings")
    say("the books are sound")
