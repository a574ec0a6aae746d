"""Where the time of a first study goes: `pernodedrop run` in an empty folder, and what each of its processes does when.

    python -m benchmarks.start [--timeline SECONDS] [-- OPTION ...]

OPTIONs are those of `pernodedrop run`, by default none: its quickstart study. Every process of the service is read in
/proc twenty times a second (Linux), which takes a hundredth of a core. The times of runs are the database's own, read
when the service has ended. Postgres's processes are one row; `nursery` is what has loaded torch, `training` what it
has forked. On a busy machine all are longer: the last row says how much of the machine something else took.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from benchmarks.gpu.machine import processor
from pernodedrop.begin import command
from service.storage.embedded import EmbeddedPostgres
from workers.trial.family import adopt_orphans

LOOK_S = 0.05
TICKS = os.sysconf("SC_CLK_TCK")
PHASES = ("start", "search", "confirmation", "answer", "stop")
PROGRAMS = ("controller", "dashboard", "run")  # after `service.cli`


@dataclass
class Seen:
    """What was seen of a command: when it began and said its lines, and the seconds of CPU up to each look."""

    began: float = field(default_factory=time.time)
    lines: list[tuple[float, str]] = field(default_factory=list)
    looks: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    ended: float = 0.0

    def spent(self, since: float, until: float) -> dict[str, float]:
        """Seconds of CPU of each process between two times, and of the whole machine."""
        first, last = self._before(since), self._before(until)
        return {name: seconds - first.get(name, 0.0) for name, seconds in last.items()}

    def _before(self, moment: float) -> dict[str, float]:
        return next((spent for at, spent in reversed(self.looks) if at <= moment), {})

    def said(self, word: str) -> float:
        """When the first line that begins with the word came."""
        return next(at for at, line in self.lines if line.startswith(word))


@dataclass(frozen=True)
class Run:
    """One run of a worker, from its claim to its end."""

    worker: str
    stage: str
    begun: float
    ended: float


def watched(arguments: list[str]) -> Seen:
    """Run the command to its end, and watch it.

    Raises:
        CalledProcessError: it failed; its output is shown.
    """
    seen = Seen()
    adopt_orphans()  # Postgres's processes leave their parents
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def listen() -> None:
        for line in process.stdout or ():
            seen.lines.append((time.time(), line.rstrip()))

    listener = threading.Thread(target=listen)
    listener.start()
    known: dict[int, tuple[str, float]] = {}
    while process.poll() is None:
        known |= {pid: (name, spent) for pid, name, spent in family(process.pid)}
        spent: dict[str, float] = defaultdict(float)
        for name, seconds in known.values():
            spent[name] += seconds
        seen.looks.append((time.time(), {**spent, "the machine": busy()}))
        time.sleep(LOOK_S)
    seen.ended = time.time()
    listener.join()
    if process.returncode:
        sys.stderr.write("".join(f"{line}\n" for _, line in seen.lines))
        raise subprocess.CalledProcessError(process.returncode, arguments)
    return seen


def family(root: int) -> Iterator[tuple[int, str, float]]:
    """Every process below this one: its number, what it is called here, and its seconds of CPU."""
    parents, spent = {}, {}
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            try:
                fields = (place / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            pid = int(place.name)
            parents[pid], spent[pid] = int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS
    ours = {root}
    while more := {pid for pid, parent in parents.items() if parent in ours or parent == os.getpid()} - ours:
        ours |= more
    for pid in ours & spent.keys():
        yield pid, name_of(pid, pid == root), spent[pid]


def name_of(pid: int, is_root: bool) -> str:
    if pid in _names:
        return _names[pid]
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        above = Path(f"/proc/{parent}/cmdline").read_text().split("\0")
    except OSError:
        return "others"
    name = "others"
    if is_root:
        name = "the command"
    elif "postgres" in words[0] or words[0].rpartition("/")[2] in {"initdb", "pg_ctl"}:
        name = "Postgres"
    elif "workers.trial.shared" in words:
        name = "training" if "workers.trial.shared" in above else "nursery"
    elif "workers" in words:
        name = "workers"
    elif "service.cli" in words:
        name = words[words.index("service.cli") + 1]
    if name in {"others", "the command"} and not is_root:
        return name  # it is just being started
    _names[pid] = name
    return name


_names: dict[int, str] = {}


def busy() -> float:
    """Seconds that the cores of the machine have worked since it was started."""
    user, nice, system, _, _, irq, soft, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + soft + steal) / TICKS


def runs_of(home: Path) -> list[Run]:
    """Every run of the folder's studies, from the history that the database keeps."""
    postgres = EmbeddedPostgres(home / "postgres")
    engine = sa.create_engine(postgres.start())
    try:
        with engine.connect() as connection:
            rows = connection.execute(
                sa.text(
                    "SELECT h.run_id, h.at, h.state, h.worker_id, r.stage FROM fleet.run_history h "
                    "JOIN fleet.runs r ON r.id = h.run_id ORDER BY h.id"
                )
            ).all()
    finally:
        engine.dispose()
        postgres.release()
    begun: dict[int, datetime] = {}
    runs = []
    for row in rows:
        if row.state == "running":
            begun[row.run_id] = row.at
        elif row.run_id in begun:
            since = begun.pop(row.run_id)
            runs.append(Run(str(row.worker_id), row.stage, since.timestamp(), row.at.timestamp()))
    return runs


def show(console: Console, seen: Seen, runs: list[Run], every: float | None) -> None:
    """Print the phases and what each process spent in them, then how long workers had nothing to train."""
    searched = max(run.ended for run in runs if run.stage == "search")
    ends = [searched, max(run.ended for run in runs)]  # without a confirmation, both are the same
    bounds = [seen.began, min(run.begun for run in runs), *ends, seen.said("service "), seen.ended]
    if every is None:
        spans = [(name, *span) for name, span in zip(PHASES, pairwise(bounds), strict=True)]
    else:
        count = int((seen.ended - seen.began) / every) + 1
        starts = [seen.began + every * number for number in range(count)]
        spans = [(f"{at - seen.began:g}", at, at + every) for at in starts]
    table = Table(title="seconds of CPU of each process")
    table.add_column("process")
    for name, *_ in spans:
        table.add_column(name, justify="right")
    table.add_column("in all", justify="right")
    spent = [seen.spent(since, until) for _, since, until in spans]
    total = seen.spent(0.0, seen.ended)
    ours = [name for name in total if name != "the machine"]
    first = seen.looks[0][1]["the machine"]
    other = [one.get("the machine", 0.0) - sum(one.get(name, 0.0) for name in ours) for one in spent]
    if spent and spent[0].get("the machine", 0.0) > first:  # there was no look before the first
        other[0] -= first
    table.add_row("(clock)", *(f"{until - since:.2f}" for _, since, until in spans), f"{seen.ended - seen.began:.2f}")
    for name in sorted(ours, key=lambda name: -total[name]):
        table.add_row(name, *(f"{one.get(name, 0.0):.2f}" for one in spent), f"{total[name]:.2f}")
    table.add_row("all else on the machine", *(f"{seconds:.2f}" for seconds in other), f"{sum(other):.2f}")
    console.print(table)
    for at, line in seen.lines:
        if every is not None or line.startswith(("starting", "controller", "submitted", "report", "service ")):
            console.print(f"{at - seen.began:7.2f} s  {line[:90]}", markup=False, highlight=False)
    show_waits(console, seen, runs)


def show_waits(console: Console, seen: Seen, runs: list[Run]) -> None:
    for number, worker in enumerate(dict.fromkeys(run.worker for run in runs), 1):
        own = [run for run in runs if run.worker == worker]
        gaps = [after.begun - before.ended for before, after in pairwise(own)]
        console.print(
            f"worker {number}: {len(own)} runs from {own[0].begun - seen.began:.2f} s to "
            f"{own[-1].ended - seen.began:.2f} s; between two of them {sum(gaps):.2f} s in all, "
            f"{max(gaps, default=0.0):.2f} s at most",
            highlight=False,
        )


def main() -> None:
    parsed = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parsed.add_argument("--timeline", type=float, metavar="SECONDS", help="a column for each span of this length")
    parsed.add_argument("options", nargs="*", help="of `pernodedrop run`")
    given = parsed.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 200)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # root's Postgres runs as another user
        home = Path(folder) / "home"
        seen = watched(command("service.cli", "run", "--home", str(home), *given.options))
        runs = runs_of(home)
    console.print(f"{processor()}, {os.cpu_count()} cores", highlight=False)
    show(console, seen, runs, given.timeline)


if __name__ == "__main__":
    main()
