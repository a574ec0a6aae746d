"""From a study to its winner's model: trained by a real worker, fetched over REST, built again in a fresh process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from service.api.app import create_app
from service.cli import main
from service.settings import Settings
from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.records import seeds_of
from service.storage.runs import keeping
from service.storage.studies import curves, studies, trials
from tests.api.serving import served
from tests.weights.conftest import ROOT, Train, digits_study

MEASURE = """
import json, sys
from workers.winner import load_winner
measured = {}
for folder in sys.argv[1:]:
    first = load_winner(folder)
    for seed in first.seeds:
        one = load_winner(folder, seed=seed)
        assert not one.model.training and one.seed == seed
        x = one.task.splits(next(one.model.parameters()).device).test_x
        assert one.model(x).equal(one.predict(x)) or (one.model(x) - one.predict(x)).abs().max() < 1e-5
        measured[f"{one.variant} {seed}"] = one.measured()
    together = load_winner(folder, ensemble=True)
    measured[f"{one.variant} ensemble"] = together.measured()
print(json.dumps(measured))
"""


def test_the_winners_figures_are_the_reports(
    db: Database, database_url: str, trained: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = studies.create(db, digits_study("kept", keep="best"))
    trained()
    now = studies.get(db, "kept")
    assert now.finished_at is not None
    assert list(audit(db)) == []
    settings = Settings(tmp_path, tmp_path, str(tmp_path / "artifacts"), database_url=database_url)
    with served(create_app(settings)) as address:
        monkeypatch.setenv("PERNODEDROP_URL", address)
        for place in (0, 1):
            out = str(tmp_path / f"model-{place}")
            assert main(["weights", "kept", "-o", out, "--confirmation", str(place)]) == 0
    runs = trials.confirming(db, study)
    script = [sys.executable, "-c", MEASURE, *(str(tmp_path / f"model-{place}") for place in (0, 1))]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=True)
    measured = json.loads(done.stdout)
    for run in runs:
        for repeat, epochs in enumerate(_tested(db, run.run_id, 2)):
            seed = seeds_of(study.definition, run)[repeat]
            assert measured[f"{run.variant} {seed}"] == epochs
    print(measured)


def _tested(db, run_id, repeats):
    by_epoch = curves.epochs_of_run(db, run_id)
    kept = keeping.of_runs(db, [run_id])[run_id]
    return [{n: v for n, v in by_epoch[one.repeat, one.epoch].items() if n.startswith("test_")} for one in kept]
