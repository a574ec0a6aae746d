import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.stack import ChildDied
from service.stack.child import Child
from service.stack.logs import LogFolder
from service.stack.workers import PAUSES, TendedServer, TendedWorker


def child(tmp_path: Path, program: str) -> Child:
    return Child("child", [sys.executable, "-c", program], dict(os.environ), tmp_path / "child.log")


def wait_for(text: str, log: Path) -> None:
    while not (log.exists() and text in log.read_text()):
        time.sleep(0.01)


def test_the_end_of_a_childs_log_is_told(tmp_path: Path) -> None:
    one = child(tmp_path, "import sys; print(*range(100), sep='\\n', flush=True); sys.exit('no disk')")
    one.start()
    one.end_by(time.monotonic() + 60)
    assert one.status == 1
    error = one.died()
    assert str(error) == f"the child ended with status 1: see {tmp_path / 'child.log'}"
    assert error.last_lines[-1] == "no disk"
    assert error.last_lines[-2] == "99"


def test_an_earlier_log_is_set_aside_and_a_restart_appends(tmp_path: Path) -> None:
    (tmp_path / "child.log").write_text("earlier\n")
    one = child(tmp_path, "print('now')")
    for _ in range(2):
        one.start()
        one.end_by(time.monotonic() + 60)
    assert (tmp_path / "child.log.1").read_text() == "earlier\n"
    assert (tmp_path / "child.log").read_text() == "now\nnow\n"


def test_each_stack_of_a_home_has_logs_of_its_own(tmp_path: Path) -> None:
    stacks = [LogFolder(tmp_path) for _ in range(3)]
    for stack in stacks:
        stack.claim()
    assert [stack.path.name for stack in stacks] == ["logs", "logs-2", "logs-3"]
    assert {stack.path.stat().st_mode & 0o777 for stack in stacks} == {0o700}
    stacks[1].release()
    stacks[1].release()
    following = LogFolder(tmp_path)
    following.claim()
    assert following.path == tmp_path / "logs-2"
    for stack in (*stacks, following):
        stack.release()


def test_a_stubborn_child_and_its_own_children_are_killed(tmp_path: Path) -> None:
    one = child(
        tmp_path,
        "import signal, subprocess, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "grandchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('grandchild', grandchild.pid, 'runs', flush=True)\n"
        "grandchild.wait()",
    )
    one.start()
    wait_for("runs", one.log)
    grandchild = int(one.log.read_text().split()[1])
    one.terminate()
    one.end_by(time.monotonic())
    assert one.status == -signal.SIGKILL
    while Path(f"/proc/{grandchild}").exists() and " Z " not in Path(f"/proc/{grandchild}/stat").read_text():
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_killed_parent_leaves_no_child(tmp_path: Path) -> None:
    program = (
        "import os, sys, time; from pathlib import Path; from service.stack.child import Child\n"
        f"one = Child('child', [sys.executable, '-c', 'import time; time.sleep(600)'], dict(os.environ), "
        f"Path({str(tmp_path / 'child.log')!r}))\n"
        "one.start(); print(one.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    parent.kill()
    parent.communicate()
    while Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
        time.sleep(0.01)


def test_a_dying_worker_is_started_again_and_given_up_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.stack.workers.PAUSES", tuple(0.01 for _ in PAUSES))
    said: list[str] = []
    worker = TendedWorker(child(tmp_path, "print('started'); raise SystemExit(9)"), said.append)
    worker.child.start()
    with pytest.raises(ChildDied, match="ended with status 9"):
        while True:
            worker.tend()
    assert len(said) == len(PAUSES)
    assert "status 9, starting it again" in said[0]
    assert (tmp_path / "child.log").read_text().count("started") == len(PAUSES) + 1


@pytest.mark.parametrize("end", ["raise SystemExit(4)", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"])
def test_a_worker_that_a_signal_ended_is_never_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr("service.stack.workers.PAUSES", (0.0,))
    said: list[str] = []
    worker = TendedWorker(child(tmp_path, end), said.append)
    worker.child.start()
    while len(said) < 4:
        worker.tend()
    worker.child.end_by(time.monotonic() + 60)


def test_a_server_that_was_killed_is_started_again_and_one_that_ended_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.stack.workers.PAUSES", (0.0,))
    said: list[str] = []
    server = TendedServer(child(tmp_path, "import time; time.sleep(600)"), said.append)
    server.child.start()
    for number in (1, 2, 3):
        assert server.child.pid is not None
        os.kill(server.child.pid, signal.SIGKILL)
        before = server.child.pid
        while server.child.pid == before:
            server.tend()
        assert said == ["child ended with status -9, starting it again in 0 s"] * number
    server.child.terminate()
    with pytest.raises(ChildDied, match="ended with status -15"):
        while True:
            server.tend()


def test_a_worker_that_left_in_order_stays_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.stack.workers.PAUSES", (0.0,))
    said: list[str] = []
    worker = TendedWorker(child(tmp_path, "print('started')"), said.append)
    worker.child.start()
    worker.child.end_by(time.monotonic() + 60)
    for _ in range(3):
        worker.tend()
    assert not worker.child.runs
    assert (tmp_path / "child.log").read_text() == "started\n"
    assert said == ["child has left as it was asked to, and is not started again"]
