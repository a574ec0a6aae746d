"""A study is trained by an array of SLURM jobs that the time limit, `scancel` and a requeue interrupt."""

import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from search_spaces import parse_definition
from service.storage import audit
from service.storage.database.database import Database
from service.storage.runs import history
from service.storage.states import RunState
from service.storage.studies import studies, trials
from tests.chaos.uninterrupted import stored, trained
from tests.containers.commands import OutOfReach

from .cluster import Cluster, private_cluster

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy/slurm/workers.sbatch"
CACHE = ROOT / "build/slurm"
TRIALS = 6
DEFINITION = {
    "name": "array",
    "task": {
        "name": "tests.chaos.tasks:PacedDigits", "epochs": 60, "train_size": 200, "options": {"pause": 0.4},
    },
    "search_space": {
        "regularizer": {"type": "categorical", "choices": ["dropout", "pernodedrop"]},
        "drop_rate": {"type": "float", "low": 0.1, "high": 0.5, "step": 0.1},
        "learning_rate": {"type": "float", "low": 0.001, "high": 0.1, "log": True},
    },
    "sampler": {"name": "random", "seed": 5},
    "pruner": {"name": "none"},
    "search": "free",
    "budget": {"trials": TRIALS},
}  # fmt: skip


@pytest.fixture
def cluster(tmp_path: Path, unused_port: int) -> Iterator[Cluster]:
    try:
        with private_cluster(CACHE, tmp_path / "slurm", (unused_port, unused_port + 1)) as running:
            yield running
    except OutOfReach as error:
        pytest.skip(str(error))


def settings_file(cluster: Cluster, database_url: str, folder: Path) -> Path:
    """What a person writes, and where this cluster's own programs are."""
    settings = {
        **cluster.environment,
        "DATABASE_URL": database_url,
        "PERNODEDROP_HOME": str(folder / "home"),
        "PERNODEDROP_WORKER": f"{sys.executable} -m workers",
        "PYTHONPATH": str(ROOT),
    }
    file = folder / "env"
    file.write_text("".join(f"{name}='{value}'\n" for name, value in settings.items()))
    file.chmod(stat.S_IRUSR)
    return file


def wait_until(fact: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < until, f"not within {seconds:g} s"
        time.sleep(1)


def test_time_limit_scancel_and_requeue_cost_no_trial(cluster: Cluster, database_url: str, tmp_path: Path) -> None:
    settings = settings_file(cluster, database_url, tmp_path)
    log = tmp_path / "task-%a.log"
    with Database.open(database_url) as db:
        study = studies.create(db, parse_definition(DEFINITION))
        job = cluster.sbatch(
            SCRIPT, "--array=1-3", "--time=3", "--signal=TERM@60", "--cpus-per-task=1", "--mem=0", f"--output={log}",
            f"--chdir={ROOT}", f"--export=PERNODEDROP_SETTINGS={settings}",
        )  # fmt: skip
        wait_until(lambda: len(trials.page(db, study, RunState.RUNNING)) == 3, 120)
        time.sleep(5)
        cluster.scontrol("requeue", f"{job}_1")
        cluster.scancel(f"{job}_2")
        wait_until(lambda: f"{job}_3" in cluster.jobs() and "PENDING" in cluster.jobs()[f"{job}_3"], 180)
        wait_until(lambda: not cluster.jobs(), 600)

        found = trials.page(db, study)
        assert [trial.state for trial in found] == [RunState.COMPLETE] * TRIALS
        assert [str(one) for one in audit.audit(db)] == []
        handed_back = [trial for trial in found if len(history.of_run(db, trial.run_id)) > 1]
        assert len(handed_back) >= 3
        for trial in handed_back:
            assert stored(db, trial) == trained(study, trial, tmp_path)
    restarted = {task: (tmp_path / f"task-{task}.log").read_text().count("waits for runs") for task in (1, 2, 3)}
    assert restarted[1] >= 2
    assert restarted[2] == 1
    assert restarted[3] >= 2


def test_a_job_without_its_settings_says_what_is_missing(cluster: Cluster, tmp_path: Path) -> None:
    log = tmp_path / "lacking.log"
    cluster.sbatch(
        SCRIPT, f"--output={log}", "--cpus-per-task=1", "--mem=0", f"--export=PERNODEDROP_SETTINGS={tmp_path}/none",
    )  # fmt: skip
    wait_until(lambda: not cluster.jobs() and log.exists(), 60)
    assert log.read_text().startswith(f"error: {tmp_path}/none is not there: write DATABASE_URL=")
