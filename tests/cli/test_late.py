"""A part of the stack begins before the database has an address, and is told it."""

import os
import sys
import time
from pathlib import Path

import pytest

from service.stack.child import Child

WAITING = """
import os
from pernodedrop import late
print("waits", late.are_due(), flush=True)
late.await_variables()
print("has", os.environ["DATABASE_URL"], os.environ.get("ONCE"), flush=True)
"""


@pytest.fixture
def child(tmp_path: Path) -> Child:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return Child("part", [sys.executable, "-c", WAITING], environment, tmp_path / "part.log")


def test_a_part_waits_for_what_it_is_told_and_has_it_at_every_later_start(child: Child) -> None:
    child.start_early({"ONCE": "here"})
    _until(child, "waits True\n")
    child.tell({"DATABASE_URL": "postgresql://there"})
    child.end_by(time.monotonic() + 60)
    child.start()
    child.end_by(time.monotonic() + 60)
    told = "has postgresql://there"
    assert child.log.read_text() == f"waits True\n{told} here\nwaits False\n{told} None\n"
    assert child.status == 0


def test_a_part_ends_in_one_line_where_nobody_can_tell_it_any_more(child: Child) -> None:
    child.start_early({})
    _until(child, "waits True\n")
    child._hang_up()  # as the kernel does when the stack is killed
    child.end_by(time.monotonic() + 60)
    assert child.status == 1
    last = child.log.read_text().splitlines()[-1]
    assert last == "ValueError: the service that has started this process has gone: start it again"


def test_a_part_that_has_ended_by_itself_cannot_be_told_and_nothing_is_raised(child: Child) -> None:
    child.start_early({})
    child.terminate()
    child.end_by(time.monotonic() + 60)
    child.tell({"DATABASE_URL": "postgresql://there"})


def _until(child: Child, said: str) -> None:
    deadline = time.monotonic() + 60
    while child.log.read_text() != said:
        assert time.monotonic() < deadline
        time.sleep(0.02)
