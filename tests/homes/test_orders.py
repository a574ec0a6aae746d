"""Every order on the studies of every earlier schema: it is obeyed or refused in words, and the books stay exact."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from service.api.app import create_app
from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import Lease
from service.storage.runs import claiming, holding
from service.storage.runs.expiry import expire
from tests.api.configuring import settings_for
from tests.api.serving import served
from tests.homes.conftest import Home
from tests.homes.stored import SCHEMAS
from tests.storage.queueing import pass_time

Order = Callable[[httpx.Client, str], list[httpx.Response]]
REFUSED = (404, 409, 422)
history_begins = import_module("service.storage.migrations.versions.0010_history_begins")


def post(what: str, body: Any = None) -> Order:
    return lambda api, name: [api.post(f"/v1/studies/{name}{what}", json=body)]


def get(what: str) -> Order:
    return lambda api, name: [api.get(f"/v1/studies/{name}{what}")]


def each_trial(what: str, method: str = "POST") -> Order:
    """The order for every trial of the search and every run of the confirmation."""

    def give(api: httpx.Client, name: str) -> list[httpx.Response]:
        search = api.get(f"/v1/studies/{name}/trials").json()["trials"]
        numbers = [f"trials/{one['number']}" for one in search if one["number"] is not None]
        places = range(len(api.get(f"/v1/studies/{name}/confirmation").json()["trials"]))
        paths = [*numbers, *(f"confirmation/{place}" for place in places)]
        return [api.request(method, f"/v1/studies/{name}/{path}{what}") for path in paths]

    return give


def like(api: httpx.Client, name: str, **changes: Any) -> list[httpx.Response]:
    """Submit the study's definition again, as `submit --like` does."""
    definition = api.get(f"/v1/studies/{name}").json()["definition"]
    return [api.post("/v1/studies", json={**definition, "name": f"{name}-again", "start_from": None, **changes})]


ORDERS: dict[str, Order] = {
    "show": get(""),
    "trials": get("/trials"),
    "trial": each_trial("", "GET"),
    "best": get("/best"),
    "report": get("/report"),
    "records": get("/records.csv"),
    "capsule": get("/capsule"),
    "examinations": get("/examinations"),
    "prioritize": lambda api, name: [api.patch(f"/v1/studies/{name}", json={"priority": 5})],
    "pause": post("/pause"),
    "resume": post("/resume"),
    "extend": post("/extend", {"trials": 2}),
    "enqueue": post("/trials", {"params": {"regularizer": "dropout", "drop_rate": 0.4}}),
    "confirm": post("/confirmation", {"repeats": 3}),
    "confirm until decided": post("/confirmation", {"until": "decided", "repeats": 2, "most_repeats": 4}),
    "cancel": each_trial("/cancel"),
    "submit --like": like,
    "start_from": lambda api, name: like(api, name, start_from=name),
    "stop": post("/stop"),
    "delete": lambda api, name: [api.delete(f"/v1/studies/{name}")],
}
READING = ("show", "trials", "trial", "report", "records", "capsule", "examinations")


@contextmanager
def controller(db: Database) -> Iterator[httpx.Client]:
    with served(create_app(settings_for(db.url))) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


def names_of(api: httpx.Client) -> list[str]:
    return [study["name"] for study in api.get("/v1/studies").json()["studies"]]


def assert_answered(answers: list[httpx.Response], order: str) -> None:
    for answer in answers:
        assert answer.is_success or (order not in READING and answer.status_code in REFUSED), (order, answer.text)
        if answer.status_code in REFUSED:
            assert answer.json()["message"]


def everything(db: Database) -> list[Lease]:
    """All runs that can be had, each leased by a worker of its own."""
    leases = iter(lambda: claiming.claim(db, workers.register(db, "host", 1, "cpu"), 60), None)
    return [lease for lease in leases if lease is not None]


@pytest.mark.wide
@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_order_on_every_study_of_every_schema(home: Home, schema: str) -> None:
    for order, give in ORDERS.items():
        db = home(schema)
        with controller(db) as api:
            for name in names_of(api):
                assert_answered(give(api, name), order)
        expire(db)  # as every live worker does: it ends Optuna's trials of runs that were cancelled while they waited
        assert audit(db) == [], order


@pytest.mark.parametrize("schema", SCHEMAS[:1])
def test_one_order_after_another_on_a_home_of_the_first_release(home: Home, schema: str) -> None:
    """Each study has another order as its first one."""
    db = home(schema)
    studies = ("killed", "complete", "handed-back", "fixed")
    orders = [order for order in ORDERS if order not in ("stop", "delete", "report", "capsule")]
    with controller(db) as api:
        assert set(studies) < set(names_of(api))
        for place, name in enumerate(studies):
            turn = (5 * place) % len(orders)
            for order in [*orders[turn:], *orders[:turn], "stop"]:
                assert_answered(ORDERS[order](api, name), order)
        expire(db)
        assert audit(db) == []
        for name in studies:
            assert_answered(ORDERS["delete"](api, name), "delete")
    assert audit(db) == []


@pytest.mark.parametrize(
    "schema", [SCHEMAS[0], *(pytest.param(schema, marks=pytest.mark.wide) for schema in SCHEMAS[1:])]
)
def test_runs_that_were_in_training_are_taken_over_and_handed_back(home: Home, schema: str) -> None:
    """A run's history goes on from where an earlier release left it."""
    db = home(schema)
    assert audit(db) == []
    pass_time(db, 10_000_000)
    taken = everything(db)
    again = [lease for lease in taken if lease.token > 1]
    assert len(again) >= 3
    assert audit(db) == []
    for lease in taken:
        holding.hand_back(db, lease)
    assert audit(db) == []
    assert everything(db)
    pass_time(db, 10_000_000)
    expire(db)
    assert audit(db) == []


def test_a_database_that_was_upgraded_before_learns_where_its_runs_began(home: Home) -> None:
    """Of a run that has changed since, the first change tells where it stood."""
    db = home(SCHEMAS[0])
    pass_time(db, 10_000_000)
    assert everything(db)
    with db.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM fleet.run_history WHERE id < 0"))
    assert "a run goes a legal path" in {finding.rule for finding in audit(db)}
    with db.engine.begin() as connection:
        connection.execute(sa.text(history_begins._CHANGED))
    assert audit(db) == []
