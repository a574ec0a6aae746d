"""Whatever is killed, stopped, cut off or restarted: every study ends with exactly its budget of trials."""

from pathlib import Path

import pytest

from tests.chaos.report import problems_of, report
from tests.chaos.schedule import SHARE, schedule
from tests.chaos.survival import survive


@pytest.mark.chaos
def test_nothing_is_lost_whatever_fails(pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]) -> None:
    seed, minutes = pytestconfig.getoption("--chaos-seed"), pytestconfig.getoption("--chaos-minutes")
    workers = pytestconfig.getoption("--chaos-workers")
    faults = schedule(seed, 60 * SHARE * minutes, workers)
    again = f"make test-chaos SEED={seed} MINUTES={minutes:g}"
    plan = "\n".join(["schedule:", *map(str, faults)])
    with capsys.disabled():
        print(f"\n{len(faults)} faults; to repeat: {again}", flush=True)
        outcome = survive(faults, seed, workers)
        told = report(outcome, again)
        print(told, flush=True)
    if path := pytestconfig.getoption("--chaos-table"):
        Path(path).write_text(told)
    problems = problems_of(outcome)
    assert problems == [], f"{again}\n{plan}"
