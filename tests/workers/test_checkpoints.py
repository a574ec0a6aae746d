"""A trial carried on from a checkpoint equals one that was never interrupted, bit for bit."""

import itertools
import resource
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pernodedrop.names import LAWS, MASK_MODES
from search_spaces import TaskSpec, TrialConfig
from service.storage.assignments.progress import EpochDone
from service.storage.database.database import Database
from service.storage.states import RunState
from service.storage.studies import curves, studies
from tests.workers.conftest import StartWorker, finished, only_trial, own_study, until
from workers.tasks import load_task
from workers.trial.checkpoints import CheckpointRoot, CheckpointStore, Fingerprint, unsealed
from workers.trial.fingerprint import fingerprint_of
from workers.trial.messages import Finished, GoOn, Order, Report, Started, Stop, Stopped
from workers.trial.orders import train

EPOCHS, REPEATS = 2, 2
HERE = "1f-16384"  # a database

OTHERS = ("none", "dropout", "gaussian_dropout", "dropconnect", "masksembles", "r_drop", "tabu")  # more: tests/methods
VARIANTS = [TrialConfig(regularizer=name) for name in OTHERS] + [
    TrialConfig(regularizer="pernodedrop", stir_type=stir, mask_mode=mode, noisy_fraction=0.5)
    for stir, mode in itertools.product(LAWS, MASK_MODES)
    if stir != "custom"
]


def order(config: TrialConfig, folder: Path, token: int = 1, every: float = 1e9) -> Order:
    return Order(
        task=TaskSpec(name="digits", epochs=EPOCHS, train_size=100),
        config=config,
        study_seed=3,
        repeats=REPEATS,
        data_folder=folder,
        run_id=7,
        token=token,
        checkpoints=CheckpointRoot(str(folder / "checkpoints"), HERE),
        checkpoint_every=every,
    )


def reports(of: Order, leave_after: int | None = None) -> Iterator[Report]:
    """Train in this process; with `leave_after`, a Stop that keeps a checkpoint comes in that epoch."""
    asked = itertools.count(1)
    return train(of, torch.device("cpu"), lambda _: Stop(keep=True) if next(asked) == leave_after else None)


def figures(of: list[Report]) -> list[tuple[int, int, dict[str, float]]]:
    """What the epochs measured, without the clock's readings."""
    return [
        (r.repeat, r.epoch, {name: value for name, value in r.metrics.items() if "seconds" not in name})
        for r in of
        if isinstance(r, EpochDone)
    ]


@pytest.mark.parametrize("config", VARIANTS, ids=lambda config: config.variant)
def test_every_point_of_departure_leads_to_the_same_figures(config: TrialConfig, tmp_path: Path) -> None:
    whole = list(reports(order(config, tmp_path / "whole")))
    assert isinstance(whole[-1], Finished)
    for epoch in range(1, EPOCHS * REPEATS + 1):
        folder = tmp_path / str(epoch)
        begun = list(reports(order(config, folder), leave_after=epoch))
        assert isinstance(begun[-1], Stopped)
        resumed = list(reports(order(config, folder, token=2)))
        assert isinstance(resumed[0], Started)
        assert resumed[0].facts["resumed_after_epoch"] == epoch
        assert figures(resumed) == figures(whole)


def test_facts_are_plain_numbers_and_text(tmp_path: Path) -> None:
    """A torch.Version in a message would make the agent import torch, for two seconds of its first run."""
    started = next(reports(order(TrialConfig(), tmp_path)))
    assert isinstance(started, Started)
    assert {type(value) for value in started.facts.values()} <= {str, int, float}


def test_a_killed_trial_is_carried_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    config = TrialConfig(regularizer="pernodedrop", stir_type="gaussian")
    whole = list(reports(order(config, tmp_path / "whole")))
    killed = reports(order(config, tmp_path, every=0.0))
    for report in killed:
        if isinstance(report, EpochDone) and (report.repeat, report.epoch) == (1, 1):
            break  # before its checkpoint: the one of (0, 2) is the last
    resumed = list(reports(order(config, tmp_path, token=2)))
    assert isinstance(resumed[0], Started)
    assert resumed[0].facts["resumed_after_epoch"] == 2
    assert figures(resumed) == figures(whole)


def test_a_trial_resumed_at_a_rung_may_owe_a_checkpoint_there(tmp_path: Path) -> None:
    config = TrialConfig()
    list(train(replace(order(config, tmp_path), rungs=(1,)), torch.device("cpu"), lambda _: Stop(keep=True)))
    resumed = replace(order(config, tmp_path, token=2, every=0.0), rungs=(1,))
    found = list(train(resumed, torch.device("cpu"), lambda _: GoOn(1)))
    assert isinstance(found[0], Started)
    assert found[0].facts["resumed_after_epoch"] == 1
    assert isinstance(found[-1], Finished)


def store_of(of: Order) -> CheckpointStore:
    assert of.checkpoints is not None
    fingerprint = fingerprint_of(of, load_task(of.task, of.data_folder), torch.device("cpu"))
    return CheckpointStore(of.checkpoints, of.run_id, of.token, fingerprint)


@pytest.mark.parametrize("part", ["model", "optimizer", "noise"])
def test_a_checkpoint_that_does_not_fit_the_code_any_more_is_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    whole = list(reports(order(TrialConfig(), tmp_path / "whole")))
    list(reports(order(TrialConfig(), tmp_path), leave_after=3))
    [path] = tmp_path.glob("checkpoints/run-7/*.pt")
    state = unsealed(path.read_bytes())["state"]
    training = state["training"]
    if part == "model":  # layers have other names in a new release
        training["model"] = {f"backbone.{name}": weight for name, weight in training["model"].items()}
    elif part == "optimizer":
        training["optimizer"]["param_groups"][0]["params"].pop()
    else:
        del training["noise"]
    store_of(order(TrialConfig(), tmp_path)).save(state)
    begun = list(reports(order(TrialConfig(), tmp_path, token=2)))
    assert isinstance(begun[0], Started)
    assert "resumed_after_epoch" not in begun[0].facts
    assert figures(begun) == figures(whole)
    [warning] = [record.getMessage() for record in caplog.records]
    assert warning.startswith("run 7 starts anew: its checkpoint does not fit this version of the program: ")
    assert "\n" not in warning


def store(folder: Path, token: int, fingerprint: str = "digits", database: str = HERE) -> CheckpointStore:
    return CheckpointStore(CheckpointRoot(str(folder), database), 7, token, Fingerprint(fingerprint))


def test_the_newest_holders_checkpoint_is_read_and_a_torn_one_passed_over(tmp_path: Path) -> None:
    assert store(tmp_path, 1).load() is None
    assert store(tmp_path, 1).save({"holder": 1})
    assert store(tmp_path, 2).save({"holder": 2})
    assert store(tmp_path, 1).save({"holder": 1})  # a stale holder goes on writing
    assert store(tmp_path, 3).load() == {"holder": 2}
    (tmp_path / "run-7" / f"00000002-{HERE}.pt").write_bytes(b"torn")
    assert store(tmp_path, 3).load() == {"holder": 1}
    assert store(tmp_path, 3, "cifar10").load() is None


def test_another_databases_checkpoint_is_used_only_when_told_to_and_where_there_is_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = CheckpointStore(CheckpointRoot(str(tmp_path), HERE, ("ee-5", "ff-5")), 7, 2, Fingerprint("digits"))
    assert store(tmp_path, 4, database="dd-5").save({"database": "a third"})
    assert store(tmp_path, 3, "cifar10", database="ff-5").save({"database": "something else was trained"})
    assert told.load() is None
    assert store(tmp_path, 2, database="ff-5").save({"database": "another"})
    assert store(tmp_path, 2, "cifar10").load() is None
    caplog.clear()
    assert store(tmp_path, 2).load() is None
    [warning] = [record.getMessage() for record in caplog.records]
    assert "start the workers with --adopt-checkpoints " in warning
    assert told.load() == {"database": "another"}
    assert store(tmp_path, 1).save({"database": "ours"})
    assert told.load() == {"database": "ours"}


def test_a_folder_that_cannot_be_written_does_not_stop_a_training(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    trained = list(reports(order(TrialConfig(), tmp_path, every=0.0)))
    assert isinstance(trained[-1], Finished)


def test_a_checkpoint_without_room_is_said_with_its_place_and_the_remedy(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # bytes of a file; as a full disk, the error has no name
    try:
        assert not store(tmp_path, 1).save({"weights": torch.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    [said] = caplog.messages
    assert str(tmp_path) in said
    assert said.endswith("make room there, or let the worker write there")


def test_messages_name_a_place_without_its_password() -> None:
    assert CheckpointRoot("ftp://me:secret@host/a@b", "d").shown == "ftp://host/a@b"
    assert CheckpointRoot("s3://bucket/a", "d").shown == "s3://bucket/a"


def test_nothing_but_tensors_and_numbers_is_read_from_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "run-7").mkdir()
    torch.save({"fingerprint": "digits", "state": Path("x")}, tmp_path / "run-7" / "00000001.pt")
    assert store(tmp_path, 2).load() is None


def long_study(db: Database) -> int:
    return studies.create(db, own_study("long", epochs=40, options={"seconds": 0.1})).id


@pytest.mark.parametrize("farewell", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.wide)])
def test_the_next_worker_carries_on(
    db: Database, start_worker: StartWorker, tmp_path: Path, farewell: signal.Signals
) -> None:
    long_study(db)
    study = studies.get(db, "long")
    first = start_worker("--lease", "2", "--checkpoint-every", "0.01")
    until(lambda: only_trial(db, study).epoch >= 5)
    first.send_signal(farewell)
    first.wait(60)
    reached = only_trial(db, study)
    if farewell is signal.SIGTERM:
        assert (first.returncode, reached.state) == (0, RunState.WAITING)
    start_worker("--lease", "2")
    until(finished(db, "long"))
    trial = only_trial(db, study)
    assert trial.facts["resumed_after_epoch"] >= reached.epoch - 1
    assert trial.attempts == (1 if farewell is signal.SIGTERM else 2)
    losses = [p.epoch for p in curves.of_run(db, trial.run_id) if (p.split, p.metric) == ("val", "loss")]
    assert losses == list(range(1, 41))
    assert not (tmp_path / "checkpoints" / f"run-{trial.run_id}").exists()
