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
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from hypothesis import settings

from tests.nursery import SharedNursery

os.environ["TZ"] = "UTC"
if not Path("/proc/driver/nvidia").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read when triton is first imported, by torch's compiler perhaps
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("whatever the time", deadline=None)
settings.load_profile("whatever the time")

# Of requests that name no limit: on a busy machine a server's first answer takes longer than httpx's five seconds.
for phase in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, phase, 60.0)

ENVIRONMENT = dict(os.environ)  # what no test has changed

IN_MEMORY = 4 * 2**30  # bytes free, for a server of each test process


@pytest.fixture(scope="session")
def postgres_folder() -> Iterator[Path]:
    """The folder of this process's server."""
    folder = Path(tempfile.mkdtemp(prefix="pernodedrop-tests-", dir=_in_memory()))
    folder.chmod(0o755)  # the server runs as another user when the tests run as root
    yield folder / "postgres"
    shutil.rmtree(folder, ignore_errors=True)


def _in_memory() -> Path | None:
    """A folder in memory where there is room: a database has hundreds of files, and most of a copy's time is theirs."""
    shared = Path("/dev/shm")
    roomy = shared.is_dir() and os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > IN_MEMORY
    return shared if roomy else None


@pytest.fixture(scope="session")
def postgres_urls(postgres_folder: Path) -> Iterator[tuple[str, str]]:
    """The URLs of a private server: for its owner, a superuser, and for the role that the service has."""
    from service.storage.embedded import EmbeddedPostgres

    server = EmbeddedPostgres(postgres_folder)
    ours = server.start()
    try:
        # These databases need not survive the machine: to drop one costs a third as much, to commit nothing.
        for setting in ("fsync", "full_page_writes"):
            execute(server.owner_url(), f"ALTER SYSTEM SET {setting} = off")
        execute(server.owner_url(), "SELECT pg_reload_conf()")
        yield server.owner_url(), ours
    finally:
        server.release()


@pytest.fixture(scope="session")
def postgres_url(postgres_urls: tuple[str, str]) -> str:
    """The URL of the server's maintenance database, for a superuser."""
    return postgres_urls[0]


@pytest.fixture(scope="session")
def template_database(postgres_urls: tuple[str, str]) -> str:
    """The name of an initialised database to copy: cheaper than initialising one for every test."""
    from service.storage.database.database import initialise

    postgres_url, ours = postgres_urls
    execute(postgres_url, "CREATE DATABASE template_pernodedrop OWNER pernodedrop")
    initialise(named(ours, "template_pernodedrop"))
    # Nobody's run is taken over in a server's first seconds; tests that wait for it start after them.
    execute(postgres_url, "SELECT pg_sleep(5.1 - extract(epoch FROM now() - pg_postmaster_start_time()))")
    return "template_pernodedrop"


@pytest.fixture
def database_url(postgres_urls: tuple[str, str], template_database: str) -> Iterator[str]:
    """The URL of a fresh initialised database, for the role that the service has."""
    postgres_url, ours = postgres_urls
    name = f"test_{uuid.uuid4().hex}"
    execute(postgres_url, f"CREATE DATABASE {name} OWNER pernodedrop TEMPLATE {template_database}")
    yield named(ours, name)
    execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def superuser_url(postgres_url: str, database_url: str) -> str:
    """The URL of the same database for a superuser, who may do what the service may not."""
    return named(postgres_url, str(sa.make_url(database_url).database))


@pytest.fixture
def empty_database_url(postgres_urls: tuple[str, str]) -> Iterator[str]:
    """The URL of a fresh database without any table."""
    postgres_url, ours = postgres_urls
    name = f"test_{uuid.uuid4().hex}"
    execute(postgres_url, f"CREATE DATABASE {name} OWNER pernodedrop")
    yield named(ours, name)
    execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


def named(url: str, database: str) -> str:
    """The URL of another database of the same server."""
    return sa.make_url(url).set(database=database).render_as_string(hide_password=False)


def execute(url: str, statement: str) -> None:
    """Execute a statement outside of any transaction."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


@pytest.fixture(scope="session")
def nursery() -> Iterator[SharedNursery]:
    """Starts workers that need not load torch, and whose trials see nothing that a test has set in the environment."""
    shared = SharedNursery(ENVIRONMENT)
    yield shared
    shared.close()


@pytest.fixture
def unused_port() -> int:
    """A TCP port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
