"""A search with a lag, once more by one worker that nothing disturbs: it must find the same."""

import os
import subprocess
import sys
from pathlib import Path

from search_spaces import parse_definition
from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.storage.studies import studies, trials
from tests.chaos.fleet import ROOT
from tests.chaos.uninterrupted import stored

CALM_S = 300.0

Table = list[tuple[object, ...]]


def repeated(db: Database, folder: Path) -> tuple[int, list[str]]:
    """Search every finished study with a lag again, and return how many there are and those that differ."""
    ordered = [study for study in studies.page(db, limit=1000) if study.definition.sampler.lag and study.finished_at]
    for study in ordered:
        definition = study.definition.model_dump(mode="json")
        options = {**study.definition.task.options, "pause": 0}
        again = {"name": _again(study), "task": {**definition["task"], "options": options}}
        studies.create(db, parse_definition({**definition, **again}))
    _work(db.url, folder)
    return len(ordered), [
        study.name for study in ordered if _table(db, study) != _table(db, studies.get(db, _again(study)))
    ]


def _again(study: StudyRecord) -> str:
    return f"{study.name}-again"


def _work(url: str, folder: Path) -> None:
    command = [sys.executable, "-m", "workers", "--device", "cpu", "--poll", "0.1", "--exit-when-idle"]
    environment = {**os.environ, "DATABASE_URL": url, "PERNODEDROP_HOME": str(folder), "OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=CALM_S)


def _table(db: Database, study: StudyRecord) -> Table:
    """What the study has found, in the order of its runs, without the clock's readings."""
    runs = trials.page(db, study, limit=1000)
    return [(run.number, str(run.state), run.params, run.values, stored(db, run)) for run in runs]
