"""Several slots on one device: they share a queue and a drain, and memory that runs out costs no trial."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
import sqlalchemy as sa
from optuna.trial import TrialState

from search_spaces import StudyDefinition
from service.storage.database.database import Database
from service.storage.database.tables import device_slots, run_history
from service.storage.fleet import workers
from service.storage.states import RunState
from service.storage.studies import studies, trials
from tests.workers.conftest import ROOT, StartWorker, finished, own_study, until
from workers.device.measurements import Measurements
from workers.device.room import Room
from workers.device.seat import Seat
from workers.trial.process import TrialProcess, TrialProcessDied

StartPretended = Callable[..., subprocess.Popen[bytes]]

GIB = 2**30
PATIENCE_S = 240  # several torches start at once


def sized(name: str, sizes: list[int], *, task: str = "pretended:Hungry", **parts: object) -> StudyDefinition:
    """A study with a trial for each size, in random order."""
    space = {"size": {"type": "categorical", "choices": sizes}}
    definition = own_study(name, search_space=space, sampler={"name": "grid"}, trials=len(sizes), **parts)  # type: ignore[arg-type]
    return definition.model_copy(update={"task": definition.task.model_copy(update={"name": f"tests.workers.{task}"})})


def notes(db: Database, run_id: int) -> list[str]:
    """Why the run went back to the queue, each time that it did."""
    query = sa.select(run_history.c.reason).where(run_history.c.run_id == run_id, run_history.c.state == "waiting")
    with db.engine.connect() as connection:
        return [reason or "" for (reason,) in connection.execute(query.order_by(run_history.c.id))]


def busy(db: Database) -> int:
    return sum(worker.state == "busy" for worker in workers.alive(db))


@pytest.fixture
def start_pretended(database_url: str, tmp_path: Path) -> Iterator[StartPretended]:
    """Start a worker of pretended.py; what still runs at the end is killed."""
    memory = tmp_path / "memory"
    memory.mkdir()
    started: list[subprocess.Popen[bytes]] = []

    def start(*options: str, total: int = 100, gpus: str = "") -> subprocess.Popen[bytes]:
        pretended = {"PRETENDED_MEMORY": str(memory), "PRETENDED_BYTES": str(total), "GPUS": gpus}
        here = {"DATABASE_URL": database_url, "PERNODEDROP_HOME": str(tmp_path)}
        command = [sys.executable, "-m", "tests.workers.pretended", "--poll", "0.1", *options]
        started.append(subprocess.Popen(command, cwd=ROOT, env={**os.environ, **here, **pretended}))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_slots_share_a_queue(db: Database, start_worker: StartWorker) -> None:
    worker = start_worker("--slots", "3")
    until(lambda: len(workers.alive(db)) == 3, PATIENCE_S)
    study = studies.create(db, own_study("shared", trials=9, epochs=3, options={"seconds": 0.2}))
    until(finished(db, "shared"), PATIENCE_S)
    assert studies.get(db, "shared").counts["complete"] == 9
    records = trials.page(db, study)
    assert {record.attempts for record in records} == {1}
    assert {record.worker for record in records} == {f"{os.uname().nodename}:{worker.pid}"}
    query = sa.select(sa.func.count(run_history.c.worker_id.distinct()))
    with db.engine.connect() as connection:
        assert connection.execute(query).scalar_one() == 3


def test_a_drain_reaches_every_slot(db: Database, start_worker: StartWorker) -> None:
    study = studies.create(db, own_study("drained", trials=3, epochs=1000, options={"seconds": 0.1}))
    worker = start_worker("--slots", "3")
    until(lambda: all(record.epoch >= 1 for record in trials.page(db, study)), PATIENCE_S)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(PATIENCE_S) == 0
    assert workers.alive(db) == []
    assert [(record.state, record.attempts) for record in trials.page(db, study)] == [(RunState.WAITING, 0)] * 3


@pytest.mark.wide
def test_a_slot_that_is_asked_to_leave_takes_the_others_along(db: Database, start_worker: StartWorker) -> None:
    study = studies.create(db, own_study("asked", trials=2, epochs=1000, options={"seconds": 0.1}))
    worker = start_worker("--slots", "2", "--lease", "2")
    until(lambda: all(record.epoch >= 1 for record in trials.page(db, study)), PATIENCE_S)
    workers.drain(db, workers.alive(db)[0].id)
    assert worker.wait(PATIENCE_S) == 0
    assert {record.state for record in trials.page(db, study)} == {RunState.WAITING}


@pytest.mark.wide
def test_out_of_memory_beside_others_is_tried_again_alone(db: Database, start_pretended: StartPretended) -> None:
    start_pretended("--slots", "2")
    until(lambda: len(workers.alive(db)) == 2, PATIENCE_S)
    sizes = [10, 20, 30, 97]  # the last one fits when no other process is there, and then no other process does
    study = studies.create(db, sized("tight", sizes, epochs=4, options={"seconds": 0.2}))
    until(finished(db, "tight"), PATIENCE_S)
    records = {record.params["size"]: record for record in trials.page(db, study)}
    assert {record.state for record in records.values()} == {RunState.COMPLETE}
    assert {record.attempts for record in records.values()} == {1}
    [note] = [note for record in records.values() for note in notes(db, record.run_id)]
    reason = "ran out of memory beside other trials, to be tried alone: OutOfMemoryError:"
    late, early = ("97 of 100 bytes", "5 of 100 bytes")  # whoever of the two came second
    assert note in {f"{reason} {late}", f"{reason} {early}"}
    assert notes(db, records[97].run_id) == ([note] if note.endswith(late) else [])


@pytest.mark.wide
def test_the_sampler_hears_of_what_fits_nowhere(db: Database, start_pretended: StartPretended) -> None:
    study = studies.create(db, sized("told", [10, 120], epochs=1))
    assert start_pretended("--slots", "1", "--exit-when-idle").wait(PATIENCE_S) == 0
    told = {trial.params["size"]: trial for trial in db.optuna.get_all_trials(study.optuna_study_id)}
    assert (told[10].state, dict(told[10].constraints)) == (TrialState.COMPLETE, {})
    assert (told[120].state, dict(told[120].constraints)) == (TrialState.PRUNED, {"memory": 1.0})
    [failed] = trials.page(db, study, RunState.FAILED)
    assert failed.reason == "OutOfMemoryError: 120 of 100 bytes (its worker trained nothing else on the device)"


@pytest.mark.wide
def test_auto_opens_as_many_slots_as_fit(db: Database, start_pretended: StartPretended) -> None:
    study = studies.create(db, sized("grown", list(range(20, 25)), epochs=1000, options={"seconds": 0.1}))
    worker = start_pretended("--slots", "auto", total=60)
    until(lambda: busy(db) == min(2, len(os.sched_getaffinity(0))), PATIENCE_S)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(PATIENCE_S) == 0
    assert [note for record in trials.page(db, study) for note in notes(db, record.run_id) if note] == []


@pytest.mark.wide
def test_workers_spread_over_the_gpus_of_their_host(db: Database, start_pretended: StartPretended) -> None:
    def used() -> list[tuple[str, int]]:
        query = sa.select(device_slots.c.device, sa.func.count()).group_by(device_slots.c.device)
        with db.engine.connect() as connection:
            return [(device, count) for device, count in connection.execute(query.order_by(device_slots.c.device))]

    fleet = [start_pretended("--slots", slots, gpus="GPU-a GPU-b") for slots in ("1", "1", "2")]
    until(lambda: len(workers.alive(db)) == 4, PATIENCE_S)
    assert sum(count for _, count in used()) == 4
    assert len(used()) == 2
    for worker in fleet:
        worker.send_signal(signal.SIGTERM)
    assert [worker.wait(PATIENCE_S) for worker in fleet] == [0, 0, 0]
    assert used() == []


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group, of either version, with 1.25 GiB of memory for its processes; the file that takes them in."""
    first = Path("/sys/fs/cgroup/memory").is_dir()
    group = Path("/sys/fs/cgroup", *(["memory"] if first else []), f"pernodedrop-{os.getpid()}")
    try:
        group.mkdir()
        (group / ("memory.limit_in_bytes" if first else "memory.max")).write_text(str(5 * GIB // 4))
    except OSError as error:
        pytest.skip(f"no control group with a limit can be made here: {error}")
    yield group / "cgroup.procs"
    for pid in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            os.kill(int(pid), signal.SIGKILL)
    until(lambda: not (group / "cgroup.procs").read_text())
    group.rmdir()


@pytest.mark.wide
def test_a_trial_that_the_kernel_ends_for_memory_is_repacked_too(
    db: Database, start_lone_worker: StartWorker, small_group: Path
) -> None:
    small_group.write_text(str(start_lone_worker("--slots", "2").pid))
    until(lambda: len(workers.alive(db)) == 2, PATIENCE_S)
    study = studies.create(db, sized("ended", [0, 8], task="own_tasks:Large", options={"seconds": 0.2}))
    until(finished(db, "ended"), PATIENCE_S)
    records = {record.params["size"]: record for record in trials.page(db, study)}
    assert (records[0].state, records[8].state) == (RunState.COMPLETE, RunState.FAILED)
    assert {record.attempts for record in records.values()} == {1}
    assert len(notes(db, records[8].run_id)) == 1
    assert "(signal 9): the machine ran out of memory (its worker trained nothing else" in (records[8].reason or "")


@pytest.mark.skipif(sys.platform != "linux", reason="limits address spaces")
def test_a_real_limit_of_memory_fails_a_trial_and_no_worker(db: Database, start_lone_worker: StartWorker) -> None:
    usual = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (16 * GIB, usual[1]))
    try:
        start_lone_worker("--slots", "2")  # inherits the limit
    finally:
        resource.setrlimit(resource.RLIMIT_AS, usual)
    until(lambda: len(workers.alive(db)) == 2, PATIENCE_S)
    study = studies.create(db, sized("limited", [1, 256], task="own_tasks:Large", epochs=2, options={"seconds": 0.2}))
    until(finished(db, "limited"), PATIENCE_S)
    records = {record.params["size"]: record for record in trials.page(db, study)}
    assert (records[1].state, records[256].state) == (RunState.COMPLETE, RunState.FAILED)
    assert len(notes(db, records[256].run_id)) == 1
    assert "can't allocate memory" in (records[256].reason or "")
    assert "nothing else" in (records[256].reason or "")


def test_one_who_must_be_alone_waits_for_the_others_and_they_for_it() -> None:
    room, large, small = Room(), "large", "small"
    assert room.enter(large, 1)
    assert room.enter(small, 2)
    assert room.wants_solitude(1)
    assert not room.enter(large, 1)
    assert room.must_leave(small)
    assert not room.enter(small)
    room.leave(small)
    assert room.enter(large, 1)
    assert not room.wants_solitude(1)
    assert not room.enter(small)
    room.open(large)
    assert room.enter(small)


def test_two_who_must_be_alone_go_one_after_the_other() -> None:
    room, slots = Room(), ("a", "b")
    assert all(room.enter(slot) for slot in slots)
    assert all(room.wants_solitude(run) for run in range(2))
    room.leave("b")
    assert room.enter("a", 0)
    assert not room.enter("b", 1)
    assert room.must_leave("b")
    room.open("a")
    assert not room.enter("b", 1)
    room.leave("a")
    assert room.enter("b", 1)


def test_a_process_that_finds_no_memory_to_start_again_starts_alone() -> None:
    """A neighbour may hold all of the device while a slot's process is replaced: that slot waits and does not fail."""
    room, free = Room(), {"memory": True}
    started: list[str] = []

    class Process:
        def kill(self) -> None: ...

    def start(name: str) -> Callable[[object], TrialProcess]:
        def start(watch: object) -> TrialProcess:
            if not free["memory"]:
                raise TrialProcessDied("no trial process could be started", out_of_memory=True)
            started.append(name)
            return cast(TrialProcess, Process())

        return start

    first, second = (Seat(room, Measurements(), start(name)) for name in ("first", "second"))
    assert first.take()
    free["memory"] = False
    with pytest.raises(TrialProcessDied):
        second.take()  # it never had a process: there is one slot too many
    free["memory"] = True
    assert second.take()
    free["memory"] = False
    second.replace()
    assert not second.take()
    assert not first.take(7)  # makes room
    free["memory"] = True
    assert second.take()
    assert first.take(7)
    assert started == ["first", "second", "second", "first"]
    free["memory"] = False
    second.clear()
    with pytest.raises(TrialProcessDied):
        first.replace()  # nobody else holds anything: the device is at fault
