"""`serve` on a database that refuses for a while: it waits, says so once, and goes on."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from service.stack import child as children
from service.stack.workers import AWAY, TendedWorker
from tests.refusing import RefusingServer


def test_a_worker_without_a_database_is_never_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.stack.workers.PAUSES", (0.0,))
    said: list[str] = []
    log = tmp_path / "child.log"
    program = [sys.executable, "-c", f"print('started', flush=True); raise SystemExit({AWAY})"]
    tended = TendedWorker(children.Child("worker-1", program, dict(os.environ), log), said.append)
    tended.child.start()
    deadline = time.monotonic() + 60
    while log.read_text().count("started") < 4:
        assert time.monotonic() < deadline
        tended.tend()
    tended.child.end_by(time.monotonic() + 60)
    assert said == ["worker-1 finds no database, and is started again until it does; its log says more"]


def _line(lines: "queue.Queue[str]", word: str) -> str:
    while word not in (line := lines.get(timeout=120)):
        pass
    return line


@pytest.mark.wide
def test_serve_waits_for_its_database(empty_database_url: str, tmp_path: Path) -> None:
    with RefusingServer(empty_database_url) as server:
        server.refuse("25006")
        command = [sys.executable, "-m", "service.cli", "serve", "--workers", "1", "--home", str(tmp_path)]
        environment = {**os.environ, "DATABASE_URL": server.url, "PYTHONUNBUFFERED": "1"}
        serve = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        lines: queue.Queue[str] = queue.Queue()
        assert serve.stdout is not None
        output = serve.stdout
        reader = threading.Thread(target=lambda: [lines.put(line) for line in output])
        reader.start()
        try:
            assert "the database is read-only" in _line(lines, "; waiting")
            server.relent()
            url = _line(lines, "API  ").split()[1]
            server.refuse("57P01")
            refused = server.refused
            assert httpx.get(f"{url}/ready", timeout=60).status_code == 503
            while server.refused < refused + 20:
                assert serve.poll() is None
                time.sleep(0.1)
            server.relent()
            while httpx.get(f"{url}/ready", timeout=60).status_code != 200:
                time.sleep(0.1)
            while not httpx.get(f"{url}/workers", timeout=60).json()["workers"]:
                time.sleep(0.1)
            serve.send_signal(signal.SIGTERM)
            assert serve.wait(60) == 0
        finally:
            serve.kill()
            serve.wait()
            reader.join(60)
            output.close()
