"""What the queue costs: a claim beside ever more waiting runs, and a whole trial beside plain Optuna.

    python benchmarks/queue.py [--waiting 10 1000 100000] [--claims 200] [--trials 60]

Both parts run on one Postgres in one go: the embedded one, or that of DATABASE_URL (a database of its own is
made there and dropped again). A trial is claim + ask + 5 suggestions + 20 epoch reports + tell, through the
same code that workers run but without training; plain Optuna is `study.optimize` with 5 suggestions and 20
reports. Blocks of both alternate, so that a noisy neighbour meets both.
"""

# ruff: noqa: E402
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1].resolve()
# This file bears the name of a standard module, which must not be taken from its folder.
sys.path[:] = [str(ROOT), *(path for path in sys.path if Path(path) != Path(__file__).parent.resolve())]

import argparse
import contextlib
import platform
import shutil
import socket
import statistics
import tempfile
import time
import warnings
from collections.abc import Iterator

import optuna
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from benchmarks.termination import end_in_order
from search_spaces import StudyDefinition, parse_definition
from service.storage.assignments.assignment import Ended
from service.storage.assignments.choosing import assignment_of
from service.storage.assignments.progress import EpochDone
from service.storage.database.database import Database, initialise
from service.storage.embedded import EmbeddedPostgres
from service.storage.fleet import workers
from service.storage.runs import claiming
from service.storage.states import RunState
from service.storage.studies import studies
from workers.runs.execution import Execution
from workers.runs.lease import Renewal
from workers.trial.messages import Finished, Order, Report

NAME = "queue_benchmark"  # of the database
EPOCHS, BLOCK = 20, 10
METRICS = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "train_step_loss", "train_seconds")


class Rehearsal:
    """A trial process that is done at once: what remains is the path around the training."""

    def order(self, order: Order) -> None:
        self._reports: Iterator[Report] = iter(
            [*(EpochDone(0, epoch, dict.fromkeys(METRICS, 1 / epoch)) for epoch in range(1, EPOCHS + 1)), Finished()]
        )

    def listen(self, seconds: float) -> Report | None:
        return next(self._reports)


def definition(name: str, trials: int) -> StudyDefinition:
    floats = {f"x{i}": {"type": "float", "low": 0.0, "high": 1.0} for i in range(5)}
    return parse_definition(
        {
            "name": name,
            "task": {"name": "benchmarks.queue:None", "epochs": EPOCHS},
            "search_space": floats,
            "sampler": {"name": "random"},
            "budget": {"trials": trials},
        }
    )


def claim_times(db: Database, waiting: int, claims: int) -> list[float]:
    """Milliseconds of each claim while about `waiting` runs wait."""
    study = studies.create(db, definition(f"waiting-{waiting}", waiting))
    with db.engine.begin() as connection:
        connection.execute(sa.text("ANALYZE fleet.runs"))
    times = []
    for _ in range(min(claims, waiting)):
        worker = workers.register(db, socket.gethostname(), os.getpid(), "cpu")  # one holds one run
        started = time.perf_counter()
        lease = claiming.claim(db, worker, 600)
        times.append((time.perf_counter() - started) * 1000)
        assert lease is not None
    studies.delete(db, study.name)
    return times


def our_block(db: Database, worker: str, spec: StudyDefinition, optuna_study_id: int) -> float:
    started = time.perf_counter()
    for _ in range(BLOCK):
        lease = claiming.claim(db, worker, 60)
        assert lease is not None
        with Renewal(db, worker, lease, 60) as renewal:
            execution = Execution(
                db,
                lease,
                lambda again, lease=lease: assignment_of(db, lease, again=again),  # type: ignore[misc]
                renewal=renewal,
                leave_by=lambda: float("inf"),
                data_folder=Path(),
            )
            assert execution.run(Rehearsal()) == Ended(RunState.COMPLETE)  # type: ignore[arg-type]
    return (time.perf_counter() - started) / BLOCK * 1000


def plain_block(study: optuna.Study) -> float:
    def objective(trial: optuna.Trial) -> float:
        for i in range(5):
            trial.suggest_float(f"x{i}", 0.0, 1.0)
        for epoch in range(1, EPOCHS + 1):
            trial.report(1 / epoch, epoch)
        return 1 / EPOCHS

    started = time.perf_counter()
    study.optimize(objective, n_trials=BLOCK)
    return (time.perf_counter() - started) / BLOCK * 1000


def trial_times(db: Database, trials: int) -> tuple[list[float], list[float]]:
    """Milliseconds a trial of ours and of plain Optuna, a figure a block."""
    spec = definition("ours", trials + BLOCK)
    record = studies.create(db, spec)
    ours = record.optuna_study_id
    plain = optuna.create_study(
        storage=db.optuna,
        study_name="plain",
        sampler=optuna.samplers.RandomSampler(seed=0),
        pruner=optuna.pruners.NopPruner(),
    )
    worker = workers.register(db, socket.gethostname(), os.getpid(), "cpu")
    our_block(db, worker, spec, ours), plain_block(plain)  # warm both up
    blocks = [(our_block(db, worker, spec, ours), plain_block(plain)) for _ in range(trials // BLOCK)]
    return [ours for ours, _ in blocks], [plain for _, plain in blocks]


@contextlib.contextmanager
def database() -> Iterator[Database]:
    """A fresh database; it goes afterwards, however the benchmark ends, and the embedded server with it."""
    end_in_order()
    with contextlib.ExitStack() as undo:
        folder = Path(tempfile.mkdtemp(prefix="pernodedrop-benchmark-"))
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)  # the server runs as another user when this runs as root
        embedded = EmbeddedPostgres(folder / "postgres")
        undo.callback(embedded.release)
        given = os.environ.get("DATABASE_URL")
        own = embedded.start() if given is None else undo.enter_context(_made_on(given))
        initialise(own)
        yield undo.enter_context(Database.open(own))


@contextlib.contextmanager
def _made_on(given: str) -> Iterator[str]:
    """The URL of a database of our own on a server that is there."""
    url = sa.make_url(given)
    server = sa.create_engine(url.set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT")
    _execute(server, f"CREATE DATABASE {NAME}")
    try:
        yield url.set(database=NAME).render_as_string(hide_password=False)
    finally:
        _execute(server, f"DROP DATABASE {NAME} WITH (FORCE)")
        server.dispose()


def _execute(server: sa.Engine, statement: str) -> None:
    with server.connect() as connection:
        connection.execute(sa.text(statement))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waiting", type=int, nargs="+", default=[10, 1_000, 100_000])
    parser.add_argument("--claims", type=int, default=200)
    parser.add_argument("--trials", type=int, default=60)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with database() as db:
        claims = {waiting: claim_times(db, waiting, options.claims) for waiting in options.waiting}
        ours, plain = trial_times(db, options.trials)
    console = Console()
    console.print(f"Python {platform.python_version()}, Optuna {optuna.__version__}, {os.cpu_count()} cores")
    table = Table("waiting runs", "claims", "median ms", "95 % ms", title="A claim")
    for waiting, times in claims.items():
        high = statistics.quantiles(times, n=20)[-1]
        table.add_row(f"{waiting:,}", str(len(times)), f"{statistics.median(times):.2f}", f"{high:.2f}")
    console.print(table)
    table = Table("", "median ms a trial", "ratio", title=f"A trial without its training ({options.trials} of each)")
    base = statistics.median(plain)
    table.add_row("plain study.optimize", f"{base:.0f}", "1.00")
    table.add_row("ours", f"{statistics.median(ours):.0f}", f"{statistics.median(ours) / base:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
