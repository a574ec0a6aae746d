"""What a terminal says of a study without a complete trial."""

from collections.abc import Callable

from service.cli.exit_codes import ExitCode
from service.storage.database.database import Database
from service.storage.runs import holding
from service.storage.states import RunState
from tests.storage.queueing import claimed, nothing


def test_a_study_whose_trials_all_failed_does_not_end_well(
    command: Callable[..., tuple[int, str, str]], database_url: str
) -> None:
    command("submit", "--preset", "quickstart", "--set", "budget.trials=2")
    assert "no worker is alive" not in command("pause", "quickstart")[1]
    assert "no worker is alive, so nothing is trained" in command("resume", "quickstart")[1]
    with Database.open(database_url) as db:
        for _ in range(2):
            holding.finish(db, claimed(db), RunState.FAILED, reason="no memory", tell=nothing)
    for order in ("watch", "studies"):
        code, said, _ = command(order, "quickstart")
        assert code == (ExitCode.FAILED if order == "watch" else ExitCode.DONE)
        assert "quickstart has failed: no trial is complete (2 failed): all of 2 failed alike: no memory" in said
    assert " failed " in command("studies")[1]
