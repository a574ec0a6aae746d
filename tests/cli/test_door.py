"""A process ends without a traceback and with an exit code of ours, whatever signal comes when, and has its streams."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import httpx
import psutil
import pytest

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OPEN = "import os, signal, sys, time; from pernodedrop import door; door.open_door()\n"
COMMAND = (sys.executable, "-m", "service.cli")
WORKER = (sys.executable, "-m", "workers")
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


def begin(
    *command: str,
    ignored: Sequence[signal.Signals] = (),
    closed: Sequence[int] = (),
    uid: int | None = None,
    variables: Mapping[str, str | None] = {},
    output: int = subprocess.PIPE,
    told: int | IO[str] = subprocess.PIPE,
) -> subprocess.Popen[str]:
    """Start a program as a terminal does, with SIGINT heeded: a shell's background job would ignore it."""

    def prepare() -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN if signal.SIGINT in ignored else signal.default_int_handler)
        for number in closed:
            os.close(number)
        if uid is not None:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)

    environment = {name: value for name, value in {**os.environ, **variables}.items() if value is not None}
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=told,
        text=True,
        errors="surrogateescape",
        start_new_session=True,
        preexec_fn=prepare,  # noqa: PLW1509 (the tests have no other thread here)
        env=environment,
    )


def ends(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    said, told = process.communicate()
    return process.returncode, said, told


def ready(process: subprocess.Popen[str], word: str = "ready\n") -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == word


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("print('ready', flush=True); time.sleep(60)", 130),  # while it imports
        ("door.through(lambda: print('ready', flush=True) or time.sleep(60) or 0)", 130),
        ("door.through(lambda: 3)\nprint('ready', flush=True); time.sleep(60)", 3),  # while Python ends
        ("import atexit; atexit.register(lambda: print('ready', flush=True) or time.sleep(0.3))\n"
         "door.through(lambda: 3)", 3),  # while Python takes our handlers away
        ("def call():\n with door.undisturbed(): print('ready', flush=True); time.sleep(0.2)\n sys.exit('disturbed')\n"
         "sys.exit(door.through(call))", 130),
        ("class Last:\n def __del__(self): print('ready', flush=True); time.sleep(60)\n"
         "def call(): Last(); time.sleep(60)\nsys.exit(door.through(call))", 130),  # raised where nobody can catch it
    ],
)  # fmt: skip
def test_a_signal_ends_a_process_quietly_whenever_it_comes(program: str, code: int) -> None:
    ending = "" if "sys.exit(door" in program else "\nsys.exit(door._signals.code)"
    started = [(number, begin(sys.executable, "-c", f"{OPEN}{program}{ending}")) for number in SIGNALS]
    for number, process in started:
        ready(process)
        process.send_signal(number)
        assert ends(process) == (code, "", "")


def test_signals_of_one_moment_interrupt_once_and_what_is_ignored_stays_so() -> None:
    program = """
def call():
    print('ready', flush=True)
    try: time.sleep(60)
    except KeyboardInterrupt:
        for _ in range(200): time.sleep(0.001)
        print('cleaned up')
        raise
sys.exit(door.through(call))
"""
    process = begin(sys.executable, "-c", OPEN + program)
    ready(process)
    for number in SIGNALS:  # a system that shuts down
        process.send_signal(number)
    assert ends(process) == (130, "cleaned up\n", "")
    nohup = begin(sys.executable, "-c", OPEN + program, ignored=(signal.SIGHUP, signal.SIGINT))
    ready(nohup)
    nohup.send_signal(signal.SIGHUP)
    nohup.send_signal(signal.SIGINT)
    time.sleep(0.05)
    assert nohup.poll() is None
    nohup.send_signal(signal.SIGTERM)
    assert ends(nohup) == (130, "cleaned up\n", "")


def test_signals_wait_across_an_exec() -> None:
    program = (
        "door.hold_signals(); print('ready', flush=True); time.sleep(0.2)\n"
        "os.execv(sys.executable, [sys.executable, '-c', 'from pernodedrop import door; door.open_door(); print(1)'])"
    )
    process = begin(sys.executable, "-c", OPEN + program)
    ready(process)
    process.send_signal(signal.SIGINT)
    assert ends(process) == (130, "", "")


def test_a_closed_stream_is_dev_null_and_its_number_is_taken() -> None:
    program = (
        "print('out'); sys.stderr.write('err\\n'); assert sys.stdin.read() == ''\n"
        "assert os.open('/dev/zero', 0) > 2\n"
        "assert all(os.path.samefile(f'/dev/fd/{n}', os.devnull) for n in CLOSED)"
    )
    for closed in ((0,), (1,), (2,), (0, 1, 2)):
        process = begin(sys.executable, "-c", OPEN + program.replace("CLOSED", str(closed)), closed=closed)
        assert ends(process) == (0, "" if 1 in closed else "out\n", "" if 2 in closed else "err\n"), closed


@pytest.mark.parametrize("coding", ["ascii", "ascii:strict", "latin-1", "utf-8"])
def test_a_letter_that_the_encoding_lacks_is_escaped(coding: str) -> None:
    process = begin(sys.executable, "-c", OPEN + "print('ü→')", variables={"PYTHONIOENCODING": coding})
    shown = {"latin-1": "\udcfc\\u2192\n", "utf-8": "ü→\n"}.get(coding, "\\xfc\\u2192\n")
    assert ends(process) == (0, shown, "")


def a_full_disk() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def test_output_that_cannot_be_written_is_one_line() -> None:
    full = a_full_disk()
    assert ends(begin(*COMMAND, "presets", output=full)) == (
        1, None, "error: No space left on device: standard output\n",
    )  # fmt: skip
    os.close(full)


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
    assert code in codes, told
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
