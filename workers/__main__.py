"""`pernodedrop worker`: trains runs from the queue until it is asked to stop."""

from pernodedrop import door

if __name__ == "__main__":  # threads that libraries start while they are imported must leave these to ours
    door.hold_signals()
    door.open_streams()
    from workers.secret import hide_secrets

    hide_secrets()

import argparse
import logging
import os
import re
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
from search_spaces.task_folders import HELP, OPTION, search_tasks
from service.settings import Settings, artifacts_at
from service.storage.database.address import normalise_url
from service.storage.database.database import Database
from service.storage.database.patience import until_usable
from service.storage.database.sqlstates import DATABASE_ERRORS, told
from service.storage.errors import StorageError
from service.storage.places import unusable
from workers import metrics
from workers.runs.agent import Options
from workers.slots import Slots
from workers.trial.machine import cores
from workers.trial.nursery import NURSERY
from workers.trial.process import TrialProcessDied, accuse

log = logging.getLogger(__name__)

DESCRIPTION = """\
Lease runs from the database in DATABASE_URL, train them, and record the results.

Start one worker for each device or core, on any number of machines that reach the database. At SIGTERM or Ctrl-C
the worker takes no further run. It hands the current one back with a checkpoint at the end of its epoch, and
another worker resumes it. A second signal hands it back at once.
"""

MOST_SLOTS = 64
MOST_THREADS = 1024
ASKED, SIGNALLED = 0, 4  # exit codes of a worker that leaves in order
STUCK_S = 10.0  # s beyond the grace time in which a worker leaves by itself

EXAMPLES = """\
examples:
  pernodedrop worker                                  the first GPU if there is one, else the CPU
  pernodedrop worker --device cuda:1
  pernodedrop worker --device cpu --threads 8
  pernodedrop worker --slots auto                     as many trials at once as the device can run
  pernodedrop worker --tasks ~/tasks                  finds own tasks in this folder
  pernodedrop worker --exit-when-idle                 for batch schedulers: exit when the queue is empty

exit codes: 0 stopped normally, 1 the device cannot be used, 2 wrong usage, 3 the database cannot be reached,
4 stopped by a signal, with --supervised
"""


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
        os._exit(self.exit_code)


def main(arguments: list[str] | None = None, make_slots: Callable[..., Slots] = Slots) -> int:
    """Run a worker; returns the exit code."""
    options = _parser().parse_args(arguments)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "pernodedrop worker",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--device",
        type=_device,
        default="auto",
        help="auto, cpu or cuda:N; auto: the least used GPU, else the CPU (default: auto)",
    )
    parser.add_argument(
        "--slots",
        type=_slots,
        default=1,
        metavar="N|auto",
        help=f"trials that train at once on the device, 1 to {MOST_SLOTS}; auto: as many as fit into its memory "
        "and raise the epochs per second (default: 1)",
    )
    parser.add_argument(
        "--threads", type=_threads, default=1, help=f"CPU threads of the training, 1 to {MOST_THREADS} (default: 1)"
    )
    for name, default, text in (
        ("--lease", 60.0, "seconds until another worker takes over a dead worker's run"),
        ("--poll", 1.0, "seconds between two checks of an empty queue"),
        ("--grace", 20.0, "seconds that the current epoch may take after a stop signal"),
        ("--checkpoint-every", 30.0, "seconds between checkpoints; a stop signal writes one too"),
    ):
        parser.add_argument(name, type=_seconds, default=default, help=f"{text} (default: {default:g})")
    parser.add_argument(
        "--checkpoints",
        metavar="URL",
        default=os.environ.get("PERNODEDROP_CHECKPOINTS"),
        help="folder or fsspec URL (s3://bucket/path) for checkpoints, shared by the workers that may resume "
        "each other's runs; 'none' for none (default: PERNODEDROP_CHECKPOINTS, else PERNODEDROP_HOME/checkpoints)",
    )
    parser.add_argument(
        "--artifacts",
        metavar="URL",
        help="folder or fsspec URL for the weights that studies keep, shared with the controller, which hands them "
        "out; 'none' for none (default: PERNODEDROP_ARTIFACTS, else PERNODEDROP_HOME/artifacts)",
    )
    parser.add_argument(OPTION, action="append", metavar="FOLDER", help=HELP)
    parser.add_argument(
        "--adopt-checkpoints",
        metavar="DATABASE",
        nargs="+",
        default=os.environ.get("PERNODEDROP_ADOPT_CHECKPOINTS", "").split(),
        help="also resume from the checkpoints of these databases, whose successor this one is, such as a restored "
        "dump; their names stand in the warnings and in the files' names (default: PERNODEDROP_ADOPT_CHECKPOINTS)",
    )
    parser.add_argument(
        "--supervised",
        action="store_true",
        help="exit with code 4 after a signal, so that a supervisor that did not send it starts this worker again",
    )
    parser.add_argument(
        "--metrics-port", type=_port, metavar="PORT", help="serve metrics for Prometheus on this port (default: none)"
    )
    parser.add_argument(
        "--metrics-host", default="127.0.0.1", help="the address to serve them on, without a key (default: 127.0.0.1)"
    )
    parser.add_argument("--exit-when-idle", action="store_true", help="exit when no run waits")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    return parser


def _slots(text: str) -> int | None:
    if text == "auto":
        return None
    if not (text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= MOST_SLOTS):
        raise argparse.ArgumentTypeError(f"must be auto or from 1 to {MOST_SLOTS}, got {text[:40]}")
    return int(text)


def _threads(text: str) -> int:
    if not (text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= MOST_THREADS):
        raise argparse.ArgumentTypeError(f"must be from 1 to {MOST_THREADS}, got {text[:40]}")
    return int(text)


def _port(text: str) -> int:
    if not (text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"must be from 1 to 65535, got {text[:40]}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0 and below 1e6, got {text[:40]}")
    return value


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", text):
        raise argparse.ArgumentTypeError(f"must be auto, cpu or cuda:N, got {text[:40]}")
    return text


if __name__ == "__main__":
    escape_the_rest()
    sys.exit(main())
