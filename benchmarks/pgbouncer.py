"""A PgBouncer between the workers and a server, set as docs/scaling.md says."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import sqlalchemy as sa

SERVER_CONNECTIONS = 20  # that all workers share
_START_S = 10.0

# The time limits travel in `options`, which a shared connection cannot have: the role gets them instead.
_ROLE = (
    "timezone = 'UTC'",
    "statement_timeout = '60s'",
    "lock_timeout = '30s'",
    "idle_in_transaction_session_timeout = '60s'",
)


@contextlib.contextmanager
def pooled(url: str) -> Iterator[str]:
    """A URL that leads to the same database through a PgBouncer, which goes afterwards.

    Raises:
        FileNotFoundError: no `pgbouncer` is installed.
    """
    server = sa.make_url(url)
    with psycopg2.connect(server.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        for setting in _ROLE:
            connection.cursor().execute(f"ALTER ROLE CURRENT_USER SET {setting}")
    folder = Path(tempfile.mkdtemp(prefix="pernodedrop-pgbouncer-"))
    folder.chmod(0o755)  # it refuses to run as root, and becomes another user
    port = _free_port()
    (folder / "pgbouncer.ini").write_text(_settings(server, port))
    program = shutil.which("pgbouncer")
    if program is None:
        raise FileNotFoundError("no pgbouncer is installed: apt-get install pgbouncer")
    process = subprocess.Popen([program, "-q", str(folder / "pgbouncer.ini")])
    try:
        _wait_for(port)
        yield server.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _settings(server: sa.URL, port: int) -> str:
    whose = "user = nobody" if os.getuid() == 0 else ""
    return f"""
[databases]
* = host={server.host} port={server.port} user={server.username} password={server.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {SERVER_CONNECTIONS}
max_client_conn = 5000
ignore_startup_parameters = extra_float_digits,options
{whose}
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
