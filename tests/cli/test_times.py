"""A time that people read says its zone, and it is the same one everywhere."""

import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from service import times
from service.api.models import AttemptOut
from service.cli.trials import history_table
from service.storage.states import AttemptState

ROOT = Path(__file__).parents[2]
ELSEWHERE = datetime(2026, 11, 29, 1, 30, 5, tzinfo=timezone(timedelta(hours=2)))
A_TIME = re.compile(r"%H|toLocaleTimeString")


def test_a_trials_history_says_the_zone() -> None:
    attempt = AttemptOut(
        number=1, state=AttemptState.RUNNING, worker="node:1", started_at=ELSEWHERE, ended_at=None, reason=None
    )
    started = next(iter(history_table([attempt]).columns[1].cells))
    assert started == "2026-11-28 23:30:05 UTC"


@pytest.mark.parametrize(
    ("write", "text"),
    [
        (times.to_minute, "2026-11-28 23:30 UTC"),
        (times.day, "2026-11-28 UTC"),
        (times.near, "11-28 23:30 UTC"),
        (lambda at: times.span(at, at + timedelta(minutes=2)), "2026-11-28, 23:30:05 to 23:32:05 UTC"),
        (lambda at: times.span(at, at + timedelta(hours=2)), "2026-11-28 23:30 UTC to 2026-11-29 01:30 UTC"),
    ],
)
def test_times_of_another_zone_are_shown_in_utc(write: object, text: str) -> None:
    assert callable(write)
    assert write(ELSEWHERE) == text


def test_a_line_of_the_log_says_the_zone_whatever_the_machines_is() -> None:
    program = (
        "import logging, time; from pernodedrop.visible import FORMAT, LogFormatter; "
        "record = logging.makeLogRecord({'msg': 'said', 'levelname': 'INFO', 'created': 0.0, 'msecs': 0.0}); "
        "print(LogFormatter(FORMAT).format(record))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        env={"TZ": "Asia/Tokyo", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    assert said.stdout.decode() == "1970-01-01 00:00:00,000 UTC INFO said\n"


def test_nobody_writes_a_time_in_a_way_of_its_own() -> None:
    own = [
        str(path.relative_to(ROOT))
        for path in (*(ROOT / "service").rglob("*.py"), *(ROOT / "service").rglob("*.js"))
        if A_TIME.search(path.read_text())
    ]
    assert own == ["service/times.py"]
