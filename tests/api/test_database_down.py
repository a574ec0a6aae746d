"""While the database is away the controller lives, says so, and is back when the database is."""

import logging
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import psycopg2
import pytest

from service.api import housekeeping
from service.api.app import create_app
from service.api.housekeeping import Housekeeping
from service.dashboard import create_app as create_dashboard
from service.storage.database import database
from service.storage.database.database import Database
from service.storage.embedded import EmbeddedPostgres
from service.web import absence
from tests.api.configuring import NO_DATABASE, settings_for
from tests.api.fleet import definition_data
from tests.api.serving import served

DEADLOCK = "deadlock detected"
ROUTES = [
    ("GET", "/v1/ready"),
    ("POST", "/v1/studies"),
    ("GET", "/v1/studies"),
    ("GET", "/v1/studies/digits-1"),
    ("DELETE", "/v1/studies/digits-1"),
    ("POST", "/v1/studies/digits-1/pause"),
    ("GET", "/v1/studies/digits-1/trials"),
    ("GET", "/v1/studies/digits-1/trials/0"),
    ("GET", "/v1/studies/digits-1/best"),
    ("GET", "/v1/studies/digits-1/ranking"),
    ("GET", "/v1/studies/digits-1/report"),
    ("GET", "/v1/workers"),
]

PAGES = (
    "/studies",
    "/studies/digits-1",
    "/studies/digits-1/trials",
    "/studies/digits-1/trials/0",
    "/studies/digits-1/nonsense",
    "/fleet",
    "/compare",
    "/dashboard",
    "/dashboard/studies/1",
    "/api/studies",
    "/csv/1",
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that a server of another user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="pernodedrop-down-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


class Refused(psycopg2.Error):
    """An error of the server with a SQLSTATE, which only psycopg2 itself can give its own."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self._code = code

    @property
    def pgcode(self) -> str:
        return self._code


def test_a_controller_that_nobody_asks_says_once_that_its_database_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(housekeeping, "LOOK_S", 0.05)
    with Database.open(NO_DATABASE, 1) as away, Housekeeping(away, timedelta(0)):
        time.sleep(1)
    [said] = [one.getMessage() for one in caplog.records if one.name == housekeeping.__name__]
    assert said.startswith("the database does not answer: ")
    assert said.endswith("; calls that need it are answered 503 until it works")


def test_a_dashboard_that_nobody_asks_says_once_that_its_database_is_away_and_once_that_it_is_back(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(absence, "LOOK_S", 0.05)
    with served(create_dashboard(settings_for(NO_DATABASE))):
        time.sleep(1)
    [said] = [one.getMessage() for one in caplog.records if one.name == "service.dashboard.app"]
    assert said.startswith("the database does not answer ")
    assert said.endswith("; pages that need it are answered 503 until it works")
    caplog.clear()
    found = absence.Absence(logging.getLogger("dashboard"), "pages are answered 503")
    with Database.open(NO_DATABASE, 1) as away, Database.open(database_url, 1) as there:
        for db in (there, away, away, there, there):
            with absence.Attendance(db, found):
                time.sleep(0.5)
    assert [one.levelname for one in caplog.records if one.name == "dashboard"] == ["WARNING", "INFO"]


def test_what_passes_by_itself_is_not_said_and_a_full_disk_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(housekeeping, "LOOK_S", 0.01)
    looks = iter([DEADLOCK, *(f"could not extend file base/{n}" for n in range(4))])
    done = threading.Event()

    def refused(*_: object) -> tuple[int, bool]:
        said = next(looks, None)
        if said is None:
            done.set()
            return 0, False
        raise Refused(said, "40P01" if said == DEADLOCK else "53100")

    monkeypatch.setattr(housekeeping, "tidy", refused)
    with Database.open(database_url, 1) as db, Housekeeping(db, timedelta(0)):
        assert done.wait(30)
    warned = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert [one for one in warned if "base/" in one] == warned == warned[:1]
    assert warned[0].startswith("the database has a full disk: could not extend file base/0 ")


def _expect_unavailable(client: httpx.Client) -> None:
    for method, path in ROUTES:
        json = definition_data() if (method, path) == ("POST", "/v1/studies") else None
        response = client.request(method, path, json=json)
        assert response.status_code == 503, (method, path, response.text)
        assert response.headers["Retry-After"] == "5"
        body = response.json()
        assert body["error"] == "database_unreachable"
        assert "\n" not in body["message"]
        assert "127.0.0.1" not in body["message"]
    assert client.get("/v1/health").status_code == 200
    assert client.get("/v1/presets").status_code == 200


def test_a_controller_starts_without_its_database() -> None:
    app = create_app(settings_for(NO_DATABASE))
    with served(app) as address, httpx.Client(base_url=address) as client:
        _expect_unavailable(client)


def test_a_database_that_never_answers_is_away(silent_port: int) -> None:
    app = create_app(settings_for(f"postgresql://nobody:nothing@127.0.0.1:{silent_port}/none"))
    with served(app) as address:
        response = httpx.get(f"{address}/v1/ready", timeout=60)
    assert response.status_code == 503


def test_an_outage_in_mid_life_is_survived(folder: Path) -> None:
    postgres = EmbeddedPostgres(folder / "postgres")
    url = postgres.start()
    try:
        database.initialise(url)
        settings = settings_for(url)
        with (
            served(create_app(settings)) as address,
            served(create_dashboard(settings)) as pages,
            httpx.Client(base_url=address) as client,
        ):
            assert client.post("/v1/studies", json=definition_data()).status_code == 201
            assert httpx.get(f"{pages}/api/studies").status_code == 200
            postgres.release()
            _expect_unavailable(client)
            for path in PAGES:
                page = httpx.get(f"{pages}{path}", headers={"Accept": "text/html"})
                assert (page.status_code, page.headers["Retry-After"]) == (503, "5"), path
                assert "the database does not answer" in page.text, path
            assert postgres.start() == url
            study = client.get("/v1/studies/digits-1")
            assert study.status_code == 200
            assert client.get("/v1/ready").status_code == 200
            assert "digits-1" in httpx.get(f"{pages}/studies").text
    finally:
        postgres.release()


def test_a_database_without_our_tables_is_told(empty_database_url: str) -> None:
    with served(create_app(settings_for(empty_database_url))) as address:
        for path in ("/v1/ready", "/v1/studies"):
            response = httpx.get(address + path)
            assert response.status_code == 503
            assert response.json()["error"] == "schema_outdated"
            assert "pernodedrop db init" in response.json()["message"]
