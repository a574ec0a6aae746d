"""A process ends without a traceback and with an exit code of ours, whatever signal comes when, and has its streams."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import IO

import pytest

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OPEN = "import os, signal, sys, time; from pernodedrop import door; door.open_door()\n"
COMMAND = (sys.executable, "-m", "service.cli")


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
        ("def call():\n with door.undisturbed(): print('ready', flush=True); time.sleep(1)\n sys.exit('disturbed')\n"
         "sys.exit(door.through(call))", 130),
        *((f"from pernodedrop import visible\n{hooks}\n"
           "class Last:\n def __del__(self): print('ready', flush=True); time.sleep(60)\n"
           "def call(): Last(); time.sleep(60)\nsys.exit(door.through(call))", 130)  # raised where nobody can catch it
          for hooks in ("", "visible.escape_the_rest()", "visible.log_to_stderr(form='json')",
                        "visible.escape_the_rest(); visible.log_to_stderr(form='json')")),
    ],
)  # fmt: skip
def test_a_signal_ends_a_process_quietly_whenever_it_comes(program: str, code: int) -> None:
    ending = "" if "sys.exit(door" in program else "\nsys.exit(door._signals.code)"
    started = [(number, begin(sys.executable, "-c", f"{OPEN}{program}{ending}")) for number in SIGNALS]
    for _, process in started:
        ready(process)
    for number, process in started:
        process.send_signal(number)
    assert [ends(process) for _, process in started] == [(code, "", "")] * len(SIGNALS)


def test_signals_of_one_moment_interrupt_once_and_what_is_ignored_stays_so() -> None:
    program = """
def call():
    try:
        print('ready', flush=True)
        time.sleep(60)
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


@pytest.mark.parametrize("arguments", [("presets",), ("presets", "quickstart"), ("presets", "--json")], ids=" ".join)
def test_output_that_cannot_be_written_is_one_line(arguments: tuple[str, ...]) -> None:
    full = a_full_disk()
    assert ends(begin(*COMMAND, *arguments, output=full)) == (
        1, None, "error: No space left on device: standard output\n",
    )  # fmt: skip
    os.close(full)
