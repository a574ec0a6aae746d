"""`logs`: what the attempts of a run have written, and why they failed."""

import time
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from service.api.models import AttemptLog, Logs
from service.cli.exit_codes import ExitCode, Failure
from service.cli.output import AsJson, print_json
from service.cli.session import client_here, say
from service.cli.studies import StudyName
from service.cli.trials import Confirming, Number
from service.storage.states import OPEN_STATES, Stage
from service.times import to_second

commands = typer.Typer()

LOOK = 1.0  # s between two looks at a trial that is followed
STREAMS = ("stdout", "stderr")


@commands.command()
def logs(  # noqa: PLR0917 (options, given by name)
    name: StudyName,
    number: Number,
    attempt: Annotated[int | None, typer.Option(min=1, help="The attempt, from 1.", show_default="all of them")] = None,
    confirmation: Confirming = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is written until the run has ended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a trial has written: its traceback, and the last lines of standard output and error of each attempt.

    Of each stream the last 200 lines are kept, and at most 64 KiB. What a trial in training writes comes some seconds
    later. What looks like a password, a key or a token is not kept.

    Example:

      pernodedrop logs my-study 12
    """
    stage = Stage.CONFIRMATION if confirmation else Stage.SEARCH
    if follow and as_json:
        raise Failure("give either --follow or --json: a document has an end", ExitCode.WRONG)
    with client_here() as client:
        found = client.logs(name, number, stage, attempt)
        if as_json:
            print_json(found)
            return
        shown = Shown()
        for line in shown.new(found):
            say(line)
        while follow and found.state in OPEN_STATES:
            time.sleep(LOOK)
            found = client.logs(name, number, stage, attempt)
            for line in shown.new(found):
                say(line)
    if not found.attempts:
        say("no attempt has begun yet")


class Shown:
    """What has been shown of a run's logs, so that only what is new is shown next."""

    def __init__(self) -> None:
        self._texts: dict[tuple[int, str], tuple[str, int]] = {}  # what was there, and how many bytes were written
        self._at: tuple[int, str] | None = None
        self._said: set[tuple[int, str]] = set()

    def new(self, logs: Logs) -> Iterator[str]:
        """The lines that are new, each stream of an attempt below a line that names it."""
        for one in logs.attempts:
            yield from self._once(one, "begun", [_heading(one)])
            for stream in STREAMS:
                yield from self._stream(one, stream)
            if one.traceback is not None:
                yield from self._once(one, "traceback", ["traceback:", *_lines(one.traceback)])
            if one.ended_at is not None:
                yield from self._once(one, "ended", [_ending(one)])

    def _once(self, one: AttemptLog, what: str, lines: Sequence[str]) -> Iterator[str]:
        if (one.attempt, what) not in self._said:
            self._said.add((one.attempt, what))
            self._at = None
            yield from lines

    def _stream(self, one: AttemptLog, stream: str) -> Iterator[str]:
        key = one.attempt, stream
        text, written = getattr(one, stream), getattr(one, f"{stream}_bytes")
        before, counted = self._texts.get(key, ("", 0))
        if written == counted:
            return
        self._texts[key] = text, written
        if not counted and len(text.encode()) < written:
            yield f"{stream}, the end of {written} bytes:"
        elif self._at != key:
            yield f"{stream}:"
        self._at = key
        yield from _lines(_rest(text, before))


def _heading(one: AttemptLog) -> str:
    began = f"attempt {one.attempt}, from {to_second(one.started_at)} on {one.worker or 'a worker of the past'}"
    return began if one.written_at is not None else f"{began}: nothing is kept of it"


def _ending(one: AttemptLog) -> str:
    because = f": {one.reason}" if one.reason else ""
    return f"attempt {one.attempt} is {one.state}{because}"


def _lines(text: str) -> Sequence[str]:
    return text.removesuffix("\n").split("\n")


def _rest(text: str, before: str) -> str:
    """What follows in a text that was `before`, of which the beginning may be gone: all where nothing is left of it."""
    if text.startswith(before):
        return text[len(before) :]
    last = before[-200:]
    found = text.rfind(last) if last else -1
    return text if found < 0 else text[found + len(last) :]
