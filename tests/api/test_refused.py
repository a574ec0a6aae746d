"""While the database refuses every statement, every route and page says so with 503, and all is well afterwards."""

from collections.abc import Iterator, Sequence

import httpx
import pytest
import sqlalchemy as sa

from service.api.app import create_app
from service.dashboard import create_app as create_dashboard
from service.storage.database import connections
from tests.api.configuring import settings_for
from tests.api.fleet import definition_data
from tests.api.serving import served
from tests.api.test_database_down import ROUTES
from tests.refusing import FOR_A_WHILE, RefusingServer

CONFIGURATION = {"params": {"regularizer": "dropout", "drop_rate": 0.1, "units": 32}}
WITH_BODIES = [
    ("POST", "/v1/studies", definition_data("another")),
    ("POST", "/v1/studies/digits-1/trials", CONFIGURATION),
    ("POST", "/v1/studies/digits-1/extend", {"trials": 1}),
    ("POST", "/v1/studies/digits-1/confirmation", {"repeats": 3}),
    ("PATCH", "/v1/studies/digits-1", {"priority": 1}),
]
Order = tuple[str, str, object]
ORDERS: list[Order] = [
    *((method, path, None) for method, path in ROUTES if method == "GET"),
    *(("POST", f"/v1/studies/digits-1/{order}", None) for order in ("pause", "resume", "stop", "trials/0/cancel")),
    ("POST", "/v1/studies/digits-1/confirmation/0/cancel", None),
    ("POST", "/v1/workers/6f1c9d5e-2b0a-4c53-9e64-1f0d2a7b8c31/drain", None),
    *(("GET", f"/v1/studies/digits-1/{part}", None) for part in ("confirmation", "confirmation/0", "examinations")),
    *(("GET", f"/v1/studies/digits-1/{part}", None) for part in ("figures", "methods.md", "confirmation.md")),
    ("DELETE", "/v1/studies/digits-1", None),
    ("GET", "/v1/studies/digits-1/records.csv", None),
    ("GET", "/v1/studies/digits-1/capsule", None),
    *WITH_BODIES,
]
PAGES = ("/studies", "/studies/digits-1", "/api/studies", "/api/studies/1?after=0")


@pytest.fixture
def server(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[RefusingServer]:
    monkeypatch.setattr(connections, "FULL_S", 0.0)
    with RefusingServer(database_url) as server:
        yield server


def _expect_refusals(
    server: RefusingServer, client: httpx.Client, pages: str, codes: Sequence[str], orders: Sequence[Order]
) -> None:
    for code in codes:
        server.refuse(code)
        for method, path, body in orders:
            before = server.refused
            response = client.request(method, path, json=body)
            assert response.status_code == 503, (code, method, path, response.text)
            assert response.headers["Retry-After"] == "5"
            assert "\n" not in response.json()["message"]
            assert server.refused > before, (method, path)
        for page in PAGES:
            response = httpx.get(pages + page, timeout=60)
            assert response.status_code == 503, (code, page, response.text)
            assert FOR_A_WHILE[code] not in response.text
        server.relent()
        assert client.get("/v1/ready").status_code == 200
        assert client.get("/v1/studies/digits-1").json()["state"] == "running"
        assert client.get("/v1/studies").json()["total"] == 1
        assert httpx.get(f"{pages}/api/studies", timeout=60).status_code == 200


def _expect_all(server: RefusingServer, codes: Sequence[str], orders: Sequence[Order]) -> None:
    settings = settings_for(server.url)
    with (
        served(create_app(settings)) as address,
        served(create_dashboard(settings)) as pages,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        assert client.post("/v1/studies", json=definition_data()).status_code == 201
        _expect_refusals(server, client, pages, codes, orders)


def test_a_database_that_refuses_is_away(server: RefusingServer) -> None:
    _expect_all(server, ("57P01",), ORDERS[::4])


@pytest.mark.wide
def test_a_database_that_refuses_for_whatever_reason_is_away(server: RefusingServer) -> None:
    _expect_all(server, tuple(FOR_A_WHILE), ORDERS)


def test_a_read_only_database_is_read_and_not_ready(database_url: str, postgres_url: str) -> None:
    name = sa.make_url(database_url).database
    owner = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with (
        served(create_app(settings_for(database_url))) as address,
        httpx.Client(base_url=address, timeout=60) as client,
        owner.connect() as server,
    ):
        assert client.post("/v1/studies", json=definition_data()).status_code == 201
        server.execute(sa.text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
        end = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
        server.execute(sa.text(end))
        ready = client.get("/v1/ready")
        assert (ready.status_code, ready.json()["message"]) == (503, "the database is read-only: try again shortly")
        assert client.get("/v1/studies/digits-1").status_code == 200
        changes: set[str | bool] = set()
        for method, path, body in ORDERS:
            if method != "GET":
                response = client.request(method, path, json=body)
                # What can be refused from what is read is refused as ever: there is no such trial, nothing to resume.
                assert response.status_code in (404, 409, 503), (method, path, response.text)
                changes.add(response.status_code == 503 and path)
        assert {"/v1/studies", "/v1/studies/digits-1", "/v1/studies/digits-1/pause"} <= changes
        server.execute(sa.text(f"ALTER DATABASE {name} RESET default_transaction_read_only"))
        server.execute(sa.text(end))
        assert client.get("/v1/ready").status_code == 200
    owner.dispose()
