"""`pernodedrop worker`: trains runs from the queue until it is asked to stop."""

from pernodedrop import door

if __name__ == "__main__":  # threads that libraries start while they are imported must leave these to ours
    door.hold_signals()
    door.open_streams()
    from workers.secret import hide_secrets

    hide_secrets()

import argparse
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from pernodedrop import late
from pernodedrop.begin import hidden
from pernodedrop.proxies import API_KEY
from pernodedrop.scrubbing import know
from pernodedrop.visible import escape_the_rest, log_format, log_to_stderr, visible_lines
from search_spaces.task_folders import search_tasks
from service.settings import Settings, artifacts_at
from service.storage.database.address import normalise_url
from service.storage.database.database import Database
from service.storage.database.patience import until_usable
from service.storage.database.sqlstates import DATABASE_ERRORS, told
from service.storage.errors import StorageError
from service.storage.places import unusable
from workers import metrics
from workers.options import parser
from workers.runs.agent import Options
from workers.slots import Slots
from workers.trial.machine import cores
from workers.trial.nursery import NURSERY
from workers.trial.process import TrialProcessDied, accuse

log = logging.getLogger(__name__)

ASKED, SIGNALLED = 0, 4  # exit codes of a worker that leaves in order
STUCK_S = 10.0  # s beyond the grace time in which a worker leaves by itself


class Signals:
    """Heeds SIGTERM, SIGINT and SIGHUP from now on, but not those that a trial has sent.

    Each calls `drain`; before there is one, and `seconds` after the first, the process ends with `exit_code`. A thread
    waits for them: a query to a frozen server does not return, and until it does Python runs no signal handler.
    """

    def __init__(self, exit_code: int, seconds: float) -> None:
        self.exit_code, self._seconds = exit_code, seconds
        self.drain: Callable[[], None] = self._leave
        self.came = False
        self._numbers = door.heeded()
        for number in self._numbers:  # where a library's thread takes one
            signal.signal(number, lambda number, _: self._heed(number, 0))
        signal.pthread_sigmask(signal.SIG_BLOCK, self._numbers)
        threading.Thread(target=self._wait, name="signals", daemon=True).start()

    def _wait(self) -> None:
        while True:
            if sys.platform == "darwin":  # does not say who has sent it
                self._heed(signal.sigwait(self._numbers), 0)
            else:
                came = signal.sigwaitinfo(self._numbers)
                self._heed(came.si_signo, came.si_pid)

    def _heed(self, number: int, sender: int) -> None:
        if accuse(sender, number):
            return
        if not self.came:
            self.came = True
            # The run's lease expires then, and its trial's processes notice that this one is gone.
            stuck = threading.Timer(self._seconds, self._leave)
            stuck.daemon = True
            stuck.start()
        self.drain()

    def _leave(self) -> None:
        if self.drain == self._leave:
            NURSERY.abandon()
        os._exit(self.exit_code)


def main(arguments: list[str] | None = None, make_slots: Callable[..., Slots] = Slots) -> int:
    """Run a worker; returns the exit code."""
    options = parser().parse_args(arguments)
    signals = Signals(SIGNALLED if options.supervised else ASKED, options.grace + STUCK_S)
    os.environ["TZ"] = "UTC"  # Optuna stores naive local times
    time.tzset()
    try:
        log_to_stderr(options.log_level.upper(), log_format())
        if options.metrics_port is not None:
            metrics.serve(options.metrics_host, options.metrics_port)
        search_tasks(options.tasks)
    except (ValueError, OSError) as error:
        _complain(error)
        return 2
    for line in hidden():
        logging.getLogger(__name__).warning("%s", line)
    if late.are_due():
        NURSERY.begin()
    try:
        late.await_variables()
        know(os.environ)
        os.environ.pop(API_KEY, None)  # a study's task has no use for it
        settings = Settings.from_environment()
        url = normalise_url(settings.require_database())
        checkpoints, artifacts = _places(options, settings)
    except ValueError as error:
        NURSERY.abandon()
        _complain(error)
        return 2
    try:
        with Database.open(url, pool_size=(options.slots or cores()) + 1) as db:
            metrics.measure(db)
            until_usable(db.check_ready, log.warning)
            slots = make_slots(
                db,
                Options(
                    data_folder=settings.data_folder,
                    device=options.device,
                    threads=options.threads,
                    lease=options.lease,
                    poll=options.poll,
                    grace=options.grace,
                    exit_when_idle=options.exit_when_idle,
                    checkpoints=checkpoints,
                    adopts=tuple(options.adopt_checkpoints),
                    checkpoint_every=options.checkpoint_every,
                    artifacts=artifacts,
                ),
                options.slots,
            )
            signals.drain = slots.drain
            slots.run()
    except (StorageError, ValueError, *DATABASE_ERRORS) as error:
        _complain(told(error))
        return 3
    except TrialProcessDied as error:
        _complain(error)
        return 1
    return signals.exit_code if signals.came else ASKED


def _places(options: argparse.Namespace, settings: Settings) -> tuple[str | None, str | None]:
    """Where checkpoints and weights are kept, None for nowhere.

    Raises:
        ValueError: a place that was asked for can keep nothing. One of the home is warned of.
    """
    checkpoints = None if options.checkpoints == "none" else options.checkpoints or str(settings.home / "checkpoints")
    artifacts = settings.artifacts
    if options.artifacts is not None:
        artifacts = artifacts_at("--artifacts", options.artifacts, settings.home)
    of_home = (str(settings.home / "checkpoints"), str(settings.home / "artifacts"))
    for option, place in (("--checkpoints", checkpoints), ("--artifacts", artifacts)):
        if refusal := unusable(place):
            if place not in of_home:
                raise ValueError(f"{option} {place}: {refusal}")
            log.warning("nothing can be kept at %s: %s", place, refusal)
    return checkpoints, artifacts


def _complain(what: object) -> None:
    with suppress(OSError):  # nobody can be told
        sys.stderr.write(visible_lines(f"error: {what}\n"))


if __name__ == "__main__":
    escape_the_rest()
    code = main()
    gc.freeze()  # or Python looks for garbage at its end, for which whoever stops the service waits
    sys.exit(code)
