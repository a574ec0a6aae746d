"""A disk of tables that is full: what only reads goes on, and everybody says why nothing else does."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from search_spaces import parse_definition
from service.api.app import create_app
from service.cli import following
from service.client import Client
from service.dashboard import create_app as create_dashboard
from service.storage.database import database
from service.storage.database.database import Database
from service.storage.embedded import EmbeddedPostgres
from service.storage.studies import studies
from service.web import absence
from tests.api.configuring import settings_for
from tests.api.fleet import definition_data
from tests.api.serving import served
from tests.embedded.test_full_disk import fill
from tests.monitoring.test_metrics import scraped
from tests.slurm.test_workers import wait_until

SAID = "the database has a full disk: make room there, and everything goes on by itself"


@pytest.fixture
def disk(home: Path) -> Iterator[Path]:
    """A folder on a disk of its own."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=160m,mode=755", "tmpfs", str(home)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("no tmpfs can be mounted here")
    yield home
    subprocess.run(["umount", "--lazy", str(home)], check=True)


def test_a_full_disk_of_a_database_of_somebody_elses_is_named(
    disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(absence, "LOOK_S", 0.05)
    monkeypatch.setattr(following, "READY", 0.0)
    monkeypatch.setattr(following, "LOOK", 0.1)
    postgres = EmbeddedPostgres(disk / "postgres")
    url = postgres.start()
    try:
        database.initialise(url)
        with Database.open(url) as db:
            studies.create(db, parse_definition(definition_data()))
        settings = settings_for(url)
        with served(create_app(settings)) as api, served(create_dashboard(settings)) as pages, Client(api) as client:
            assert client.lack() is None
            filler = fill(disk)
            assert str(client.lack()) == SAID
            ready = httpx.get(f"{api}/v1/ready")  # a balancer keeps the controller
            assert (ready.status_code, ready.json()) == (200, {"status": "full", "message": SAID})
            found = scraped(api)  # a monitor that reads the status code alone has this
            assert (found["pernodedrop_database_up", ()], found["pernodedrop_database_writable", ()]) == (1, 0)
            assert httpx.get(f"{api}/v1/studies/digits-1").status_code == 200, "what only reads goes on"
            refused = httpx.post(f"{api}/v1/studies", json=definition_data("another", trials=2000), timeout=60)
            assert (refused.status_code, refused.json().get("message")) == (503, SAID)
            wait_until(lambda: SAID in httpx.get(f"{pages}/studies/digits-1").text, 60)

            def stop_when_said() -> None:
                if SAID in re.sub(r"\s+", " ", capsys.readouterr().out):
                    raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                following.follow(Console(width=400), client, "digits-1", stop_when_said)
            filler.unlink()
            assert client.lack() is None
            assert httpx.get(f"{api}/v1/ready").json() == {"status": "ok"}
            wait_until(lambda: SAID not in httpx.get(f"{pages}/studies/digits-1").text, 60)
    finally:
        postgres.release()
