"""What the Kubernetes manifests promise before any cluster sees them."""

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
import sqlalchemy as sa
import typer.main

from search_spaces import parse_definition
from service.cli.application import application
from service.storage.database.database import Database
from service.storage.studies import studies
from service.webhooks.allowed import NOTHING, SPECIAL
from tests.api.described import description
from tests.storage.queueing import execute
from workers.options import parser as worker_parser

from .conftest import COMPONENTS, FOLDER, Resource

VERSIONS = ["1.33", "1.35", "1.37"]
INSIDE = (
    *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.1.1"),
    *("168.63.129.16", "192.0.0.192", "192.88.99.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::1", "::ffff:10.0.0.1", "fd00::1", "fe80::1", "fec0::1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:a00:1::"),
    *(str(each.network_address + 1) for each in SPECIAL),
)
OURS = ("migrate", "controller", "dashboard", "worker")


def pods(resources: list[Resource]) -> Iterator[tuple[str, dict[str, Any]]]:
    for resource in resources:
        if resource["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield resource["metadata"]["name"], resource["spec"]["template"]["spec"]


def named(resources: list[Resource], kind: str, name: str) -> Resource:
    (found,) = (one for one in resources if (one["kind"], one["metadata"]["name"]) == (kind, name))
    return found


def selects(selector: dict[str, Any], component: str) -> bool:
    """Whether a selector of labels, without expressions, means the pods of this component of ours."""
    labels = {"app.kubernetes.io/name": "pernodedrop", "app.kubernetes.io/component": component}
    return "matchExpressions" not in selector and all(
        labels.get(name) == value for name, value in selector.get("matchLabels", {}).items()
    )


def variables(container: dict[str, Any]) -> set[str]:
    return {one["name"] for one in container["env"]}


def test_every_file_is_part_of_something() -> None:
    named_files = {
        name
        for path in FOLDER.glob("**/kustomization.yaml")
        for name in re.findall(r"^  - (\w+\.yaml)$", path.read_text(), re.MULTILINE)
    }
    assert named_files == {path.name for path in FOLDER.glob("**/*.yaml")} - {"kustomization.yaml"}


@pytest.mark.wide
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("components", [(), ("postgres",), COMPONENTS], ids=lambda names: "+".join(names) or "base")
def test_the_api_of_three_versions_knows_every_field(
    built: Callable[..., list[Resource]], version: str, components: tuple[str, ...]
) -> None:
    import kubernetes_validate

    for resource in built(*components):
        if not resource["apiVersion"].startswith("keda.sh/"):  # KEDA's own kinds are in no schema of Kubernetes
            kubernetes_validate.validate(resource, version, strict=True)


def test_every_pod_is_restricted(resources: list[Resource]) -> None:
    """The Pod Security Standards' profile `restricted`, which the namespace enforces."""
    found = dict(pods(resources))
    assert set(found) == {*OURS, "db"}
    for name, pod in found.items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), name
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            }, name  # fmt: skip
        kinds = {kind for volume in pod["volumes"] for kind in set(volume) - {"name"}}
        assert kinds <= {"emptyDir", "persistentVolumeClaim"}, name


def test_every_container_has_limits_and_a_place_to_write(resources: list[Resource]) -> None:
    for name, pod in pods(resources):
        for container in pod["containers"]:
            assert {"requests", "limits"} == set(container["resources"]), name
            assert "memory" in container["resources"]["limits"], name
            assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}, name


def test_secrets_go_to_those_who_need_them(resources: list[Resource]) -> None:
    of = {name: variables(pod["containers"][0]) for name, pod in pods(resources)}
    assert {name for name, known in of.items() if "PERNODEDROP_API_KEY" in known} == {"controller", "dashboard"}
    assert {name for name, known in of.items() if "DATABASE_URL" in known} == set(OURS)
    texts = [value for one in resources if one["kind"] == "ConfigMap" for value in one["data"].values()]
    assert not any("password" in text.lower() for text in texts)


def test_the_program_has_the_commands_and_options_that_are_given(resources: list[Resource]) -> None:
    group = typer.main.get_command(application)
    for name, pod in pods(resources):
        if name == "db":
            continue
        command, *arguments = pod["containers"][0]["args"]
        if command == "worker":
            worker_parser().parse_args(arguments)
        else:
            made = group.get_command(None, command)  # type: ignore[attr-defined,arg-type]
            assert made is not None, command
            if command == "db":
                assert arguments == ["init"]
                assert "init" in made.commands
            else:
                made.make_parser(made.make_context(command, list(arguments), resilient_parsing=True))


def test_a_worker_has_time_for_its_checkpoint(resources: list[Resource]) -> None:
    for name, pod in pods(resources):
        if name == "worker":
            chosen = worker_parser().parse_args(pod["containers"][0]["args"][1:])
            assert pod["terminationGracePeriodSeconds"] >= chosen.grace + 20


def test_probes_ask_for_what_the_servers_have(resources: list[Resource]) -> None:
    controller = named(resources, "Deployment", "controller")["spec"]["template"]["spec"]["containers"][0]
    dashboard = named(resources, "Deployment", "dashboard")["spec"]["template"]["spec"]["containers"][0]
    asked = {controller[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert asked == {"/v1/ready", "/v1/health"}
    assert {dashboard[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe")} == {"/health"}
    assert asked <= set(description()["paths"])


def test_workers_reach_names_and_the_database_alone(resources: list[Resource]) -> None:
    assert named(resources, "NetworkPolicy", "nothing")["spec"] == {
        "podSelector": {}, "policyTypes": ["Ingress", "Egress"],
    }  # fmt: skip
    leaving = [
        one
        for one in resources
        if one["kind"] == "NetworkPolicy" and "egress" in one["spec"] and selects(one["spec"]["podSelector"], "worker")
    ]
    assert [one["metadata"]["name"] for one in leaving] == ["database"]
    ports = {port["port"] for rule in leaving[0]["spec"]["egress"] for port in rule["ports"]}
    assert ports == {53, 5432}
    (entered,) = named(resources, "NetworkPolicy", "front")["spec"]["podSelector"]["matchExpressions"]
    assert sorted(entered["values"]) == ["controller", "dashboard"]


def test_only_the_component_lets_the_controller_out_to_webhooks_and_never_to_the_inside(
    built: Callable[..., list[Resource]], resources: list[Resource]
) -> None:
    without = [one["metadata"]["name"] for one in built("postgres") if one["kind"] == "NetworkPolicy"]
    assert sorted(without) == ["database", "front", "nothing", "postgres"]
    policy = named(resources, "NetworkPolicy", "webhooks")["spec"]
    assert {name for name in OURS if selects(policy["podSelector"], name)} == {"controller"}
    (rule,) = policy["egress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 443}]
    blocks = [
        (ip_network(one["ipBlock"]["cidr"]), [ip_network(each) for each in one["ipBlock"]["except"]])
        for one in rule["to"]
    ]
    # Kubernetes reads ::ffff:0:0/96 as an IPv4 network, and refuses it beneath ::/0; no packet has such an address.
    assert not any(each.version == 6 and each.network_address.ipv4_mapped for _, but in blocks for each in but)
    for text in (*INSIDE, "93.184.215.14", "2606:2800:21f:cb07::1"):
        goes_out, address = text not in INSIDE, ip_address(text)
        assert NOTHING.admits(text, address) is goes_out, text
        if address.version == 6 and address.ipv4_mapped:
            continue
        out = any(address in network and not any(address in each for each in but) for network, but in blocks)
        assert out is goes_out, text


def test_gpus_are_asked_for_by_their_component_alone(
    built: Callable[..., list[Resource]], resources: list[Resource]
) -> None:
    limits = [
        named(found, "Deployment", "worker")["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
        for found in (built("postgres"), resources)
    ]
    assert "nvidia.com/gpu" not in limits[0]
    assert limits[1]["nvidia.com/gpu"] == 1


def test_the_query_that_scales_counts_what_workers_could_train(resources: list[Resource], database_url: str) -> None:
    scaled = named(resources, "ScaledObject", "worker")["spec"]
    query = scaled["triggers"][0]["metadata"]["query"]
    assert named(resources, "Deployment", scaled["scaleTargetRef"]["name"])["spec"].get("replicas") is None
    with Database.open(database_url) as db:
        definition = {
            "name": "scaled",
            "task": {"name": "digits", "epochs": 1},
            "search_space": {"drop_rate": {"type": "float", "low": 0.1, "high": 0.9}},
            "fixed": {"regularizer": "dropout"},
            "budget": {"trials": 3},
        }
        study = studies.create(db, parse_definition(definition))

        def counted() -> int:
            with db.engine.connect() as connection:
                return int(connection.execute(sa.text(query)).scalar_one())

        assert counted() == 3
        for paused, count in ((1, 3), (2, 2), (3, 1)):  # most paused trials never go on
            execute(db, f"UPDATE fleet.runs SET state = 'paused' WHERE ordinal < {paused} AND study_id = {study.id}")
            assert counted() == count
        for stands in ("external = true", "external = false, state = 'paused'"):  # an own loop's, or nobody's
            with db.engine.begin() as connection:
                connection.execute(sa.text(f"UPDATE fleet.studies SET {stands}"))
            assert counted() == 0
