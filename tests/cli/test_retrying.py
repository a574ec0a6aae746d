"""`watch`, `retry` and `logs` of a study that has paused itself."""

from collections.abc import Callable

from service.cli.exit_codes import ExitCode
from service.storage.assignments.search_trial import SearchTrial
from service.storage.database.database import Database
from service.storage.records import Log
from service.storage.runs import holding
from service.storage.states import RunState
from tests.storage.queueing import claimed, nothing


def test_a_study_that_has_paused_itself_says_why_and_is_retried(
    command: Callable[..., tuple[int, str, str]], database_url: str
) -> None:
    command("submit", "--preset", "quickstart")
    with Database.open(database_url) as db:
        for _ in range(3):
            lease = claimed(db)
            trial = SearchTrial(db, lease)
            trial.prepare()
            log = Log("begun \x1b[2J\n", "", (200, 0), "Traceback:\n  no data\n")
            holding.finish(db, lease, RunState.FAILED, reason="no data", log=log, tell=nothing)
    code, said, _ = command("watch", "quickstart")
    assert code == ExitCode.FAILED
    assert "quickstart has paused itself: 3 trials in a row failed alike, and none is complete: no data" in said
    assert "`pernodedrop retry quickstart`" in said
    assert "has paused itself" in command("studies")[1]
    code, said, _ = command("logs", "quickstart", "1")
    assert code == ExitCode.DONE
    assert said.splitlines()[1:] == [
        "stdout, the end of 200 bytes:",
        r"begun \x1b[2J",
        "traceback:",
        "Traceback:",
        "  no data",
        "attempt 1 is failed: no data",
    ]
    assert command("logs", "quickstart", "1", "--attempt", "2")[0] == ExitCode.FAILED
    assert "1 failed run waits again, and quickstart is running" in command("retry", "quickstart", "--trial", "1")[1]
    assert "2 failed runs wait again, and quickstart is running" in command("retry", "quickstart")[1]
    assert command("retry", "quickstart")[0] == ExitCode.FAILED
