"""What each extra brings is enough for its part, and what it does not bring is said in one line."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from search_spaces import parse_definition
from service.storage.database.database import Database
from service.storage.studies import studies, trials
from tests.installation.environments import Environment, linked

pytestmark = [pytest.mark.timeout(900), pytest.mark.wide]

COMMAND = ("-c", "import sys; from pernodedrop.command import main; sys.exit(main())")
# Optuna's Gaussian process is built on torch: only who asks for a suggestion, a worker, imports it.
EVERY_MODULE = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    for module in pkgutil.walk_packages(importlib.import_module(name).__path__, name + "."):
        if "migrations" not in module.name and not module.name.endswith(("__main__", "optuna.gaussian")):
            importlib.import_module(module.name)
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """As the image of controller and dashboard: without the layers' torch and numba."""
    return linked(tmp_path_factory.mktemp("service"), "service", "export")


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """As the image of the workers."""
    return linked(tmp_path_factory.mktemp("worker"), "layers", "worker")


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    with Database.open(database_url) as database:
        yield database


def study_of(db: Database, task: str) -> str:
    """A study of one trial of one epoch waits in the database."""
    study = {"name": task, "task": {"name": task, "epochs": 1}, "sampler": {"name": "random"}, "budget": {"trials": 1}}
    search_space = {"learning_rate": {"type": "float", "low": 0.001, "high": 0.01}}
    studies.create(db, parse_definition({**study, "search_space": search_space}))
    return task


def test_the_extras_of_service_and_export_are_enough_for_the_service(service: Environment) -> None:
    assert not {"torch", "numba", "librosa"} & service.installed()
    done = service.python("-W", "error", "-c", EVERY_MODULE, "search_spaces", "service")
    assert (done.stderr, done.returncode) == ("", 0)


def test_the_extra_worker_is_enough_for_workers(worker: Environment) -> None:
    assert not {"fastapi", "typer", "plotly"} & worker.installed()
    done = worker.python("-c", EVERY_MODULE, "pernodedrop.layers", "search_spaces", "workers", "service.storage")
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_worker_trains_without_the_service(worker: Environment, db: Database, tmp_path: Path) -> None:
    name = study_of(db, "digits")
    home = {"DATABASE_URL": db.url, "PERNODEDROP_HOME": str(tmp_path)}
    done = worker.python(*COMMAND, "worker", "--device", "cpu", "--exit-when-idle", **home)
    assert done.returncode == 0, done.stderr
    [trial] = trials.page(db, studies.get(db, name))
    assert trial.state == "complete", trial.reason


@pytest.mark.parametrize(("task", "package"), [("digits", "scikit-learn"), ("speech_commands", "librosa")])
def test_a_task_without_its_library_says_which_extra_has_it(
    db: Database, tmp_path: Path, task: str, package: str
) -> None:
    lacking = linked(tmp_path / "environment", "layers", "worker", without=frozenset({package}))
    name = study_of(db, task)
    home = {"DATABASE_URL": db.url, "PERNODEDROP_HOME": str(tmp_path)}
    lacking.python(*COMMAND, "worker", "--device", "cpu", "--exit-when-idle", **home)
    [trial] = trials.page(db, studies.get(db, name))
    assert trial.state == "failed"
    assert re.fullmatch(
        rf"MissingPackage: the task {task} needs \w+, which is not installed here: "
        r"pip install 'pernodedrop\[worker\]'",
        trial.reason or "",
    )


def test_a_worker_knows_no_other_command(worker: Environment) -> None:
    done = worker.python(*COMMAND, "serve")
    assert (done.stdout, done.returncode) == ("", 1)
    assert re.fullmatch(
        r"error: service\.cli needs typer, which is not installed here: pip install 'pernodedrop\[service\]'\n",
        done.stderr,
    )


def test_a_service_starts_no_workers_without_their_extra(service: Environment, tmp_path: Path) -> None:
    done = service.python(*COMMAND, "serve", "--home", str(tmp_path / "home"))
    assert (done.stdout, done.returncode) == ("", 1)
    assert re.fullmatch(
        r"error: a worker needs \w+, which is not installed here: pip install 'pernodedrop\[worker\]'\n", done.stderr
    )
    assert not (tmp_path / "home").exists()


def test_a_checkout_that_was_never_installed_serves(
    service: Environment, db: Database, unused_port: int, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{unused_port}"
    command = [service.folder / "bin/python", *COMMAND, "controller", "--port", str(unused_port)]
    process = subprocess.Popen(command, env={"DATABASE_URL": db.url}, cwd=tmp_path)
    try:
        deadline = time.monotonic() + 60
        while not _is_ready(url):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.1)
        assert httpx.get(f"{url}/openapi.json").json()["info"]["version"] == "0+unknown"
    finally:
        process.terminate()
        process.wait()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v1/ready").is_success
    except httpx.TransportError:
        return False
