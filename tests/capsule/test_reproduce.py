"""A study is trained by a worker, packed, and trained again from the file alone."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service.reports import Results
from service.reports.capsule import capsule_of
from service.storage.capsule import read_capsule, unpacked
from service.storage.capsule.examined import examined_of
from service.storage.database.database import Database
from service.storage.provenance import CODE, DATA, HARDWARE, PACKAGES, RUN, digest_of
from tests.capsule.repacking import changed, files_in, with_figure, with_json, with_origin
from workers.reproduction.__main__ import main

COMMAND = ("-c", "import sys; from pernodedrop.command import main; sys.exit(main())", "reproduce")
ROOT = Path(__file__).parents[2]


def reproduce_elsewhere(*arguments: object) -> subprocess.CompletedProcess[str]:
    """In a process of its own, which knows no database."""
    environment = {**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    command = [sys.executable, *COMMAND, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def other_entropy(told: Any) -> None:
    [one] = [one for one in told["examinations"] if (one["repeat"], one["inputs"]) == (1, "contrast_5")]
    one["figures"]["total"] = 0.5


@pytest.mark.wide
def test_a_packed_study_is_trained_again(
    db: Database, results: Results, capsule: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [(digest, origin)] = results.provenances.items()
    runs = [*results.trials, *results.confirmations]
    assert {run.provenance for run in runs} == {digest} == {digest_of(origin)}
    assert {*origin} == {PACKAGES, HARDWARE, RUN, CODE, DATA}
    assert capsule_of(results) == capsule.read_bytes()
    assert f"torch=={origin[PACKAGES]['torch']}\n" in files_in(capsule)["requirements.txt"].decode()

    said = len({(one.inputs, figure) for one in results.examinations for figure in one.figures})
    done = reproduce_elsewhere(capsule, "--all")
    assert done.stdout.splitlines() == [
        "trial 0: equal to the last bit (2 epochs, 10 metrics)",
        "trial 1: equal to the last bit (2 epochs, 10 metrics)",
        "trial 2: equal to the last bit (1 epoch, 10 metrics)",
        f"confirmation run 0: equal to the last bit (4 epochs of 2 seeds, 14 metrics, {said} figures of what its "
        "models say)",
    ]
    assert (done.stderr, done.returncode) == ("", 0)

    confirmed = results.confirmations[0].run_id
    other_torch = with_origin(PACKAGES, {"torch": "2.0.0"})
    assert main([str(changed(capsule, with_figure(confirmed, 2, "loss", 1 + 1e-9), other_torch))]) == 1
    line = capsys.readouterr().out
    assert line.startswith("confirmation run 0: differs from epoch 2 on: val_loss was ")
    assert line.endswith(f"; packages torch: 2.0.0 and here {origin[PACKAGES]['torch']}\n")

    assert main([str(changed(capsule, with_json("examinations.json", other_entropy)))]) == 1
    line = capsys.readouterr().out
    assert line.startswith("confirmation run 0: differs in what the model of epoch ")
    assert " of seed 2 says: total of contrast_5 was 0.5 and is " in line
    of_earlier = changed(capsule, lambda files: files.__delitem__("examinations.json"))
    assert examined_of(read_capsule(*unpacked(of_earlier))) == {}
    assert main([str(changed(capsule, with_json("examinations.json", lambda told: told.update(more=1))))]) == 2
    assert 'error: examinations.json is wrong at "more": Extra inputs are not permitted' in capsys.readouterr().err

    elsewhere = with_origin(HARDWARE, {"cpu": "another"})
    near, far = (with_figure(confirmed, 1, "loss", factor) for factor in (1 + 1e-5, 1.1))
    assert main([str(changed(capsule, near, elsewhere))]) == 0
    line = capsys.readouterr().out
    assert "equal within 0.001 of the losses of every first epoch (at most 1.0e-05)" in line
    assert line.endswith(f"; bits cannot be expected: hardware cpu: another and here {origin[HARDWARE]['cpu']}\n")
    assert main([str(changed(capsule, far, elsewhere))]) == 1
    assert "differs in epoch 1 by more than 0.001: val_loss was" in capsys.readouterr().out
