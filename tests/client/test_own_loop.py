"""`trials_to_train` against a real controller: trainings, ends, lost leases, outages, and loops that are left."""

import asyncio
import csv
import io
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from pernodedrop.client import AsyncClient, Client, LeaseLost, Refused, operations
from pernodedrop.client.training import Training
from service.api.app import create_app
from service.storage.assignments import own_loop
from service.storage.audit import audit
from service.storage.database.database import Database
from tests.api.asking import definition
from tests.api.configuring import settings_for
from tests.api.serving import served
from tests.client.conftest import KEY

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
    runs = study.to_frame()
    assert runs[runs.stage == "confirmation"].test_loss.tolist() == [pytest.approx(winner.mean)]
    assert runs[runs.stage == "search"].val_loss.notna().all()
    assert runs[runs.stage == "confirmation"].val_loss.isna().all()
    written = csv.DictReader(io.StringIO(study._run(operations.file(study.name, "trials.csv")).decode()))
    assert [(row["test_loss"] == "", row["val_loss"] == "") for row in written] == [(True, False)] * 3 + [(False, True)]
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


STRANGE = {
    "loss": "must begin with train_, val_ or test_: did you mean val_loss?",
    "val": "must begin with train_, val_ or test_: did you mean val_loss?",
    "": "must begin with train_, val_ or test_",
    "<b>": "must begin with train_, val_ or test_",
    "val_": "cannot be recorded: a metric is named '': use 1 to 100 letters, digits, spaces and _ . @ + % / -, "
    "and begin with a letter, a digit or _",
}


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
        for name, said in STRANGE.items():
            with pytest.raises(Refused) as refused:
                trial.report(val_loss=1.0, **{name: 1.0})
            assert str(refused.value) == f"body.metrics.{name} {said}"
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


def test_a_deleted_study_ends_the_loop(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    study = client.submit(definition(trials=2))
    for trial in study.trials_to_train():
        study.delete()
        assert trial.report(val_loss=1.0) is False
        assert trial.ended == "lost"
    assert "no study is named" in caplog.text
    assert "it was deleted, so the loop ends" in caplog.text
    with pytest.raises(Refused, match="no study is named"):
        list(study.trials_to_train())


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
