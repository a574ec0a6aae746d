"""`watch`, and the loop that `run` and `submit --watch` share."""

import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from service.api.models import StudyDetail
from service.calling import called
from service.cli.exit_codes import ExitCode
from service.cli.output import AsJson, print_json, tell, wrapped
from service.cli.results import show_results
from service.cli.session import client_here, console_here, say
from service.cli.snapshot import Snapshot, take
from service.cli.views import bars, line
from service.client import Away, Client, Unreachable

commands = typer.Typer()

LOOK = 0.5  # s between two looks on a terminal
READY = 5.0  # s between two questions whether the database can be worked with
LINE = 5.0  # s between two lines elsewhere
NO_ANSWER = "the controller does not answer, trying again"
NO_WORKER = (
    "no worker is alive, so nothing is trained: start one with `pernodedrop worker`, where DATABASE_URL names the "
    "service's database"
)
NO_LOOP = "no own loop asks for trials, so nothing is trained: start your script"
STARTING_S = 60.0  # s in which a stack's workers are there, on a busy machine too
PATIENCE = 60.0  # s without an answer before giving up: a controller may be started again


@commands.command()
def watch(name: Annotated[str, typer.Argument(help="The study's name.")], as_json: AsJson = False) -> None:
    """Follow a study until it has ended, with a bar for it and for each running trial, and print the answer.

    A study that has paused itself, because its first runs failed alike, ends this with its reason and exit code 1.

    Without a terminal, print a line every few seconds; with --json only the study at its end.
    """
    with client_here() as client:
        if as_json:
            study = follow(Console(quiet=True), client, name)
            print_json(study)
            raise typer.Exit(outcome(study))
        raise typer.Exit(watch_to_the_end(client, name))


def watch_to_the_end(client: Client, name: str) -> ExitCode:
    """Follow the study and print its answer; Ctrl-C leaves the study alone."""
    console = console_here()
    try:
        study = follow(console, client, name)
    except KeyboardInterrupt:
        say(f"the study continues; watch it again with: {called(f'watch {name}')}")
        return ExitCode.INTERRUPTED
    show_results(console, client, study)
    return outcome(study)


def outcome(study: StudyDetail) -> ExitCode:
    """Return the exit code: a study without a complete trial has failed, and one that has paused itself needs help."""
    return ExitCode.FAILED if study.best is None or study.pause is not None else ExitCode.DONE


def follow(
    console: Console, client: Client, name: str, check: Callable[[], None] = lambda: None, *, alone: str | None = None
) -> StudyDetail:
    """Show the study until it is over and return its last state; `check` is called before every look.

    While its runs wait and no worker is alive, it says so, or `alone`, which waits for workers that are starting.

    Raises:
        Unreachable: the controller did not answer for a minute.
        Refused: the study does not exist or was deleted.
    """
    looks = _Looks(client, name, check)
    hints = _Hints(alone or NO_WORKER, STARTING_S if alone else 0.0)
    if not console.is_terminal:
        return _follow_in_lines(console, looks, hints)
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while True:
            snapshot = looks.next()
            shown = bars(snapshot) if snapshot else Text(looks.lack)
            hint = snapshot and (looks.obstacle or hints.of(snapshot))
            live.update(Group(shown, Text(wrapped(hint, console.width))) if hint else shown)
            if snapshot and snapshot.over:
                break
            time.sleep(LOOK)
    tell(console, line(snapshot))
    return snapshot.study


def _follow_in_lines(console: Console, looks: "_Looks", hints: "_Hints") -> StudyDetail:
    said, hinted = float("-inf"), None
    while True:
        snapshot = looks.next()
        over = snapshot is not None and snapshot.over
        if over or time.monotonic() - said >= LINE:
            tell(console, line(snapshot) if snapshot else looks.lack)
            said = time.monotonic()
        hint = snapshot and (looks.obstacle or hints.of(snapshot))
        if hint and hint != hinted:
            tell(console, hint)
        hinted = hint
        if snapshot and over:
            return snapshot.study
        time.sleep(LOOK)


class _Looks:
    """Asks for the study again and again; tolerates a silent controller for a while, and waits for its database."""

    def __init__(self, client: Client, name: str, check: Callable[[], None]) -> None:
        self._client, self._name, self._check = client, name, check
        self._answered = time.monotonic()
        self._asked = float("-inf")
        self.lack = ""  # what it waits for, after `next` has returned None
        self.obstacle: str | None = None  # why nothing goes on although the study can be read, such as a full disk

    def next(self) -> Snapshot | None:
        """Return the study's present state; None while the controller does not answer."""
        self._check()
        try:
            snapshot = take(self._client, self._name)
        except Away as error:
            self._answered, self.lack = time.monotonic(), str(error)
            return None
        except Unreachable:
            self.lack = NO_ANSWER
            if time.monotonic() - self._answered > PATIENCE:
                raise
            return None
        self._answered = time.monotonic()
        if self._answered - self._asked >= READY:
            lack = self._client.lack()
            self.obstacle, self._asked = str(lack) if isinstance(lack, Away) else None, self._answered
        return snapshot


class _Hints:
    """What a person can do about a study that waits."""

    def __init__(self, alone: str, patience: float) -> None:
        self._alone, self._patience = alone, patience
        self._attended = time.monotonic()  # when a worker was last there, or nothing waited

    def of(self, snapshot: Snapshot) -> str | None:
        """The sentence for this moment; None where nothing needs to be done."""
        if not snapshot.is_left_alone:
            self._attended = time.monotonic()
        if snapshot.study.pause is not None:
            return f"the study has paused itself: {snapshot.study.pause}"
        if snapshot.study.state == "paused":
            return f"the study is paused: `pernodedrop resume {snapshot.study.name}` continues it"
        alone = NO_LOOP if snapshot.is_own_loops else self._alone
        return alone if snapshot.is_left_alone and time.monotonic() - self._attended >= self._patience else None
