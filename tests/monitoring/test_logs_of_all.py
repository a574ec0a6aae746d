"""As JSON every line of every process is a record: of both servers with each call, of the worker, of what a task says,
and of what libraries warn of."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.web.calls import Calls
from tests.cli.conftest import home

__all__ = ["home"]

ROOT = Path(__file__).parents[2]
LOUD = """
import logging, os, sys, warnings
import torch
from torch import nn
from workers.tasks import Splits, Task

print("the module is imported")


class Loud(Task):
    def load(self, device):
        x = torch.linspace(-1, 1, 32, device=device).unsqueeze(1)
        return Splits(x, 2 * x, x, 2 * x)

    def build(self, config):
        print("said\\x1b[2J\\nin two lines")
        logging.getLogger("mine").warning("logged")
        warnings.warn("warned of", UserWarning)
        os.write(2, "ü without an end".encode() + b"\\xff")
        return nn.Linear(1, 1)

    def loss(self, outputs, targets):
        return nn.functional.mse_loss(outputs, targets)

    def metrics(self, outputs, targets):
        return {}
"""
DEFINITION = {
    "name": "loud",
    "task": {"name": "loud_task:Loud", "epochs": 1},
    "search_space": {"learning_rate": {"type": "float", "low": 0.001, "high": 0.1, "log": True}},
    "sampler": {"name": "tpe", "multivariate": True, "n_startup_trials": 1},
    "budget": {"trials": 3},
}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def answered(address: str, process: subprocess.Popen[bytes], path: str) -> httpx.Response:
    until = time.monotonic() + 120
    while True:
        assert process.poll() is None, "the service ended"
        assert time.monotonic() < until, f"no answer at {address}{path}"
        try:
            return httpx.get(f"{address}{path}", timeout=60)
        except httpx.TransportError:
            time.sleep(0.1)


LIBRARIES = """
import gc, logging, threading, warnings
from pernodedrop.visible import log_to_stderr
import optuna, sqlalchemy
log_to_stderr(form="json")
warnings.warn("experimental", optuna.exceptions.ExperimentalWarning)
warnings.warn("cartesian product", sqlalchemy.exc.SAWarning)
optuna.logging.get_logger("optuna.study").warning("a trial failed")
logging.getLogger("sqlalchemy.pool").warning("a connection was lost")
logging.getLogger("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', "127.0.0.1:1", "GET", "/v1/health", "1.1", 200)

class Dropped:
    def __del__(self):
        raise ValueError("nobody can catch this")

dropped = Dropped()
del dropped
threading.Thread(target=lambda: 1 / 0).start()
raise RuntimeError("the last")
"""


def test_what_libraries_warn_of_and_what_nobody_catches_are_records() -> None:
    done = subprocess.run([sys.executable, "-c", LIBRARIES], cwd=ROOT, capture_output=True, check=False)
    records = [json.loads(line) for line in done.stderr.splitlines()]
    words = " | ".join(f"{record['logger']}: {record['message']}" for record in records)
    for word in ("ExperimentalWarning: experimental", "SAWarning: cartesian product", "a trial failed"):
        assert word in words
    assert '127.0.0.1:1 - "GET /v1/health HTTP/1.1" 200' in words
    for name in ("nobody can catch this", "division by zero", "the last"):
        (record,) = (record for record in records if name in record["message"])
        assert (record["level"], "Traceback" in record["exception"]) == ("critical", True)


@pytest.mark.wide
def test_every_line_of_every_process_is_a_record(home: Path) -> None:
    tasks = home / "tasks"
    tasks.mkdir()
    (tasks / "loud_task.py").write_text(LOUD)
    unset = {"DATABASE_URL", "PERNODEDROP_API_KEY", "PERNODEDROP_DATA", "PERNODEDROP_URL"}
    environment = {name: value for name, value in os.environ.items() if name not in unset} | {
        "PERNODEDROP_HOME": str(home), "PERNODEDROP_LOG_FORMAT": "json", "PERNODEDROP_ACCESS_LOG": "true",
        "PYTHONWARNINGS": "always",
    }  # fmt: skip
    ports = free_port(), free_port()
    command = [sys.executable, "-m", "service.cli", "serve", "--workers", "1", "--tasks", str(tasks)]
    command += ["--port", str(ports[0]), "--dashboard-port", str(ports[1])]
    said = (home / "said").open("wb")
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said)
    try:
        controller, dashboard = (f"http://127.0.0.1:{port}" for port in ports)
        answered(controller, process, "/v1/ready")
        named = {"X-Request-ID": "trace-1.of_a_test"}
        httpx.post(f"{controller}/v1/studies", json=DEFINITION, headers=named, timeout=60).raise_for_status()
        until = time.monotonic() + 200
        while (study := httpx.get(f"{controller}/v1/studies/loud", timeout=60).json())["state"] == "running":
            assert time.monotonic() < until, "the study does not end"
            time.sleep(0.2)
        assert study["counts"]["complete"] == 3, study
        secret = "pns_" + "x" * 43
        assert answered(dashboard, process, "/studies/loud").status_code == 200
        answered(dashboard, process, f"/shared?token={secret}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        said.close()
    of: dict[str, list[dict[str, Any]]] = {}
    for path in (home / "logs").glob("*.log"):
        of[path.stem] = [json.loads(line) for line in path.read_bytes().splitlines()]
        assert secret not in path.read_text()
    assert set(of) == {"controller", "dashboard", "worker-1"}
    for records in of.values():
        assert all({"time", "level", "logger", "message"} <= record.keys() for record in records)
    calls = [record for record in of["controller"] if record["logger"] == Calls.__module__]
    (submitted,) = (record for record in calls if record.get("request") == "trace-1.of_a_test")
    assert (submitted["status"], submitted["caller"]) == (201, "this machine")
    assert submitted["message"].startswith("POST /v1/studies 201 in ")
    assert any(record.get("study") == "loud" and record["status"] == 200 for record in calls)
    assert any(record["message"].startswith("GET /studies/loud 200") for record in of["dashboard"])
    told = [record for record in of["worker-1"] if record["logger"].startswith("trial.")]
    assert all(record["study"] == "loud" and isinstance(record["run"], int) for record in told)
    assert len({record["run"] for record in told}) == 3
    words = [record["message"] for record in told]
    for word in ("said\\x1b[2J", "in two lines", "logged", "ü without an end\\xff"):
        assert sum(word in one for one in words) == 3, (word, words)
    assert any("warned of" in one for one in words)
