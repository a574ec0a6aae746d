"""A study whose task has every hook is trained again from its capsule, to the last bit."""

from pathlib import Path

import pytest

from service.reports.capsule import capsule_of
from service.storage.database.database import Database
from service.storage.provenance import CODE
from service.storage.studies import studies
from service.web.report import results_of
from tests.capsule.repacking import changed, with_origin
from tests.hooks.test_worker import Start, study, worker
from workers.reproduction.__main__ import main

__all__ = ["worker"]


@pytest.mark.wide
def test_hooks_are_trained_again(
    worker: Start,
    database_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    capsule = tmp_path / "everything.zip"
    with Database.open(database_url) as db:
        studies.create(db, study("everything", "Everything"))
        assert worker().wait(240) == 0
        capsule.write_bytes(capsule_of(results_of(db, studies.get(db, "everything"), whole=True)))
    here = ("--task-from-here", "tests.hooks.tasks:Everything")
    assert main([str(capsule), *here]) == 0
    said = capsys.readouterr().out
    assert said.startswith("trial 0: equal to the last bit (3 epochs, ")
    assert main([str(changed(capsule, with_origin(CODE, {"task": "f" * 64}))), *here]) == 0
    said = capsys.readouterr().out
    other = f"is not the code that trained: SHA-256 {'f' * 64} and here "
    assert said.startswith(f"note: the task's module tests.hooks.tasks here {other}")
