"""A real Postgres for every test that asks for `database_url`: one server a test process, one database a test."""

import functools
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from httpx._transports import default
from hypothesis import settings

from tests.databases import Databases
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

# Each client reads the certificates of all authorities, a twentieth of a second, and nearly none needs one.
default.create_ssl_context = functools.cache(default.create_ssl_context)

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
def databases(postgres_folder: Path) -> Iterator[Databases]:
    """Those of a private server."""
    from service.storage.embedded import EmbeddedPostgres

    server = EmbeddedPostgres(postgres_folder)
    ours = server.start()
    databases = Databases(server.owner_url(), ours)
    try:
        # They need not survive the machine: to drop one costs a third as much, to commit nothing.
        for setting in ("fsync", "full_page_writes"):
            databases.execute(f"ALTER SYSTEM SET {setting} = off")
        databases.execute("SELECT pg_reload_conf()")
        yield databases
    finally:
        databases.close()
        server.release()


@pytest.fixture(scope="session")
def postgres_url(databases: Databases) -> str:
    """The URL of the server's maintenance database, for a superuser."""
    return databases.owner


@pytest.fixture(scope="session")
def template_database(databases: Databases) -> str:
    """The name of an initialised database to copy: cheaper than initialising one for every test."""
    from service.storage.database.database import initialise

    name = databases.make("template_pernodedrop")
    initialise(databases.url(name))
    # Nobody's run is taken over in a server's first seconds; tests that wait for it start after them.
    databases.execute("SELECT pg_sleep(5.1 - extract(epoch FROM now() - pg_postmaster_start_time()))")
    return name


@pytest.fixture
def database_url(databases: Databases, template_database: str) -> Iterator[str]:
    """The URL of a fresh initialised database, for the role that the service has."""
    with databases.fresh(template_database) as name:
        yield databases.url(name)


@pytest.fixture
def superuser_url(databases: Databases, database_url: str) -> str:
    """The URL of the same database for a superuser, who may do what the service may not."""
    return databases.owner_url(str(sa.make_url(database_url).database))


@pytest.fixture
def empty_database_url(databases: Databases) -> Iterator[str]:
    """The URL of a fresh database without any table."""
    with databases.fresh() as name:
        yield databases.url(name)


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
