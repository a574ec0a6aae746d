"""What trials write is kept with their attempts, and still appears in the worker's log."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pernodedrop.scrubbing import BYTES, HIDDEN, LINES, Secrets, last_lines
from search_spaces import parse_definition
from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.records import Log
from service.storage.runs import holding, logs
from service.storage.states import AttemptState, RunState
from service.storage.studies import studies, trials
from tests.storage.queueing import claimed
from tests.workers.conftest import ROOT, StartWorker, own_study, until
from tests.workers.writing_tasks import SECRET
from workers.trial.output import Tail

TASK = "tests.workers.writing_tasks:Writing"
OWN_TOKEN = "own-token-of-this-worker"


def create(db: Database, *ends: str, lines: int = 300, **more: object) -> None:
    definition = own_study("w", trials=len(ends), **more)
    task = definition.task.model_copy(update={"name": TASK, "options": {"lines": lines}})
    space = {"end": {"type": "categorical", "choices": list(ends)}}
    sampler = {"name": "grid"} if len(ends) > 1 else {"name": "random"}
    parts = definition.model_dump(mode="json", exclude_defaults=True)
    parts |= {"name": "w", "task": task.model_dump(mode="json"), "search_space": space, "sampler": sampler}
    if len(ends) > 1:
        parts.pop("budget")
    studies.create(db, parse_definition(parts))


def worked(database_url: str, home: Path) -> str:
    environment = {**os.environ, "DATABASE_URL": database_url, "PERNODEDROP_HOME": str(home), "OWN_TOKEN": OWN_TOKEN}
    command = [sys.executable, "-m", "workers", "--device", "cpu", "--exit-when-idle"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=True)
    return done.stdout


@pytest.mark.wide
def test_every_end_of_an_attempt_has_its_log(db: Database, database_url: str, tmp_path: Path) -> None:
    create(db, "completes", "raises", "segfault", "much", retries=1)
    passed_on = worked(database_url, tmp_path)
    kept = {run.params["end"]: logs.of_run(db, run.run_id) for run in trials.page(db, studies.get(db, "w"))}
    assert [len(kept[end]) for end in ("completes", "raises", "segfault", "much")] == [1, 1, 2, 1]
    for end, attempts in kept.items():
        for one in attempts:
            assert one.at is not None
            if end != "much":
                assert one.log.stdout == "loading\nfrom a program\nno end of line"
            assert one.log.stderr.startswith(f"postgresql://me:{HIDDEN}@host/db {HIDDEN}\n")
            assert SECRET not in str(one)
    raised = kept["raises"][0].log.traceback
    assert raised is not None
    assert raised.startswith("Traceback (most recent call last)")
    assert raised.endswith(f"ValueError: no data at s3://key:{HIDDEN}@bucket\n")
    assert kept["raises"][0].attempt.reason == f"ValueError: no data at s3://key:{HIDDEN}@bucket"
    assert [one.attempt.state for one in kept["segfault"]] == [AttemptState.LOST, AttemptState.FAILED]
    much = kept["much"][0].log
    assert much.stdout.count("\n") == LINES
    assert much.stdout.endswith("line 000299 \x1b[31m" + "x" * 200 + "\n")
    assert much.written[0] > 300 * 200
    assert "line 000000" in passed_on
    assert "line 000299" in passed_on
    assert passed_on.count("from a program") == 5
    assert audit(db) == []


@pytest.mark.wide
def test_gigabytes_hold_no_trial_up(db: Database, database_url: str, tmp_path: Path) -> None:
    create(db, "much", lines=5_000_000)
    environment = {**os.environ, "DATABASE_URL": database_url, "PERNODEDROP_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "workers", "--device", "cpu", "--exit-when-idle"]
    subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, timeout=300, check=True)
    [run] = trials.page(db, studies.get(db, "w"))
    [one] = logs.of_run(db, run.run_id)
    assert run.state is RunState.COMPLETE
    assert one.log.written[0] > 10**9
    assert "line 4999999" in one.log.stdout


@pytest.mark.wide
def test_what_a_lost_worker_had_recorded_stays(db: Database, start_worker: StartWorker) -> None:
    create(db, "waits", retries=0)
    worker = start_worker()
    [run] = trials.page(db, studies.get(db, "w"))
    until(lambda: any(one.log.stdout for one in logs.of_run(db, run.run_id)))
    worker.kill()
    [one] = logs.of_run(db, run.run_id)
    assert one.log.stdout.startswith("loading\n")


def test_only_the_holder_writes(db: Database) -> None:
    create(db, "completes")
    stale = claimed(db)
    holding.record_log(db, stale, Log("first"))
    holding.hand_back(db, stale, log=Log("last"))
    with pytest.raises(holding.LeaseLost):
        holding.record_log(db, stale, Log("late"))
    claimed(db)
    assert [one.log.stdout for one in logs.of_run(db, stale.run_id)] == ["last", ""]
    studies.delete(db, "w")
    assert logs.of_run(db, stale.run_id) == []


def test_the_end_is_cut_at_lines_and_bytes() -> None:
    tail = Tail()
    for number in range(1000):
        tail.add(f"step {number}\r".encode())
    tail.add(b"done\n" + b"y" * 10 * BYTES + b"\xff\0\n")
    assert len(tail.text().encode()) <= BYTES
    assert tail.text().endswith("y\\xff\\0\n")
    assert tail.written > 10 * BYTES
    bar = Tail()
    bar.add(b"epoch 1\r\n 1%\r 50%\r100%\nend")
    assert bar.text() == "epoch 1\r\n100%\nend"
    assert last_lines("a\n" * 1000) == "a\n" * LINES


SECRETS = Secrets(
    {"DATABASE_URL": "postgresql://u:p%40ssw0rd@h/db", "HF_TOKEN": "abcdefgh", "PATH": "/usr/bin", "A_KEY": "x"}
)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("at postgresql://u:p%40ssw0rd@h/db", f"at {HIDDEN}"),
        ("the password p@ssw0rd", f"the password {HIDDEN}"),
        ("got abcdefgh", f"got {HIDDEN}"),
        ("https://me:other@host/x", f"https://me:{HIDDEN}@host/x"),
        ("Authorization: Bearer abc.def-123", f"Authorization: Bearer {HIDDEN}"),
        ("{'api_key': 'sesame1', 'n': 3}", f"{{'api_key': '{HIDDEN}', 'n': 3}}"),
        ("AWS_SECRET_ACCESS_KEY=wJalrX/UtnF", f"AWS_SECRET_ACCESS_KEY={HIDDEN}"),
        ("ghp_0123456789abcdef", HIDDEN),
        ("tokens: 12345", "tokens: 12345"),
        ("/usr/bin x 0.25", "/usr/bin x 0.25"),
    ],
)
def test_secrets_are_left_out(text: str, kept: str) -> None:
    assert SECRETS.scrubbed(text) == kept
