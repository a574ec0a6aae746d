"""What the files promise before anything runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from .commands import CommandFailed
from .fleet import COMPOSE_FILE, GPU_OVERLAY, Fleet

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1200)]

PROGRAM = ["init", "controller", "dashboard", "worker"]


def merged(project: Fleet, **changed: str) -> dict[str, Any]:
    return json.loads(project.compose("config", "--format", "json", files=(COMPOSE_FILE, GPU_OVERLAY), **changed))


def services(project: Fleet) -> dict[str, Any]:
    return json.loads(project.compose("config", "--format", "json"))["services"]


@pytest.mark.parametrize("name", ["PERNODEDROP_API_KEY", "POSTGRES_PASSWORD"])
def test_nothing_starts_without_its_secrets(project: Fleet, name: str) -> None:
    with pytest.raises(CommandFailed, match=rf"set {name} in \.env \(see \.env\.example\)"):
        project.compose("config", **{name: ""})


def test_controller_and_dashboard_alone_are_published_and_on_loopback(project: Fleet) -> None:
    published = {name: service["ports"] for name, service in services(project).items() if "ports" in service}
    assert set(published) == {"controller", "dashboard"}
    assert {port["host_ip"] for ports in published.values() for port in ports} == {"127.0.0.1"}


def test_secrets_go_to_those_who_need_them(project: Fleet) -> None:
    environments = {name: service["environment"] for name, service in services(project).items()}
    assert {name for name, variables in environments.items() if "PERNODEDROP_API_KEY" in variables} == {
        "controller",
        "dashboard",
    }
    assert {name for name, variables in environments.items() if "POSTGRES_PASSWORD" in variables} == {"db"}


def test_the_profile_monitoring_is_pinned_confined_on_loopback_and_has_one_key(project: Fleet) -> None:
    found = json.loads(project.compose("--profile", "monitoring", "config", "--format", "json"))
    assert set(found["services"]) - set(services(project)) == {"prometheus", "grafana"}
    for name in ("prometheus", "grafana"):
        service = found["services"][name]
        assert "@sha256:" in service["image"], name
        assert {port["host_ip"] for port in service["ports"]} == {"127.0.0.1"}, name
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
        assert int(service["mem_limit"]) > 0, name
        for volume in service["volumes"]:
            if volume["type"] == "bind":
                assert volume["read_only"] is True, volume
                assert Path(volume["source"]).exists(), volume
    having = {name for name, service in found["services"].items() if "secrets" in service}
    assert having == {"prometheus"}
    assert "PERNODEDROP_API_KEY" not in json.dumps([found["services"][name] for name in ("prometheus", "grafana")])


@pytest.mark.parametrize("offline", [True, False])
def test_workers_have_no_way_out_unless_they_are_let_out(project: Fleet, offline: bool) -> None:
    changed = {} if offline else {"PERNODEDROP_WORKERS_OFFLINE": "false"}
    found = json.loads(project.compose("config", "--format", "json", **changed))
    networks = found["services"]["worker"]["networks"]
    assert {name: found["networks"][name].get("internal", False) for name in networks} == {
        "database": True, "workers": offline,
    }  # fmt: skip


def test_every_container_has_limits(project: Fleet) -> None:
    for name, service in services(project).items():
        assert int(service["mem_limit"]) > 0, name
        assert service["pids_limit"] > 0, name


def test_the_list_of_task_modules_reaches_controller_and_workers(project: Fleet) -> None:
    found = json.loads(project.compose("config", "--format", "json", PERNODEDROP_TASK_MODULES="mylab"))["services"]
    for name in ("controller", "worker"):
        assert found[name]["environment"]["PERNODEDROP_TASK_MODULES"] == "mylab"


def test_workers_alone_have_the_folder_of_tasks_and_cannot_write_it(project: Fleet) -> None:
    found = json.loads(project.compose("config", "--format", "json", PERNODEDROP_TASKS_VOLUME="./mine"))["services"]
    assert found["worker"]["environment"]["PERNODEDROP_TASKS"] == "/tasks"
    mounted = [(name, one) for name in PROGRAM for one in found[name].get("volumes", ()) if one["target"] == "/tasks"]
    [(name, volume)] = mounted
    assert (name, volume["type"], volume["read_only"]) == ("worker", "bind", True)


def test_the_gpu_overlay_reserves_gpus_for_workers_and_builds_cuda(project: Fleet) -> None:
    found = merged(project)["services"]
    assert found["worker"]["build"]["args"]["TORCH_INDEX_URL"] == ""
    assert found["worker"]["image"] == f"pernodedrop-worker-cuda:{project.project}"
    assert {found[name]["image"] for name in PROGRAM if name != "worker"} == {f"pernodedrop:{project.project}"}
    reserving = {
        name: service
        for name, service in found.items()
        if "reservations" in service.get("deploy", {}).get("resources", {})
    }
    assert set(reserving) == {"worker"}
    (device,) = reserving["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"], device["count"]) == ("nvidia", ["gpu"], -1)  # -1: all


def test_the_gpu_overlay_takes_another_cuda_and_a_number_of_gpus(project: Fleet) -> None:
    found = merged(project, GPU_TORCH_INDEX_URL="https://wheels.example.org/cu126", PERNODEDROP_GPUS="2")["services"]
    assert found["worker"]["build"]["args"]["TORCH_INDEX_URL"] == "https://wheels.example.org/cu126"
    assert found["worker"]["deploy"]["resources"]["reservations"]["devices"][0]["count"] == 2


def test_the_gpu_overlay_leaves_the_rest_as_it_is(project: Fleet) -> None:
    plain, found = services(project), merged(project)["services"]
    assert found["db"] == plain["db"]
    assert found["worker"]["command"].pop() == "auto"  # slots: a GPU bears several trials
    assert plain["worker"]["command"].pop() == "1"
    for name in PROGRAM:
        for key in (
            "command",
            "environment",
            "healthcheck",
            "ports",
            "cap_drop",
            "security_opt",
            "volumes",
            "networks",
        ):
            assert found[name].get(key) == plain[name].get(key), (name, key)
