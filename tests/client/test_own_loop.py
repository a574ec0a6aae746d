"""`trials_to_train` against a real controller: trainings, ends, lost leases, outages, and loops that are left."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from jupyter_client.manager import start_new_kernel

from pernodedrop.client import AsyncClient, Client, LeaseLost, Refused
from pernodedrop.client.answers import Trial
from pernodedrop.client.training import Training
from service.api.app import create_app
from service.storage.assignments import own_loop
from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.runs import logs
from tests.api.asking import definition
from tests.api.configuring import settings_for
from tests.api.serving import served
from tests.client.conftest import KEY
from tests.storage.queueing import execute

ROOT = Path(__file__).parents[2]


@dataclass
class Settings:
    width: int
    rate: float
    head: Literal["linear", "deep"]
    depth: int = 1


@dataclass
class Wrong:
    width: int
    rate: float


@pytest.fixture(autouse=True)
def books(database: Database) -> Iterator[None]:
    """Whatever a loop does, the books are right afterwards."""
    yield
    assert audit(database) == []


def train(trial: Training) -> None:
    """Train it by a formula."""
    for epoch in trial.epochs():
        loss = trial.config(Settings).rate + trial.seed / 2**32 + 1 / epoch
        tested = {"test_loss": loss + 1} if trial.is_tested else {}
        assert trial.report(val_loss=loss, train_loss=loss / 2, **tested)


def test_a_loop_trains_every_repeat_and_the_confirmation(client: Client) -> None:
    study = client.submit(definition(trials=3, repeats=2, confirmation={"top": 1, "repeats": 3}))
    seen = []
    for trial in study.trials_to_train():
        assert trial.params.keys() == {"width", "rate", "head"}
        assert (trial.last_epoch, [one.metric for one in trial.objectives]) == (3, ["val_loss"])
        seen.append((trial.stage, trial.number, trial.repeat, trial.is_tested, trial.seed))
        train(trial)
    search, confirmation = seen[:6], seen[6:]
    assert [one[:4] for one in search] == [
        ("search", number, repeat, False) for number in range(3) for repeat in (0, 1)
    ]
    assert len({one[4] for one in search}) == 2, "all trials share their seeds"
    assert [one[:4] for one in confirmation] == [("confirmation", 0, repeat, True) for repeat in range(3)]
    assert len({one[4] for one in seen}) == 5
    assert study.state == "complete"
    best, winner = study.best, study.winner
    assert best is not None and best.values is not None and winner is not None
    mean = sum(one[4] for one in search[:2]) / 2 / 2**32
    assert best.values[0] == pytest.approx(float(best.params["rate"]) + mean + 1 / 3)
    assert (winner.metric, winner.seeds) == ("test_loss", 3)
    curves = study.curves().to_frame()
    assert len(curves[curves.split == "test"]) == 3 * 3
    assert list(study.trials_to_train()) == []


def test_a_pruned_training_ends_early_and_its_repeats_do_not_begin(client: Client) -> None:
    pruner = {"name": "median", "n_startup_trials": 1, "n_warmup_epochs": 0}
    study = client.submit(definition(trials=2, epochs=5, repeats=2, pruner=pruner))
    trainings = []
    for trial in study.trials_to_train():
        epochs = []
        for epoch in trial.epochs():
            epochs.append(epoch)
            goes_on = trial.report(val_loss=0.5 if trial.number == 0 else 2.0)
            assert goes_on is (trial.ended is None)
        trainings.append((trial.number, trial.repeat, epochs[-1], trial.ended))
        if trial.ended == "pruned":
            with pytest.raises(LeaseLost, match=r"^trial 1 has ended \(pruned\): leave its training$"):
                trial.report(val_loss=1.0)
    assert trainings[:2] == [(0, 0, 5, None), (0, 1, 5, None)]
    [(number, repeat, last, ended)] = trainings[2:]
    assert (number, repeat, ended) == (1, 0, "pruned")
    assert last < 5
    assert [one.state for one in study.trials()] == ["complete", "pruned"]


def test_a_training_fails_with_its_reason(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    study = client.submit(definition(trials=4))
    for trial in study.trials_to_train():
        match trial.number:
            case 0:
                trial.fail(MemoryError("out of\nmemory"))
            case 1:
                assert not trial.report(val_loss=float("nan"))
            case 2:
                trial.report(val_loss=1.0)
            case _:
                train(trial)
    assert "trial 2 has failed: its loop ended after 1 of 3 epochs" in caplog.text
    reasons = [one.reason for one in study.trials()]
    assert reasons[0] == "MemoryError: out of memory"
    assert "val_loss" in str(reasons[1])
    assert reasons[2:] == ["its loop ended after 1 of 3 epochs", None]


def test_slips_are_told_in_one_line(client: Client) -> None:
    study = client.submit(definition(trials=1))
    for trial in study.trials_to_train():
        with pytest.raises(TypeError, match=r"^val_loss must be a number, got list$"):
            trial.report(val_loss=[1.0])
        with pytest.raises(ValueError, match=r"^report at least the study's objectives"):
            trial.report()
        for metrics in ({"loss": 1.0}, {"train_loss": 1.0}, {"val_loss": 1.0, "test_loss": 1.0}):
            with pytest.raises(Refused) as refused:
                trial.report(**metrics)
            assert "\n" not in str(refused.value)
        with pytest.raises(TypeError, match=r"^Wrong has no field head, which the study's space or its fixed"):
            trial.config(Wrong)
        with pytest.raises(RuntimeError, match="epoch 1 of trial 0 was not reported"):
            for _ in trial.epochs():
                pass
        train(trial)
        with pytest.raises(RuntimeError, match="all 3 epochs of trial 0 are reported already"):
            trial.report(val_loss=1.0)
    with pytest.raises(Refused) as refused:
        list(client.submit("quickstart").trials_to_train())
    assert (refused.value.status, refused.value.error) == (409, "not_external")


def test_a_loop_that_is_left_hands_its_run_back(client: Client) -> None:
    study = client.submit(definition(trials=1, epochs=2))
    for trial in study.trials_to_train():
        trial.report(val_loss=1.0)
        break
    with pytest.raises(ZeroDivisionError):
        for trial in study.trials_to_train():  # settles the one before, whose exception nobody knows
            assert trial.number == 0
            raise ZeroDivisionError
    for trial in study.trials_to_train():
        trial.hand_back()
        break
    [waiting] = study.trials()
    assert (waiting.state, waiting.attempts) == ("waiting", 0)
    for trial in study.trials_to_train():
        train(trial)
    assert study.state == "complete"


def test_a_lost_lease_ends_the_training_and_the_loop_goes_on(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    study = client.submit(definition(trials=2))
    is_first = True
    for trial in study.trials_to_train():
        epochs = []
        for epoch in trial.epochs():
            epochs.append(epoch)
            if is_first and epoch == 2:
                is_first = False
                client._connection.run(trial._held.tell("handed_back"))
                trial._held.ended = None  # as for one whose lease has ended
                assert not trial.report(val_loss=1.0)
            else:
                trial.report(val_loss=1.0)
        if trial.ended == "lost":
            assert epochs == [1, 2]
            assert "trial 0 counts here no more: " in caplog.text
    assert [one.state for one in study.trials()] == ["complete", "complete"]


@pytest.mark.wide
def test_a_long_epoch_keeps_its_lease(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_loop, "LEASE_S", 1.0)
    monkeypatch.setattr("service.storage.assignments.asked.LEASE_S", 1.0)
    study = client.submit(definition(trials=1, epochs=1))
    for trial in study.trials_to_train():
        time.sleep(2.5)
        train(trial)
    [trained] = study.trials()
    assert (trained.state, trained.attempts) == ("complete", 1)


def test_a_stopped_study_ends_the_loop(client: Client) -> None:
    study = client.submit(definition(trials=3))
    for trial in study.trials_to_train():
        for _ in trial.epochs():
            study.stop()
            trial.report(val_loss=1.0)
        assert trial.ended == "stopped"
    assert study.state == "stopped"


@pytest.mark.wide
def test_a_loop_waits_for_a_controller_that_is_away(
    database_url: str, unused_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(database_url, api_key=KEY)
    with Client(f"http://127.0.0.1:{unused_port}", KEY) as client:
        with served(create_app(settings), port=unused_port):
            study = client.submit(definition(trials=1, epochs=2))
            loop = study.trials_to_train()
            trial = next(loop)
            trial.report(val_loss=1.0)
        back, done = threading.Event(), threading.Event()

        def come_back() -> None:
            back.wait()
            with served(create_app(settings), port=unused_port):
                done.wait()

        again = threading.Thread(target=come_back)
        again.start()
        threading.Timer(1.0, back.set).start()
        try:
            trial.report(val_loss=0.5)
            assert list(loop) == []
            assert study.best is not None
        finally:
            done.set()
            again.join()
    told = [record.message for record in caplog.records if record.name == "pernodedrop.client"]
    assert told[0].startswith("no controller answers at http://127.0.0.1:")
    assert told[0].endswith("; waiting for it")
    assert told[1].startswith("the controller answers again after ")
    assert len(told) == 2


def test_the_same_loop_is_awaited(controller: str, caplog: pytest.LogCaptureFixture) -> None:
    async def calls() -> None:
        async with AsyncClient(controller, KEY) as client:
            study = await client.submit(definition(trials=2, repeats=2))
            seen = []
            async for trial in study.trials_to_train():
                seen.append((trial.number, trial.repeat))
                for epoch in trial.epochs():
                    assert await trial.report(val_loss=1 / epoch)
            assert seen == [(0, 0), (0, 1), (1, 0), (1, 1)]
            assert await study.state == "complete"

    asyncio.run(calls())
    assert [record for record in caplog.records if record.name == "pernodedrop.client"] == []


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
