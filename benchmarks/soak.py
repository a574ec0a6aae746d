"""What a service that is never stopped gathers: memory, open files, threads, connections, rows and bytes.

    python -m benchmarks.soak [--minutes 60] [--workers 2] [--keep 3] [--json FILE]

`pernodedrop serve` runs with a home of its own. One study after another is submitted, watched by an open page while it
is trained, confirmed, read in every form and, --keep studies later, deleted: so what is kept stays as it is, and
whatever else grows is lost. Each figure is the median of a quarter of the time, of the second and of the last, which
says what the time in between has added; the first is left out.
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from service.storage.embedded import EmbeddedPostgres

LOOK_S = 5.0
CALM_S = 0.5  # between two visits of a reader
READY = re.compile(r"API\s+(\S+)/v1|dashboard\s+(\S+)")
ROLES = {
    "service.cli controller": "controller",
    "service.cli dashboard": "dashboard",
    "workers.trial.shared": "process of torch",
    "workers --supervised": "workers",
}
STUDY = {
    "task": {"name": "digits", "epochs": 2},
    "search_space": {
        "regularizer": {"type": "categorical", "choices": ["dropout", "pernodedrop"]},
        "units": {"type": "categorical", "choices": [32, 64]},
        "drop_rate": {"type": "float", "low": 0.0, "high": 0.9},
    },
    "fixed": {"batch_size": 256},
    "budget": {"trials": 24},
    "pruner": {"name": "median"},
    "confirmation": {"top": 1, "repeats": 2},
}  # fmt: skip
READ = ("", "/report-body", "/trials", "/trials.json", "/trials.csv", "/lines.json", "/trials/0", "/audit")
ASKED = ("", "/trials", "/best", "/ranking", "/report", "/records.csv", "/curves.csv", "/capsule")

Look = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=int, default=3, help="studies that are not deleted yet (default 3)")
    parser.add_argument("--json", type=Path, help="where every look is written")
    options = parser.parse_args()
    looks: list[Look] = []
    answers: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="pernodedrop-soak-") as folder:
        home = Path(folder) / "home"
        Path(folder).chmod(0o755)  # Postgres runs as another user when this runs as root
        with serving(home, options.workers) as (serve, api, dashboard):
            until = time.monotonic() + 60 * options.minutes
            done = threading.Event()
            watcher = threading.Thread(target=look_on, args=(serve, home, looks, done))
            watcher.start()
            try:
                studies = work(api, dashboard, until, options.keep, answers)
            finally:
                done.set()
                watcher.join()
    if options.json:
        options.json.write_text(json.dumps(looks, indent=1))
    show(looks, studies, answers, options.minutes)


@contextmanager
def serving(home: Path, workers: int) -> Iterator[tuple[psutil.Process, str, str]]:
    """`pernodedrop serve` with this home: its process, and the addresses of API and dashboard."""
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "serve", "--workers", str(workers), "--home", str(home)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        found: dict[str, str] = {}
        assert process.stdout is not None
        for line in process.stdout:
            if match := READY.search(line):
                found |= {"api": match[1]} if match[1] else {"dashboard": match[2]}
            if "Ctrl-C stops it" in line:
                break
        if len(found) < 2:
            raise SystemExit(f"error: serve has ended before it was ready (exit {process.wait()})")
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield psutil.Process(process.pid), found["api"], found["dashboard"]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(120)


def work(api: str, dashboard: str, until: float, keep: int, answers: Counter[str]) -> int:
    """Studies one after another until the time is over; returns how many. `answers` counts statuses."""
    number = 0
    with httpx.Client(base_url=f"{api}/v1", timeout=60) as rest, httpx.Client(base_url=dashboard, timeout=60) as pages:

        def ask(client: httpx.Client, method: str, path: str, body: object = None) -> httpx.Response:
            answer = client.request(method, path, json=body)
            answers[f"{answer.status_code}"] += 1
            return answer

        while time.monotonic() < until:
            name = f"soak-{number}"
            ask(rest, "POST", "/studies", {**STUDY, "name": name, "seed": number}).raise_for_status()
            with open_page(dashboard, name):
                while ask(rest, "GET", f"/studies/{name}").raise_for_status().json()["state"] != "complete":
                    for path in (f"/studies/{name}", "/studies", "/fleet"):
                        ask(pages, "GET", path)
                    time.sleep(CALM_S)
            for path in READ:
                ask(pages, "GET", f"/studies/{name}{path}")
            for path in ASKED:
                ask(rest, "GET", f"/studies/{name}{path}")
            if number >= keep:
                ask(rest, "DELETE", f"/studies/soak-{number - keep}").raise_for_status()
            number += 1
    return number


@contextmanager
def open_page(dashboard: str, name: str) -> Iterator[None]:
    """A reader whose page shows the study live."""
    closed = threading.Event()
    address = f"{dashboard}/studies/{name}/events"

    def read() -> None:
        while not closed.is_set():  # as a browser does, which opens a stream again that has ended
            with (
                suppress(httpx.HTTPError),
                httpx.stream("GET", address, timeout=3) as sent,
            ):
                for _ in sent.iter_raw():
                    if closed.is_set():
                        return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        closed.set()
        reader.join(60)


def look_on(serve: psutil.Process, home: Path, looks: list[Look], done: threading.Event) -> None:
    server = EmbeddedPostgres(home / "postgres")  # which joins the one that runs
    url = sa.make_url(server.start()).set(drivername="postgresql+psycopg2")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    began = time.monotonic()
    try:
        while not done.wait(LOOK_S):
            with suppress(psutil.Error, OSError):  # of what ends while it is looked at
                found = {**of_processes(serve), **of_files(home), **of_database(engine)}
                looks.append({"minutes": (time.monotonic() - began) / 60, **found})
    finally:
        server.release()


def of_processes(serve: psutil.Process) -> Look:
    """Memory that no file backs, open files and threads, by role; trial processes, which end soon, are left out."""
    found: defaultdict[str, float] = defaultdict(float)
    for process in (serve, *serve.children()):
        role = next((role for text, role in ROLES.items() if text in " ".join(process.cmdline())), "serve")
        status = Path(f"/proc/{process.pid}/status").read_text()
        found[f"{role}: MB"] += int(re.search(r"RssAnon:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]
        found[f"{role}: open files"] += process.num_fds()
        found[f"{role}: threads"] += process.num_threads()
    found["processes below serve"] = len(serve.children(recursive=True))
    return found


def of_files(home: Path) -> Look:
    sizes: Look = defaultdict(float)
    for place, _, files in os.walk(home):
        part = Path(place).relative_to(home).parts[:1] or (".",)
        for file in files:
            with suppress(OSError):
                sizes[f"home {part[0]}: MB"] += (Path(place) / file).lstat().st_size / 2**20
                sizes[f"home {part[0]}: files"] += 1
    return sizes


def of_database(engine: sa.Engine) -> Look:
    with engine.connect() as connection:
        tables = connection.execute(
            sa.text(
                "SELECT n_live_tup, n_dead_tup, pg_total_relation_size(relid), schemaname || '.' || relname"
                " FROM pg_stat_user_tables"
            )
        ).all()
        connections = connection.execute(
            sa.text("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
        )
        trials = connection.execute(sa.text("SELECT last_value FROM fleet.runs_id_seq")).scalar_one()
        found: Look = {"database: connections": float(connections.scalar_one()) - 1, "runs": float(trials)}
    for live, dead, size, name in tables:
        found[f"table {name}: rows"] = live
        found[f"table {name}: dead rows"] = dead
        found[f"table {name}: MB"] = size / 2**20
    found["database: MB"] = sum(size for _, _, size, _ in tables) / 2**20
    return found


def show(looks: list[Look], studies: int, answers: Counter[str], minutes: float) -> None:
    quarter = len(looks) // 4
    if not quarter:
        raise SystemExit(f"error: {len(looks)} looks are too few: give more --minutes than {minutes:g}")
    early, late = looks[quarter : 2 * quarter], looks[-quarter:]
    names = sorted({name for look in looks for name in look} - {"minutes", "runs"})
    table = Table("", "second quarter", "last quarter", "more", "most")
    for name in names:
        first, last = (statistics.median(look.get(name, 0.0) for look in part) for part in (early, late))
        most = max(look.get(name, 0.0) for look in looks)
        if name.startswith("table") and last - first <= max(1.0, 0.1 * first):
            continue  # those that grow
        table.add_row(name, *(f"{value:,.1f}" for value in (first, last, last - first, most)))
    runs = looks[-1]["runs"]
    Console().print(table)
    said = ", ".join(f"{count:,} of {status}" for status, count in sorted(answers.items()))
    print(f"{studies} studies with {runs:,.0f} runs in {looks[-1]['minutes']:.0f} minutes; answers: {said}")


if __name__ == "__main__":
    main()
