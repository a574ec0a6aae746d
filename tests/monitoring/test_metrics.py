"""What Prometheus reads: of the controller, the dashboard and a worker, parsed by Prometheus' own library."""

import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from search_spaces import parse_definition
from service.api.app import create_app
from service.dashboard import create_app as create_dashboard
from service.storage.database.database import Database
from service.storage.fleet.monitoring import Watch
from service.storage.states import RunState
from service.storage.studies import studies
from service.web.metrics import fleet
from tests.api.configuring import NO_DATABASE, settings_for
from tests.api.fleet import definition_data, work
from tests.api.serving import served
from tests.workers.conftest import StartWorker, db, finished, own_study, start_worker, until

__all__ = ["db", "start_worker"]

KEY = "a key that is long enough"
REQUESTS = "pernodedrop_http_requests_total"
DEPLOY = Path(__file__).parents[2] / "deploy"
GRAFANA, RULES = DEPLOY / "grafana" / "pernodedrop.json", DEPLOY / "prometheus" / "rules.yml"
OTHERS_END = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
Labels = tuple[tuple[str, str], ...]


def scraped(address: str, **headers: str) -> dict[tuple[str, Labels], float]:
    answer = httpx.get(f"{address}/metrics", headers=headers, timeout=60).raise_for_status()
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def names(metrics: dict[tuple[str, Labels], float]) -> set[str]:
    return {name for name, _ in metrics}


def test_what_happens_is_counted_once_and_from_the_first_look_on(db: Database) -> None:
    study = studies.create(db, parse_definition(definition_data(trials=4)))
    work(db, study, limit=1)
    watch = Watch()
    assert (watch.look(db).claims, watch.look(db).epochs) == (0, 0)
    work(db, study, {2: RunState.FAILED, 3: RunState.PRUNED})
    for _ in range(2):
        seen = watch.look(db)
        assert (seen.claims, seen.epochs, seen.leases_lost) == (3, 12, 0)
        assert seen.failures == {"not_finite": 1}
        assert dict(seen.ended) == {"complete": 1, "pruned": 1, "failed": 1, "cancelled": 0}


def test_the_controller_tells_of_the_fleet_and_of_its_requests(database_url: str, db: Database) -> None:
    studies.create(db, parse_definition(definition_data("one", 5)))
    with served(create_app(settings_for(database_url))) as address:
        httpx.get(f"{address}/v1/studies/one").raise_for_status()
        assert httpx.get(f"{address}/nowhere/{'x' * 40}").status_code == 404
        found = scraped(address)
    assert found["pernodedrop_runs", (("state", "waiting"), ("study", "one"))] == 5
    requests = {labels: value for (name, labels), value in found.items() if name == "pernodedrop_http_requests_total"}
    routes = {dict(labels)["route"]: dict(labels)["status"] for labels in requests}
    assert any(route.endswith("/studies/{name}") and status == "200" for route, status in routes.items()), routes
    assert not any("x" * 40 in route for route in routes)
    assert (found["pernodedrop_database_up", ()], found["pernodedrop_database_writable", ()]) == (1, 1)
    assert found["pernodedrop_database_statement_duration_seconds_count", ()] > 0


def test_every_look_under_load_can_be_parsed_and_no_counter_goes_back(database_url: str, db: Database) -> None:
    study = studies.create(db, parse_definition(definition_data("one", 12)))
    settings = settings_for(database_url)
    with (
        served(create_app(settings)) as controller,
        served(create_dashboard(settings)) as dashboard,
        ThreadPoolExecutor(8) as pool,
    ):

        def called(number: int) -> dict[tuple[str, Labels], float]:
            address, path = (controller, "/v1/studies/one") if number % 2 else (dashboard, "/studies/one")
            httpx.get(f"{address}{path}", timeout=60).raise_for_status()
            return scraped(address)

        working = pool.submit(work, db, study)
        looks = list(pool.map(called, range(40)))
        working.result()
        last = scraped(controller), scraped(dashboard)
    for number, look in enumerate(looks):
        final = last[0] if number % 2 else last[1]
        counters = {key: value for key, value in look.items() if key[0].endswith(("_total", "_count", "_bucket"))}
        assert counters
        assert {key for key, value in counters.items() if final.get(key, -1.0) < value} == set()
    requests = [(dict(labels)["route"], value) for (name, labels), value in last[0].items() if name == REQUESTS]
    assert sum(value for route, value in requests if route.endswith("/studies/{name}")) == 20


def test_without_the_database_the_metrics_say_so() -> None:
    with served(create_app(settings_for(NO_DATABASE))) as address:
        found = scraped(address)
        assert (found["pernodedrop_database_up", ()], found["pernodedrop_database_writable", ()]) == (0, 0)


def test_a_database_that_takes_no_writes_is_up_and_not_writable(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "KEPT_S", 0.0)
    with served(create_app(settings_for(database_url))) as address:
        assert scraped(address)["pernodedrop_database_writable", ()] == 1
        name = sa.make_url(database_url).database
        for value, writable in (("on", 0), ("off", 1)):
            with Database.open(database_url) as db, db.single() as connection:
                connection.execute(sa.text("SET default_transaction_read_only = off"))
                connection.execute(sa.text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {value}'))
                connection.execute(sa.text(OTHERS_END))  # a session keeps the setting that it began with
            found = scraped(address)
            assert (found["pernodedrop_database_up", ()], found["pernodedrop_database_writable", ()]) == (1, writable)


@pytest.mark.parametrize("create", [create_app, create_dashboard])
def test_where_a_key_is_the_metrics_take_it(database_url: str, create: object) -> None:
    with served(create(settings_for(database_url, api_key=KEY))) as address:  # type: ignore[operator]
        assert httpx.get(f"{address}/metrics").status_code == 401
        assert "process_cpu_seconds_total" in names(scraped(address, Authorization=f"Bearer {KEY}"))
        assert httpx.get(f"{address}/metrics", headers={"X-API-Key": "another key, as long"}).status_code == 401


def test_a_worker_tells_what_it_does_and_grafana_and_the_alerts_ask_for_what_there_is(
    database_url: str, db: Database, start_worker: StartWorker
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    studies.create(db, own_study("told", trials=2, epochs=3))
    start_worker("--metrics-port", str(port))
    until(finished(db, "told"))
    address = f"http://127.0.0.1:{port}"
    until(lambda: scraped(address)["pernodedrop_worker_runs_total", (("state", "complete"),)] == 2)
    found = scraped(address)
    assert found["pernodedrop_worker_claims_total", ()] == 2
    assert found["pernodedrop_worker_epochs_total", ()] == 6
    assert found["pernodedrop_worker_ask_duration_seconds_count", ()] == 2
    studies.create(db, own_study("waits", trials=500))
    studies.set_state(db, "waits", "paused")  # an open study, of which no run begins
    with served(create_app(settings_for(database_url))) as controller:
        httpx.get(f"{controller}/v1/health")
        there = names(found) | names(scraped(controller))
    panels = json.loads(GRAFANA.read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    expressions += re.findall(r"expr: (.*)", RULES.read_text())
    asked = {name for expression in expressions for name in re.findall(r"\bpernodedrop_\w+", expression)}
    assert len(asked) > 8
    assert asked <= there, asked - there
