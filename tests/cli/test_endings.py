"""How real commands end: signalled in their first seconds, with streams that cannot be used, told to stop."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from tests.cli.test_door import COMMAND, begin, ends

WORKER = (sys.executable, "-m", "workers")
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


def left_behind(home: Path) -> list[str]:
    """The processes whose command line or environment names the folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(home) in " ".join(process.cmdline()) or process.environ().get("PERNODEDROP_HOME") == str(home):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


Case = tuple[tuple[str, ...], signal.Signals, float, bool, tuple[int, ...]]
EARLY: list[Case] = [  # a command, a signal, when, whether twice, and its exit codes: some are faster than the signal
    *(
        ((*COMMAND, order, "--workers", "1"), number, seconds, twice, codes)
        for order, codes in (("run", (130,)), ("serve", (130, 0)))
        for number, seconds, twice in (
            (signal.SIGINT, 1.0, False),
            (signal.SIGINT, 2.5, True),
            (signal.SIGHUP, 4.0, False),
        )
    ),
    *(
        ((*COMMAND, *order), number, 0.4, False, (130, *codes))
        for order, codes in (
            (("controller", "--port", "1"), (1,)),
            (("dashboard", "--port", "1"), (1,)),
            (("studies",), (3,)),
            (("reproduce", "/dev/null"), (2,)),
        )
        for number in (signal.SIGINT, signal.SIGHUP)
    ),
    (WORKER, signal.SIGINT, 0.4, False, (0, 3)),
    (WORKER, signal.SIGHUP, 1.5, True, (0, 3)),
]


@pytest.mark.wide
@pytest.mark.parametrize(("command", "number", "seconds", "twice", "codes"), EARLY)
def test_a_command_that_a_signal_ends_early_says_nothing_of_python_and_leaves_nothing(  # noqa: PLR0917
    command: tuple[str, ...],
    number: signal.Signals,
    seconds: float,
    twice: bool,
    codes: tuple[int, ...],
    home: Path,
) -> None:
    database = None if {"run", "serve"} & {*command} else NOWHERE
    variables = {"PERNODEDROP_HOME": str(home), "DATABASE_URL": database, "PERNODEDROP_URL": None}
    process = begin(*command, variables=variables)
    time.sleep(seconds)
    for _ in range(1 + twice):
        if process.poll() is None:
            os.killpg(process.pid, number)
            time.sleep(0.05)
    code, said, told = ends(process)
    assert code in codes, said + told
    assert "Traceback" not in said + told
    assert left_behind(home) == []


HARMLESS = (("--help",), ("presets", "quickstart"), ("studies",))


@pytest.mark.wide
@pytest.mark.parametrize("program", [COMMAND, WORKER], ids=["command", "worker"])
def test_no_command_trips_over_its_streams_or_its_terminal(program: tuple[str, ...]) -> None:
    """Closed and full streams, readers that leave, an encoding without letters, a terminal of no width."""
    shell = (
        '"$@" <&- >&- 2>&-; echo $? >> "$CODES"',
        '"$@" > /dev/full 2> /dev/full; echo $? >> "$CODES"',
        '"$@" | true; echo ${PIPESTATUS[0]} >> "$CODES"',
        'COLUMNS=1 PYTHONIOENCODING=ascii "$@"; echo $? >> "$CODES"',
        'unset HOME LANG; LC_ALL=C COLUMNS=20 "$@"; echo $? >> "$CODES"',
    )
    orders = HARMLESS if program is COMMAND else (("--help",), ())
    variables = {"DATABASE_URL": NOWHERE, "PERNODEDROP_URL": "http://127.0.0.1:1"}
    for order in orders:
        for line in shell:
            reads, writes = os.pipe()
            told = {"CODES": f"/dev/fd/{writes}"} | variables
            done = subprocess.run(
                ["bash", "-c", line, "bash", *program, *order],
                env={**os.environ, **told},
                pass_fds=[writes],
                capture_output=True,
                text=True,
                check=False,
            )
            os.close(writes)
            with os.fdopen(reads) as codes:
                assert int(codes.read()) in (0, 1, 2, 3), (order, line)
            for said in (done.stdout, done.stderr):
                assert "Traceback" not in said, (order, line)
                assert "Exception ignored" not in said, (order, line)


@pytest.mark.wide
def test_a_reader_that_leaves_ends_the_whole_stack(home: Path) -> None:
    line = f'{sys.executable} -m service.cli run --workers 1 | head -1; echo "${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", line],
        env={**os.environ, "PERNODEDROP_HOME": str(home), "DATABASE_URL": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == ["starting Postgres, controller, dashboard and workers ...", "1"]
    assert "Traceback" not in done.stderr
    assert left_behind(home) == []


@pytest.mark.wide
@pytest.mark.parametrize(
    ("part", "health", "number"),
    [
        ("controller", "/v1/health", signal.SIGINT),
        ("controller", "/v1/health", signal.SIGHUP),
        ("dashboard", "/health", signal.SIGTERM),
    ],
)
def test_a_server_that_is_told_to_stop_ends_in_order(
    part: str, health: str, number: signal.Signals, unused_port: int, tmp_path: Path
) -> None:
    with (tmp_path / "log").open("w") as log:
        process = begin(
            *COMMAND,
            part,
            "--port",
            str(unused_port),
            variables={"DATABASE_URL": NOWHERE},
            output=log.fileno(),
            told=log,
        )
    while not answers(f"http://127.0.0.1:{unused_port}{health}"):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    process.wait()
    said = (tmp_path / "log").read_text()
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert "Finished server process" in said


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False
