"""How soon 200 open pages learn of what 50 workers report, and what that costs the dashboard and the database.

`python -m benchmarks.live_pages` starts a Postgres and a dashboard of its own. The workers are threads that report by
the storage's own functions, an epoch a second each; the pages are plain sockets. Everything shares this machine.
"""

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from search_spaces import parse_definition
from service.storage.database.database import Database, initialise
from service.storage.embedded import EmbeddedPostgres
from service.storage.fleet import workers
from service.storage.records import CurvePoint, Lease
from service.storage.runs import claiming, holding
from service.storage.studies import studies

NAME = "live-pages"
EPOCHS = 100_000
PERIOD_S = 1.0
SERVE = "from service.dashboard import create_app\nfrom service.settings import Settings\n" \
    "from service.web.connections import raise_file_limit\nfrom service.web.serving import server_of\n" \
    "import os\nraise_file_limit()\n" \
    "server_of(create_app(Settings.from_environment(os.environ)), port=int(os.environ['PORT'])).run()"  # fmt: skip

Reported = dict[tuple[int, int], float]  # when the commit had returned, by run and epoch


def train(database: Database, lease: Lease, reported: Reported, stop: threading.Event, phase: float) -> None:
    """Report an epoch every PERIOD_S until told to stop."""
    stop.wait(phase * PERIOD_S)
    for epoch in range(1, EPOCHS):
        loss = 1 / epoch
        points = [CurvePoint(epoch, 0, "val", "loss", loss), CurvePoint(epoch, 0, "train", "seconds", PERIOD_S)]
        holding.record_epoch(database, lease, epoch, points)
        reported[lease.run_id, epoch] = time.monotonic()
        if stop.wait(PERIOD_S):
            return


async def watch(port: int, seen: Reported, is_timed: bool) -> None:
    """An open page: reads events; the timed ones note when an epoch came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    writer.write(f"GET /studies/{NAME}/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    try:
        while line := await reader.readline():
            if is_timed and line.startswith(b"data: "):
                come = time.monotonic()
                for name, value in json.loads(line[6:]).get("set", {}).items():
                    if name.startswith("at:"):
                        seen.setdefault((int(name[3:]), value[0]), come)
    finally:
        writer.close()


def memory_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def commits(connection: sa.Connection) -> int:
    statement = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    connection.execute(sa.text("SELECT pg_stat_clear_snapshot()"))
    return int(connection.execute(sa.text(statement)).scalar_one())


async def measured(pages: int, port: int, pid: int, *, url: str, reported: Reported, seconds: float) -> str:
    """One row: with so many open pages."""
    seen: Reported = {}
    open_pages = [asyncio.create_task(watch(port, seen, number % 20 == 0)) for number in range(pages)]
    await asyncio.sleep(6)
    seen.clear()
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        began, cpu, transactions, epochs = time.monotonic(), cpu_s(pid), commits(connection), len(reported)
        await asyncio.sleep(seconds)
        took = time.monotonic() - began
        rows = [memory_mb(pid), 100 * (cpu_s(pid) - cpu) / took, (commits(connection) - transactions) / took]
        rows.append((len(reported) - epochs) / took)
    engine.dispose()
    late = sorted(come - reported[key] for key, come in seen.items() if key in reported)
    for page in open_pages:
        page.cancel()
    await asyncio.gather(*open_pages, return_exceptions=True)
    times = f"{statistics.median(late):.2f} | {late[int(0.95 * len(late))]:.2f}" if late else "- | -"
    return f"| {pages} | {times} | {rows[0]:.0f} | {rows[1]:.0f} | {rows[2]:.0f} | {rows[3]:.0f} |"


@contextmanager
def dashboard(url: str, port: int) -> Iterator[int]:
    """The process id of a dashboard."""
    environment = {**os.environ, "DATABASE_URL": url, "PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-c", SERVE], env=environment)
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


async def ready(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.2)
        else:
            return writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--port", type=int, default=18917)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pernodedrop-live-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres(Path(folder) / "postgres")
        url = server.start()
        try:
            initialise(url)
            measure(url, asked)
        finally:
            server.release()


def measure(url: str, asked: argparse.Namespace) -> None:
    stop, reported = threading.Event(), Reported()
    data = {
        "name": NAME,
        "task": {"name": "digits", "epochs": EPOCHS // 1000},
        "search_space": {"learning_rate": {"type": "float", "low": 0.001, "high": 0.1, "log": True}},
        "sampler": {"name": "random", "seed": 1},
        "budget": {"trials": 2 * asked.workers},
    }
    with Database.open(url, 20, lasting=True) as database, dashboard(url, asked.port) as pid:
        studies.create(database, parse_definition(data))
        threads = []
        for number in range(asked.workers):
            worker = workers.register(database, f"node-{number}", number, "cpu")
            lease = claiming.claim(database, worker, 3600)
            assert lease is not None
            phase = number / asked.workers
            threads.append(threading.Thread(target=train, args=(database, lease, reported, stop, phase)))
        for thread in threads:
            thread.start()
        print("| open pages | median s | 95 % s | dashboard MB | its CPU % | transactions/s | epochs/s |")
        print("|---|---|---|---|---|---|---|", flush=True)

        async def rows() -> None:
            await ready(asked.port)
            for pages in (0, 1, asked.pages, 0):
                row = await measured(pages, asked.port, pid, url=url, reported=reported, seconds=asked.seconds)
                print(row, flush=True)
                await asyncio.sleep(16)  # until nobody is followed any more

        asyncio.run(rows())
        stop.set()
        for thread in threads:
            thread.join()
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
