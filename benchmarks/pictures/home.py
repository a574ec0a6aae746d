"""A home with studies in every state, made by the real service: what the pictures show."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from pernodedrop.client import Client, Study

ROOT = Path(__file__).parents[2]
TASKS = Path(__file__).parent / "tasks"
READY = "Ctrl-C stops it"
PATIENCE_S = 900.0
FIRST = 5  # complete trials of the study that goes on
NOTE = "Asked for by the reading group.\nIs <b>noise</b> worth its epochs? See p. 7 & the table."

VARIANTS = {
    "regularizer": {"type": "categorical", "choices": ["dropout", "gaussian_dropout", "pernodedrop"]},
    "stir_type": {"type": "categorical", "choices": ["bernoulli", "gaussian"], "when": {"regularizer": "pernodedrop"}},
    "drop_rate": {"type": "float", "low": 0.0, "high": 0.8, "step": 0.1},
    "units": {"type": "categorical", "choices": [32, 64, 128]},
}
FIXED = {"learning_rate": 0.002, "batch_size": 64}


def study(name: str, epochs: int, trials: int, **fields: Any) -> dict[str, Any]:
    """A definition on the digits."""
    made = {
        "name": name,
        "task": {"name": "digits", "epochs": epochs},
        "search_space": VARIANTS,
        "fixed": FIXED,
        "seed": 7,
        "budget": {"trials": trials},
    }
    return made | fields


COMPLETE = study(
    "noise-for-digits",
    10,
    36,
    description="Which noise suits a small network on the digits?",
    confirmation={"top": 1, "repeats": 5},
)
RIVAL = study(
    "noise-for-digits-wide",
    8,
    16,
    description="The same question, with wider layers.",
    search_space=VARIANTS | {"units": {"type": "categorical", "choices": [128, 256]}},
)
TWO_OBJECTIVES = study(
    "loss-and-size",
    6,
    18,
    description="What does a smaller loss cost in parameters?",
    objectives=[{"metric": "val_loss", "direction": "minimize"}, {"metric": "val_accuracy", "direction": "maximize"}],
    sampler={"name": "nsgaii"},
    pruner={"name": "none"},
)
FAILING = study(
    "wines-steep",
    12,
    14,
    description="Steep steps on a small table; some of them fail.",
    task={"name": "unsteady:Wines", "epochs": 12},
    search_space=VARIANTS | {"learning_rate": {"type": "float", "low": 0.001, "high": 0.2, "log": True}},
    fixed={"batch_size": 16},
    sampler={"name": "random", "seed": 3},
)
ALL_FAIL = study(
    "wines-too-steep",
    12,
    8,
    task={"name": "unsteady:Wines", "epochs": 12},
    search_space=VARIANTS | {"learning_rate": {"type": "float", "low": 0.06, "high": 0.2, "log": True}},
    fixed={"batch_size": 16},
)
OWN_LOOP = study("my-own-loop", 5, 6, task={"name": "external", "epochs": 5}, fixed={"head": "linear"})
EMPTY = study("an.empty_study-whose-name-is-as-long-as-a-name-of-a-study-may-b", 5, 50)
RUNNING = study(
    "long-search",
    40,
    200,
    description="A search that is at work while you look.",
    confirmation={"top": 1, "repeats": 5, "until": "decided", "most_repeats": 20, "indifference": 0.005},
)


@contextmanager
def serving(home: Path, workers: int = 2) -> Iterator[tuple[str, str]]:
    """The addresses of a controller and a dashboard of their own, with that many workers."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PERNODEDROP_")}
    environment.pop("DATABASE_URL", None)
    environment |= {"PERNODEDROP_TASKS": str(TASKS), "PERNODEDROP_HOME": str(home)}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    ports = ["--port", str(_free_port()), "--dashboard-port", str(_free_port())]
    command = [sys.executable, "-m", "service.cli", "serve", "--home", str(home), "--workers", str(workers), *ports]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE)
    try:
        yield _addresses(process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(120)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _addresses(process: "subprocess.Popen[str]") -> tuple[str, str]:
    found: dict[str, str] = {}
    assert process.stdout is not None
    for line in process.stdout:
        words = line.split()
        if line.startswith("API  "):
            found["controller"] = words[1].removesuffix("/v1")
        if line.startswith("dashboard  "):
            found["dashboard"] = words[1]
        if READY in line:
            return found["controller"], found["dashboard"]
    raise OSError("the service did not start: try `pernodedrop serve` by hand")


def fill(client: Client) -> None:
    """Submit the studies and wait for those that end; one goes on, one is paused, one has nothing."""
    client.submit(EMPTY).pause()
    ended = [client.submit(definition) for definition in (COMPLETE, RIVAL, TWO_OBJECTIVES, FAILING, ALL_FAIL)]
    asked = {"tags": ["digits", "paper"], "note": NOTE}
    httpx.patch(f"{client.url}/v1/studies/{COMPLETE['name']}", json=asked, timeout=60).raise_for_status()
    _own_loop(client.submit(OWN_LOOP))
    for one in ended:
        until(lambda one=one: one.state != "running")  # type: ignore[misc]
    # In training while the pictures are taken, and long enough for them.
    client.submit(RUNNING)
    until(lambda: len(client.study(RUNNING["name"]).trials("complete")) > FIRST)


def _own_loop(study: Study) -> None:
    """Half of the own loop's runs, by a formula in place of a training."""
    for done, trial in enumerate(study.trials_to_train(), start=1):
        for epoch in trial.epochs():
            trial.report(val_loss=(trial.params["drop_rate"] - 0.3) ** 2 + 1 / (epoch + 2))
        if done == OWN_LOOP["budget"]["trials"] // 2:
            break


def until(condition: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    """Wait until the condition holds. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing came of it in {seconds:.0f} s")
        time.sleep(0.5)


@dataclass(frozen=True)
class Page:
    """A page of the dashboard."""

    path: str  # below its root
    at: str | None = None  # the heading that it begins with


def pages(client: Client) -> dict[str, Page]:
    """The pages to take pictures of, by name, of a service that `fill` has filled."""
    complete, failing = f"studies/{COMPLETE['name']}", f"studies/{FAILING['name']}"
    failed = client.study(FAILING["name"]).trials("failed")[0].number
    return {
        "studies": Page("studies"),
        "live": Page(f"studies/{RUNNING['name']}"),
        "report": Page(complete, at="What can be concluded"),
        "curves": Page(complete, at="Learning curves"),
        "trials": Page(f"{complete}/trials"),
        "run": Page(f"{complete}/trials/3"),
        "log": Page(f"{failing}/trials/{failed}", at="Attempts"),
        "compare": Page(f"compare?study={COMPLETE['name']}&study={RIVAL['name']}"),
        "submit": Page("submit"),
        "fleet": Page("fleet"),
        "access": Page("access"),
    }
