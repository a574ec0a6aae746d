"""A law from another distribution, through the whole stack: definition, workers, results, report."""

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Start
from tests.extensions import outside

ROOT = Path(__file__).parents[2]
STUDY = """
name: outside
task: {name: digits, epochs: 2, train_size: 150}
search_space:
  stir_type: {type: categorical, choices: [laplace, gaussian]}
fixed: {regularizer: pernodedrop, drop_rate: 0.3, units: 16, batch_size: 50}
sampler: {name: grid}
pruner: {name: none}
"""


@pytest.fixture
def installed(home: Path) -> str:
    """What processes need on their path to find the distribution and this repository."""
    outside.install(home / "site")
    return f"{home / 'site'}:{ROOT}"


@pytest.mark.wide
def test_a_study_trains_ranks_and_reports_it(home: Path, start: Start, installed: str) -> None:
    (home / "study.yaml").write_text(STUDY)
    run = start("run", "--file", str(home / "study.yaml"), "--workers", "1", PYTHONPATH=installed)
    said = run.communicate()[0]
    assert run.returncode == 0, said
    assert "2/2 runs" in said
    report = (home / "reports/outside.html").read_text()
    rows = re.findall(r"pernodedrop-(\w+)-dynamic", report)
    assert {"laplace", "gaussian"} <= set(rows)


def test_without_the_distribution_the_definition_is_refused(home: Path, start: Start) -> None:
    (home / "study.yaml").write_text(STUDY)
    run = start("run", "--file", str(home / "study.yaml"), "--workers", "1")
    said = run.communicate()[0]
    assert run.returncode != 0, said
    assert '"laplace"' in said
