"""Orders from the command line: priority, extension, one trial, one worker."""

from collections.abc import Callable

import pytest

from service.cli.snapshot import take
from service.client import Client
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import CurvePoint
from service.storage.runs import claiming, holding
from service.storage.studies import studies
from tests.api.fleet import definition_data, work

Command = Callable[..., tuple[int, str, str]]
DONE, FAILED, WRONG = 0, 1, 2


@pytest.fixture
def study(client: Client, database_url: str) -> str:
    """A finished study of two trials, which one worker has trained."""
    client.submit(definition_data(trials=2))
    with Database.open(database_url) as database:
        work(database, studies.get(database, "digits-1"))
    return "digits-1"


def test_a_study_is_prioritized_and_extended(command: Command, study: str) -> None:
    assert command("prioritize", study, "-5")[:2] == (DONE, "digits-1 has priority -5\n")
    code, said, told = command("prioritize", study, "500")
    assert (code, said) == (WRONG, "")
    assert "priority" in told
    assert command("extend", study, "--trials", "3")[:2] == (DONE, "digits-1 is running with 5 trials\n")
    command("stop", study)
    code, said, told = command("extend", study, "--trials", "3")
    assert (code, said) == (FAILED, "")
    assert told == (
        "error: study 'digits-1' cannot be extended: it was stopped for good: submit it under another name\n"
    )


def test_a_study_is_confirmed_and_again_under_more_seeds(command: Command, study: str, database_url: str) -> None:
    code, said, _ = command("confirm", study, "--repeats", "3")
    assert (code, said) == (DONE, "runs to confirm digits-1: 2 (configurations: 2, 3 seeds each)\n")
    code, said, told = command("confirm", study, "--repeats", "2")
    assert (code, said) == (FAILED, "")
    assert told == (
        "error: study 'digits-1' cannot be confirmed: others were confirmed under 3 seeds: repeats must be at least 3, "
        "got 2\n"
    )
    code, said, _ = command("confirm", study, "--repeats", "4")
    assert (code, said) == (DONE, "digits-1 will be confirmed further when its present runs have ended\n")
    with Database.open(database_url) as database:
        work(database, studies.get(database, "digits-1"), limit=2)
        assert studies.get(database, "digits-1").confirmation["waiting"] == 2
    code, _, told = command("confirm", study, "--prefer", "dropout")
    assert code == FAILED
    assert "confirmation.prefer needs confirmation.until: decided" in told


def test_a_search_that_goes_on_is_confirmed_later(command: Command, client: Client) -> None:
    client.submit(definition_data(trials=2))
    assert command("confirm", "digits-1")[:2] == (DONE, "digits-1 will be confirmed when its search has ended\n")


def test_a_trial_is_shown_with_its_history(command: Command, study: str) -> None:
    code, said, _ = command("trial", study, "1")
    assert code == DONE
    for part in ("complete", "drop_rate", "epochs", "4 of 4", "attempt", "node-1:4711"):
        assert part in said
    assert command("trial", study, "9")[0] == FAILED


def test_a_trial_is_cancelled_once(command: Command, study: str, client: Client, database_url: str) -> None:
    assert command("cancel", study, "0")[0] == FAILED
    client.extend(study, 1)
    with Database.open(database_url) as database:
        lease = claiming.claim(database, workers.register(database, "node-2", 1, "cpu"), 60)
        assert lease is not None
        trial = database.optuna.create_new_trial(studies.get(database, study).optuna_study_id)
        holding.attach(database, lease, trial, 2)
    assert command("cancel", study, "2")[:2] == (DONE, "trial 2 of digits-1 is cancelled\n")
    assert "cancelled by hand" in command("trial", study, "2")[1]


def test_a_run_of_the_confirmation_is_shown_and_cancelled_by_its_place(
    command: Command, client: Client, database_url: str
) -> None:
    client.submit(definition_data(trials=2, confirmation={"top": 1, "repeats": 2}))
    with Database.open(database_url) as database:
        work(database, studies.get(database, "digits-1"), limit=2)
        lease = claiming.claim(database, workers.register(database, "node-2", 1, "cpu"), 60)
        assert lease is not None
        holding.record_epoch(database, lease, 1, [CurvePoint(1, 0, "val", "loss", 0.25)])
    [running] = take(client, "digits-1").running
    assert (running.trial.place, running.value) == (0, 0.25)
    assert command("cancel", "digits-1", "0", "--confirmation")[:2] == (
        DONE,
        "confirmation run 0 of digits-1 is cancelled\n",
    )
    code, said, _ = command("trial", "digits-1", "0", "--confirmation")
    assert code == DONE
    for part in ("confirmation run 0", "cancelled by hand", "1 of 8", "node-2:1", "numbers 1 to 2"):
        assert part in said
    assert command("trial", "digits-1", "9", "--confirmation")[::2] == (
        FAILED,
        "error: study 'digits-1' has no confirmation run 9\n",
    )


def test_a_worker_is_drained_by_the_name_that_is_shown(command: Command, study: str, client: Client) -> None:
    assert "node-1:4711" in command("workers")[1]
    assert command("drain", "node-1:4711")[:2] == (DONE, "node-1:4711 was asked to leave\n")
    assert [worker.state for worker in client.workers()] == ["leaving"]
    code, _, told = command("drain", "node-9:1")
    assert code == FAILED
    assert told == "error: no worker 'node-9:1' was seen lately: did you mean node-1:4711?\n"
