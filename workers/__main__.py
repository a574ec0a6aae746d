"""`pernodedrop worker`: trains runs from the queue until it is asked to stop."""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

from pernodedrop.visible import escape_the_rest, log_to_stderr, visible_lines
from service.settings import Settings
from service.storage.database.database import Database
from service.storage.database.patience import AWAY, first_line
from service.storage.errors import StorageError
from workers.runs.agent import Options
from workers.slots import Slots
from workers.trial.checkpoints import unusable
from workers.trial.machine import cores
from workers.trial.process import TrialProcessDied

DESCRIPTION = """\
Lease runs from the database in DATABASE_URL, train them, and record the results.

Start one worker for each device or core, on any number of machines that reach the database. At SIGTERM or Ctrl-C
the worker takes no further run. It hands the current one back with a checkpoint at the end of its epoch, and
another worker resumes it. A second signal hands it back at once.
"""

MOST_SLOTS = 64
STUCK_S = 10.0  # s beyond the grace time in which a worker leaves by itself

EXAMPLES = """\
examples:
  pernodedrop worker                                  the first GPU if there is one, else the CPU
  pernodedrop worker --device cuda:1
  pernodedrop worker --device cpu --threads 8
  pernodedrop worker --slots auto                     as many trials at once as the device can run
  pernodedrop worker --exit-when-idle                 for batch schedulers: exit when the queue is empty

exit codes: 0 stopped normally, 1 the device cannot be used, 2 wrong usage, 3 the database cannot be reached
"""


def main(arguments: list[str] | None = None, make_slots: Callable[..., Slots] = Slots) -> int:
    """Run a worker; returns the exit code."""
    options = _parser().parse_args(arguments)
    os.environ["TZ"] = "UTC"  # Optuna stores naive local times
    time.tzset()
    log_to_stderr(options.log_level.upper())
    settings = Settings.from_environment()
    checkpoints = _checkpoints(options.checkpoints, settings)
    if refusal := unusable(checkpoints):
        _complain(f"--checkpoints {checkpoints}: {refusal}")
        return 2
    try:
        url = settings.require_database()
    except ValueError as error:
        _complain(error)
        return 2
    try:
        with Database.open(url, pool_size=(options.slots or cores()) + 1) as db:
            db.check()
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
                    checkpoint_every=options.checkpoint_every,
                ),
                options.slots,
            )
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: slots.drain())
            _leave_even_if_stuck(options.grace + STUCK_S)
            slots.run()
    except (StorageError, ValueError) as error:
        _complain(error)
        return 3
    except AWAY as error:
        _complain(f"the database does not answer: {first_line(error)}")
        return 3
    except TrialProcessDied as error:
        _complain(error)
        return 1
    return 0


def _complain(what: object) -> None:
    sys.stderr.write(visible_lines(f"error: {what}\n"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "pernodedrop worker",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu or cuda:N; auto: the least used GPU, else the CPU (default: auto)"
    )
    parser.add_argument(
        "--slots",
        type=_slots,
        default=1,
        metavar="N|auto",
        help=f"trials that train at once on the device, 1 to {MOST_SLOTS}; auto: as many as fit into its memory "
        "and raise the epochs per second (default: 1)",
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of the training (default: 1)")
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
    parser.add_argument("--exit-when-idle", action="store_true", help="exit when no run waits")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    return parser


def _leave_even_if_stuck(seconds: float) -> None:
    """End the process `seconds` after the first SIGTERM or SIGINT, even in the middle of a call.

    A query to a frozen server does not return, and until it does Python runs no signal handler.
    """
    signals, inlet = os.pipe()
    os.set_blocking(inlet, False)
    signal.set_wakeup_fd(inlet, warn_on_full_buffer=False)  # written by the C handler, at once

    def watch() -> None:
        while os.read(signals, 1)[0] not in (signal.SIGTERM, signal.SIGINT):
            pass
        time.sleep(seconds)
        os._exit(0)  # the run's lease expires, and the kernel ends the trial process

    threading.Thread(target=watch, name="leave", daemon=True).start()


def _checkpoints(chosen: str | None, settings: Settings) -> str | None:
    return None if chosen == "none" else chosen or str(settings.home / "checkpoints")


def _slots(text: str) -> int | None:
    if text == "auto":
        return None
    if not (text.isdecimal() and 1 <= int(text) <= MOST_SLOTS):
        raise argparse.ArgumentTypeError(f"must be auto or from 1 to {MOST_SLOTS}, got {text}")
    return int(text)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"must be above 0 and below 1e6 seconds, got {text}")
    return value


if __name__ == "__main__":
    escape_the_rest()
    sys.exit(main())
