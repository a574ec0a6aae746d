"""A real standby in the place of the database: it is read, nothing is ordered, and all is well when it is promoted."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from service.api.app import create_app
from service.storage.audit import audit
from service.storage.database.database import Database, initialise
from service.storage.embedded import EmbeddedPostgres
from service.storage.errors import DatabaseUnreachable
from tests.api.configuring import settings_for
from tests.api.fleet import definition_data
from tests.api.serving import served


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="pernodedrop-standby-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.wide
def test_a_standby_is_waited_for_until_it_is_promoted(folder: Path) -> None:
    postgres = EmbeddedPostgres(folder / "postgres")
    url = postgres.start()
    try:
        initialise(url)
        with served(create_app(settings_for(url))) as address, httpx.Client(base_url=address, timeout=60) as client:
            assert client.post("/v1/studies", json=definition_data()).status_code == 201
            postgres.release()
            signal = folder / "postgres" / "data" / "standby.signal"
            signal.touch()
            owner = signal.parent.stat()
            shutil.chown(signal, owner.st_uid, owner.st_gid)
            assert postgres.start() == url
            ready = client.get("/v1/ready")
            assert (ready.status_code, ready.json()["message"]) == (503, "the database is read-only: try again shortly")
            assert client.get("/v1/studies/digits-1").status_code == 200
            for method, path, body in (
                ("POST", "/v1/studies", definition_data("another")),
                ("POST", "/v1/studies/digits-1/pause", None),
                ("POST", "/v1/studies/digits-1/extend", {"trials": 1}),
                ("DELETE", "/v1/studies/digits-1", None),
            ):
                answer = client.request(method, path, json=body)
                assert (answer.status_code, answer.json()["error"]) == (503, "database_unreachable"), answer.text
            initialise(url)  # nothing is to do, so nothing is refused
            with Database.open(url) as db:
                with pytest.raises(DatabaseUnreachable, match="is a standby and takes no writes") as caught:
                    db.check_ready()
                assert caught.value.passes
                assert audit(db) == []
            engine = sa.create_engine(postgres.owner_url())
            with engine.connect() as connection:
                assert connection.execute(sa.text("SELECT pg_promote()")).scalar_one()
            engine.dispose()
            assert client.get("/v1/ready").status_code == 200
            assert client.post("/v1/studies/digits-1/pause").status_code == 200
    finally:
        postgres.release()
