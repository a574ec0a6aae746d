"""Workers that were started together share the process that their trials are forked from."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pernodedrop.begin import command
from workers.trial import family, process
from workers.trial.nursery import SHARED, Nursery
from workers.trial.process import TrialProcess

SECRET = "postgresql://me:secret-1@here/db"


@pytest.fixture
def lines() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    pairs = [socket.socketpair() for _ in range(2)]
    yield pairs
    for pair in pairs:
        for end in pair:
            end.close()


def test_two_workers_share_one_and_one_that_finds_it_gone_has_its_own(
    lines: list[tuple[socket.socket, socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = [end.fileno() for _, end in lines]
    program = command("workers.trial.shared", *map(str, theirs))
    environment = {**os.environ, "DATABASE_URL": SECRET, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(program, pass_fds=theirs, env=environment, start_new_session=True) as shared:
        for _, end in lines:
            end.close()
        nurseries = []
        for ours, _ in lines:
            monkeypatch.setenv(SHARED, str(ours.detach()))
            nursery = Nursery()
            nursery.begin()
            nurseries.append(nursery)
        assert SHARED not in os.environ
        for nursery in nurseries:
            assert _is_below(nursery, shared.pid, monkeypatch)
        assert SECRET.encode() not in Path(f"/proc/{shared.pid}/environ").read_bytes()
        nurseries[0].close()
        assert _is_below(nurseries[1], shared.pid, monkeypatch)
        shared.kill()
        shared.wait()
        assert not _is_below(nurseries[1], shared.pid, monkeypatch)
        nurseries[1].close()


def test_it_ends_with_the_last_of_its_workers(lines: list[tuple[socket.socket, socket.socket]]) -> None:
    theirs = [end.fileno() for _, end in lines]
    with subprocess.Popen(command("workers.trial.shared", *map(str, theirs)), pass_fds=theirs) as shared:
        for ours, end in lines:
            end.close()
            assert shared.poll() is None
            ours.close()
        assert shared.wait(120) == 0


def _is_below(nursery: Nursery, pid: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether this nursery's trial processes are the process's descendants."""
    monkeypatch.setattr(process, "NURSERY", nursery)
    trial = TrialProcess("cpu", 1)
    try:
        assert trial._keeper is not None
        return pid in set(family.ancestors(trial._keeper))
    finally:
        trial.kill()
