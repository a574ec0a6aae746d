"""What is below a process, by what the kernel says of each, and by all processes of the machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.trial import family

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")

# A child with two of its own, one of them started by a thread that goes on; and one that has ended and is not reaped.
TREE = """
import os, subprocess, threading, time
def say(number):  # `print` writes a line in two pieces, between which another thread's may come
    os.write(1, b"%d\\n" % number)
def start():
    say(subprocess.Popen(["sleep", "300"]).pid)
    time.sleep(300)
threading.Thread(target=start, daemon=True).start()
say(subprocess.Popen(["sleep", "300"]).pid)
ended = subprocess.Popen(["true"])
os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
say(-ended.pid)
time.sleep(300)
"""
# Its child is an orphan as soon as it has said who that is.
LEAVES = """
import os, time
if os.fork() == 0:
    if (orphan := os.fork()) == 0:
        time.sleep(300)
    print(orphan, flush=True)
    os._exit(0)
os.wait()
time.sleep(300)
"""
# Becomes the parent of orphans, ends all that is below it but one child, and says what is left.
SWEEPS = """
import subprocess, sys
from workers.trial import family
family.adopt_orphans()
kept = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE, text=True)
orphan = int(kept.stdout.readline())
family.end_descendants([kept.pid])
print(orphan, kept.poll())
kept.kill()
"""


@pytest.fixture(params=[True, False], ids=["by the kernel", "by all processes"])
def looked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param and not family._KNOWS_CHILDREN:
        pytest.skip("the kernel does not say what children a process has")
    monkeypatch.setattr(family, "_KNOWS_CHILDREN", request.param)


@pytest.fixture
def tree() -> Iterator[tuple[subprocess.Popen[str], set[int], int]]:
    """A process, those below it that live, and one that does not."""
    with subprocess.Popen([sys.executable, "-c", TREE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said: list[int] = []
        try:
            said += [int(process.stdout.readline()) for _ in range(3)]
            living = {pid for pid in said if pid > 0}
            yield process, living, -min(said)
        finally:
            for pid in (*(pid for pid in said if pid > 0), process.pid):
                os.kill(pid, 9)


@pytest.mark.usefixtures("looked")
def test_all_that_lives_below_is_found(tree: tuple[subprocess.Popen[str], set[int], int]) -> None:
    process, living, ended = tree
    assert family.descendants(process.pid) == living | {ended}  # its own, that it has not reaped
    mine = family.descendants(os.getpid())
    assert mine >= living | {process.pid}
    assert ended not in mine
    left = family.descendants(os.getpid(), [process.pid])
    assert not left & (living | {process.pid, ended})


@pytest.mark.usefixtures("looked")
def test_nothing_is_below_a_process_that_is_gone() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert family.descendants(gone.pid) == set()


def test_an_orphan_ends_and_the_child_that_is_kept_does_not() -> None:
    said = subprocess.check_output([sys.executable, "-c", SWEEPS, LEAVES], text=True, cwd=Path(__file__).parents[2])
    orphan, kept = said.split()
    assert kept == "None"
    assert not Path("/proc", orphan).exists()


@pytest.mark.skipif(not family._KNOWS_CHILDREN, reason="the kernel does not say what children a process has")
def test_processes_that_fork_and_end_without_a_pause_are_found() -> None:
    """Each is an orphan, and another one, at every moment: it must not slip through between two looks."""
    chain = (
        "import os, time\nend = time.monotonic() + 300\nwhile time.monotonic() < end:\n    if os.fork(): os._exit(0)"
    )
    sweep = (
        "import os, subprocess, sys, time\n"
        "from workers.trial import family\n"
        "family.adopt_orphans()\n"
        "subprocess.Popen([sys.executable, '-c', sys.argv[1]]).wait()\n"
        "time.sleep(0.2)\n"
        "family.end_descendants()\n"
        "time.sleep(0.2)\n"
        "print(len([one for one in family._processes() if one[1] == os.getpid()]))\n"
    )
    for _ in range(3):
        said = subprocess.check_output([sys.executable, "-c", sweep, chain], text=True, cwd=Path(__file__).parents[2])
        assert said.strip() == "0"
