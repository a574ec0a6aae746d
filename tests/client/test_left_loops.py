"""Own loops that are left in the middle, what they say of themselves, and a controller or database that stumbles."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

from pernodedrop.client import Client
from pernodedrop.client.answers import Trial
from service.storage.database.database import Database
from service.storage.runs import logs
from tests.api.asking import definition
from tests.client.conftest import KEY
from tests.client.test_own_loop import books, train  # noqa: F401 (the books are a fixture)
from tests.storage.queueing import execute

ROOT = Path(__file__).parents[2]


SCRIPT = """
import os, signal, sys, time
from pernodedrop.client import Client

for trial in Client().study("mine").trials_to_train():
    for epoch in trial.epochs():
        trial.report(val_loss=1.0)
        if epoch == 2:
            exec(sys.argv[1])
"""
ENDS: dict[str, tuple[str, str | None, int]] = {  # by what the script does: state, reason, exit code
    "raise MemoryError('no room')": ("failed", "MemoryError: no room", 1),
    "os.kill(os.getpid(), signal.SIGINT); time.sleep(9)": ("waiting", "the loop was left", -signal.SIGINT),
    "sys.exit(0)": ("waiting", "the loop was left", 0),
}


@pytest.mark.parametrize(
    "ending",
    [pytest.param(one, marks=[] if "SIGINT" in one else pytest.mark.wide) for one in ENDS],
    ids=["raises", "Ctrl-C", "leaves"],
)
def test_a_script_that_ends_in_the_middle_settles_its_run(client: Client, ending: str, controller: str) -> None:
    study = client.submit(definition(trials=1))
    ended = run_script("-c", SCRIPT, ending, url=controller)
    state, reason, code = ENDS[ending]
    assert ended.returncode == code, ended.stderr
    [run] = study.trials()
    assert (run.state, run.reason) == (state, reason), ended.stderr
    assert "pernodedrop/client" not in ended.stderr.partition("Traceback")[0]


def run_script(*arguments: Any, url: str, key: str = KEY) -> subprocess.CompletedProcess[str]:
    variables = {"PERNODEDROP_URL": url, "PERNODEDROP_API_KEY": key, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)


def test_what_a_training_says_and_how_it_fails_stand_in_its_log(client: Client, database: Database) -> None:
    study = client.submit(definition(trials=2))
    for trial in study.trials_to_train():
        trial.log(f"trial {trial.number}", {"token": "hunter22hunter22"})
        try:
            if trial.number == 0:
                raise OSError("no <data> at https://me:hunter22@host/x")
            train(trial)
        except OSError as error:
            trial.fail(error)
    first, second = ([one.log for one in logs.of_run(database, run.run)] for run in study.trials())
    assert [log.stdout for log in (*first, *second)] == [f"trial {n}\n{{'token': '***'}}\n" for n in (0, 1)]
    assert second[0].traceback is None
    assert first[0].traceback is not None
    assert first[0].traceback.startswith("Traceback (most recent call last):")
    assert first[0].traceback.endswith("OSError: no <data> at https://me:***@host/x\n")


def test_a_script_that_raises_leaves_its_traceback(client: Client, controller: str, database: Database) -> None:
    study = client.submit(definition(trials=1))
    run_script("-c", SCRIPT, "raise MemoryError('no room')", url=controller)
    [run] = study.trials()
    [kept] = logs.of_run(database, run.run)
    assert kept.log.traceback is not None
    assert "exec(sys.argv[1])" in kept.log.traceback or "<string>" in kept.log.traceback
    assert kept.log.traceback.endswith("MemoryError: no room\n")


@pytest.mark.parametrize("reported", [2, 3])
def test_a_database_that_was_set_back_trains_the_run_again(client: Client, database: Database, reported: int) -> None:
    study, trainings = client.submit(definition(trials=1)), 0
    for trial in study.trials_to_train():
        trainings += 1
        for epoch in trial.epochs():
            trial.report(val_loss=1 / epoch)
            if trainings == 1 and epoch == reported:
                execute(database, f"UPDATE fleet.runs SET epoch = 1 WHERE id = {trial.run}")
                execute(database, f"DELETE FROM fleet.curves WHERE run_id = {trial.run} AND epoch > 1")
    assert trainings == 2
    [run] = study.trials()
    assert (run.state, run.values) == ("complete", [1 / 3])


def test_a_fault_of_the_database_that_passes_is_waited_for(client: Client, database: Database) -> None:
    study = client.submit(definition(trials=1))
    execute(database, "CREATE SEQUENCE refusals")
    execute(database, REFUSE_ONCE)
    execute(database, "CREATE TRIGGER refusal BEFORE INSERT ON fleet.curves EXECUTE FUNCTION refusal()")
    for trial in study.trials_to_train():
        train(trial)
    assert study.state == "complete"


REFUSE_ONCE = """
CREATE FUNCTION refusal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('refusals') = 1 THEN RAISE EXCEPTION 'refused once' USING errcode = '54000'; END IF;
    RETURN new;
END $$"""


def test_waiting_ends_when_a_study_has_paused_itself(
    client: Client, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    study = client.submit(definition(trials=6))
    trainings = study.trials_to_train()
    for _ in range(3):
        next(trainings).fail("no data")
    found = study.wait()
    assert (found.state, found.is_over, found.has_paused_itself) == ("paused", False, True)
    assert "mine has paused itself: 3 trials in a row failed alike" in caplog.text
    assert "`pernodedrop retry mine`" in caplog.text
    assert capsys.readouterr().err.splitlines()[-1].endswith("paused")
    assert "failed alike" in study._repr_html_()


@pytest.mark.wide
def test_a_cell_of_a_notebook_that_ends_in_the_middle_settles_its_run(client: Client, controller: str) -> None:
    """A kernel goes on after a cell has raised or was interrupted."""
    study = client.submit(definition(trials=2))
    variables = {"PERNODEDROP_URL": controller, "PERNODEDROP_API_KEY": KEY, "PYTHONPATH": str(ROOT)}
    manager, kernel = start_new_kernel(env={**os.environ, **variables})
    try:
        for number, ending, found in (
            (0, "raise MemoryError('no room')", ("failed", "MemoryError: no room")),
            (1, "time.sleep(60)", ("waiting", "the loop was left")),
        ):
            kernel.execute(SCRIPT.replace("exec(sys.argv[1])", ending))
            if "sleep" in ending:
                wait_for(lambda: study.trials()[1].epoch == 2)
                manager.interrupt_kernel()
            wait_for(lambda number=number, found=found: of(study.trials()[number]) == found)
    finally:
        kernel.stop_channels()
        manager.shutdown_kernel(now=True)


def of(run: Trial) -> tuple[str, str | None]:
    return run.state, run.reason


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)
