"""Open files go from process to process, beside a line's messages."""

import gc
import os
import resource
from multiprocessing import Pipe
from pathlib import Path

import pytest

from workers.trial.channel import hand_over, taken_over


def test_files_come_in_their_order_between_messages() -> None:
    ours, theirs = Pipe()
    with ours, theirs:
        ends = [os.pipe() for _ in range(3)]
        for at, (_, write) in enumerate(ends):
            os.write(write, bytes([at]))
        ours.send("before")
        hand_over(ours, [read for read, _ in ends])
        ours.send("after")
        assert theirs.recv() == "before"
        taken = taken_over(theirs, 3)
        assert [os.read(file, 1) for file in taken] == [bytes([at]) for at in range(3)]
        assert theirs.recv() == "after"
        for file in [*taken, *(end for both in ends for end in both)]:
            os.close(file)


def test_a_line_that_has_ended_brings_no_files() -> None:
    ours, theirs = Pipe()
    with theirs:
        ours.close()
        with pytest.raises(EOFError):
            taken_over(theirs, 1)


def test_files_that_a_process_has_no_room_for_are_an_error_and_none_is_kept() -> None:
    ours, theirs = Pipe()
    with ours, theirs:
        hand_over(ours, [0, 0, 0])
        gc.collect()  # or files that nobody has any more are closed meanwhile
        before = _open_files()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        limit = max(before) + 3
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        filling = list[int]()
        try:
            while len(filling) < limit - len(before):
                filling.append(os.open(os.devnull, os.O_RDONLY))
            for _ in range(2):  # for the line's other descriptor, and for one of the three
                os.close(filling.pop())
            with pytest.raises(OSError, match="3 open files were to come, got 1"):
                taken_over(theirs, 3)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for file in filling:
                os.close(file)
        assert _open_files() == before


def _open_files() -> set[int]:
    listed = list(Path("/proc/self/fd").iterdir())  # with the one that lists them, which is closed by now
    return {int(file.name) for file in listed if file.exists()}
