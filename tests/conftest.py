"""A real Postgres for every test that asks for `database_url`: one server a test process, one database a test."""

import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

os.environ["TZ"] = "UTC"
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a private server's maintenance database."""
    from service.storage.embedded import EmbeddedPostgres

    folder = Path(tempfile.mkdtemp(prefix="pernodedrop-tests-"))
    folder.chmod(0o755)  # the server runs as another user when the tests run as root
    try:
        server = EmbeddedPostgres(folder / "postgres")
        yield server.start()
        server.release()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def template_database(postgres_url: str) -> str:
    """The name of an initialised database to copy: cheaper than initialising one for every test."""
    from service.storage.database.database import initialise

    _execute(postgres_url, "CREATE DATABASE template_pernodedrop")
    initialise(_named(postgres_url, "template_pernodedrop"))
    # Nobody's run is taken over in a server's first seconds; tests that wait for it start after them.
    _execute(postgres_url, "SELECT pg_sleep(5.1 - extract(epoch FROM now() - pg_postmaster_start_time()))")
    return "template_pernodedrop"


@pytest.fixture
def database_url(postgres_url: str, template_database: str) -> Iterator[str]:
    """The URL of a fresh initialised database."""
    name = f"test_{uuid.uuid4().hex}"
    _execute(postgres_url, f"CREATE DATABASE {name} TEMPLATE {template_database}")
    yield _named(postgres_url, name)
    _execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """The URL of a fresh database without any table."""
    name = f"test_{uuid.uuid4().hex}"
    _execute(postgres_url, f"CREATE DATABASE {name}")
    yield _named(postgres_url, name)
    _execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


def _named(url: str, database: str) -> str:
    return sa.make_url(url).set(database=database).render_as_string(hide_password=False)


def _execute(url: str, statement: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


@pytest.fixture
def unused_port() -> int:
    """A TCP port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
