"""The whole stack for real: embedded Postgres, controller, dashboard, a worker and a small study."""

import os
import re
import signal
import stat
from pathlib import Path
from subprocess import Popen

import httpx
import psutil
import pytest

from service.stack.logs import LogFolder
from tests.cli.conftest import Start

SMALL = ("--set", "budget.trials=3", "--set", "task.epochs=2", "--set", "task.train_size=200", "--workers", "1")


def read_until(process: Popen[str], text: str) -> str:
    """The output up to the line that holds `text`."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"{text!r} was not said:\n" + "".join(lines))


def serves(home: Path) -> bool:
    return (home / "postgres/data/postmaster.pid").exists()


@pytest.mark.wide
def test_an_interrupted_run_is_continued_to_its_answer(home: Path, start: Start) -> None:
    first = start("run", *SMALL)
    read_until(first, "submitted quickstart: 3 runs")
    os.killpg(first.pid, signal.SIGINT)  # as a terminal does: to the whole process group
    said = first.communicate()[0]
    assert first.returncode == 130, said
    assert said.splitlines()[-1] == "interrupted: the same command continues the study"
    assert not serves(home)

    second = start("run", *SMALL)
    said = second.communicate()[0]
    assert second.returncode == 0, said
    assert "continuing quickstart: " in said
    assert "3/3 runs" in said
    assert re.search(r" (is confirmed|wins the confirmation|is ahead): mean test_loss ", said)
    assert (home / "reports/quickstart.html").read_text().lstrip().lower().startswith("<!doctype html>")
    assert {path.name for path in (home / "logs").glob("*.log")} == {"controller.log", "dashboard.log", "worker-1.log"}
    assert not serves(home)


@pytest.mark.wide
def test_serve_answers_behind_its_key_until_it_is_told_to_stop(home: Path, start: Start) -> None:
    other = LogFolder(home)  # of a second stack on the same home, whose logs are left alone
    other.claim()
    (other.path / "controller.log").write_text("the other's")
    stack = start("serve", "--workers", "1", PERNODEDROP_API_KEY="the key")
    said = read_until(stack, "Ctrl-C stops it")
    assert f"logs       {home / 'logs-2'}" in said
    assert (other.path / "controller.log").read_text() == "the other's"
    assert {path.stat().st_mode & 0o077 for path in (home / "logs-2").glob("*.log")} == {0}
    environments = {child.cmdline()[3]: child.environ() for child in psutil.Process(stack.pid).children()}
    assert environments["service.cli"]["PERNODEDROP_API_KEY"] == "the key"
    assert "PERNODEDROP_API_KEY" not in environments["workers"]
    addresses = dict(line.split(maxsplit=1) for line in said.splitlines() if line.startswith(("API  ", "dashboard  ")))
    api, dashboard = addresses["API"], addresses["dashboard"]
    assert httpx.get(f"{api}/studies").status_code == 401
    assert httpx.get(f"{api}/studies", headers={"X-API-Key": "the key"}).json()["total"] == 0
    assert httpx.get(dashboard, headers={"Accept": "text/html"}, follow_redirects=True).url.path == "/login"
    assert "the key" not in said
    assert serves(home)
    logs = home / "logs-2"
    assert stat.S_IMODE(logs.stat().st_mode) == 0o700
    assert {stat.S_IMODE(log.stat().st_mode) for log in logs.iterdir()} == {0o600}
    stack.send_signal(signal.SIGTERM)
    rest = stack.communicate()[0]
    other.release()
    assert stack.returncode == 0, rest
    assert not serves(home)


@pytest.mark.wide
def test_a_server_that_cannot_run_ends_the_stack_with_its_last_words(home: Path, start: Start) -> None:
    (home / "sitecustomize.py").write_text(
        "import sys\nif 'controller' in sys.argv: sys.exit('no room for a controller')\n"
    )
    stack = start("serve", "--workers", "1", PYTHONPATH=str(home))
    said = stack.communicate()[0]
    assert stack.returncode == 1, said
    assert "no room for a controller" in said
    assert said.splitlines()[-1].startswith("error: the controller ended with status 1: see ")
    assert not serves(home)
