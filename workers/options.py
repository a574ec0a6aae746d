"""The options of `pernodedrop worker`, as people write them."""

import argparse
import os
import re

from pernodedrop.near import hint
from search_spaces.task_folders import HELP, OPTION
from workers.usage import Options, one_of

DESCRIPTION = """\
Lease runs from the database in DATABASE_URL, train them, and record the results.

Start one worker for each device or core, on any number of machines that reach the database. At SIGTERM or Ctrl-C
the worker takes no further run. It hands the current one back with a checkpoint at the end of its epoch, and
another worker resumes it. A second signal hands it back at once.
"""

DEVICES = ("auto", "cpu", "cuda:0")  # that may be meant
MOST_SLOTS = 64
MOST_THREADS = 1024

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


def parser() -> Options:
    """A parser of the command line, whose refusals name the bounds."""
    options = Options("pernodedrop worker", DESCRIPTION, EXAMPLES)
    options.add_argument(
        "--device",
        type=_device,
        default="auto",
        help="auto, cpu or cuda:N; auto: the least used GPU, else the CPU (default: auto)",
    )
    options.add_argument(
        "--slots",
        type=_slots,
        default=1,
        metavar="N|auto",
        help=f"trials that train at once on the device, 1 to {MOST_SLOTS}; auto: as many as fit into its memory "
        "and raise the epochs per second (default: 1)",
    )
    options.add_argument(
        "--threads", type=_threads, default=1, help=f"CPU threads of the training, 1 to {MOST_THREADS} (default: 1)"
    )
    for name, default, text in (
        ("--lease", 60.0, "seconds until another worker takes over a dead worker's run"),
        ("--poll", 1.0, "seconds between two checks of an empty queue"),
        ("--grace", 20.0, "seconds that the current epoch may take after a stop signal"),
        ("--checkpoint-every", 30.0, "seconds between checkpoints; a stop signal writes one too"),
    ):
        options.add_argument(name, type=_seconds, default=default, help=f"{text} (default: {default:g})")
    options.add_argument(
        "--checkpoints",
        metavar="URL",
        default=os.environ.get("PERNODEDROP_CHECKPOINTS"),
        help="folder or fsspec URL (s3://bucket/path) for checkpoints, shared by the workers that may resume "
        "each other's runs; 'none' for none (default: PERNODEDROP_CHECKPOINTS, else PERNODEDROP_HOME/checkpoints)",
    )
    options.add_argument(
        "--artifacts",
        metavar="URL",
        help="folder or fsspec URL for the weights that studies keep, shared with the controller, which hands them "
        "out; 'none' for none (default: PERNODEDROP_ARTIFACTS, else PERNODEDROP_HOME/artifacts)",
    )
    options.add_argument(OPTION, action="append", metavar="FOLDER", help=HELP)
    options.add_argument(
        "--adopt-checkpoints",
        metavar="DATABASE",
        nargs="+",
        default=os.environ.get("PERNODEDROP_ADOPT_CHECKPOINTS", "").split(),
        help="also resume from the checkpoints of these databases, whose successor this one is, such as a restored "
        "dump; their names stand in the warnings and in the files' names (default: PERNODEDROP_ADOPT_CHECKPOINTS)",
    )
    options.add_argument(
        "--supervised",
        action="store_true",
        help="exit with code 4 after a signal, so that a supervisor that did not send it starts this worker again",
    )
    options.add_argument(
        "--metrics-port", type=_port, metavar="PORT", help="serve metrics for Prometheus on this port (default: none)"
    )
    options.add_argument(
        "--metrics-host", default="127.0.0.1", help="the address to serve them on, without a key (default: 127.0.0.1)"
    )
    options.add_argument("--exit-when-idle", action="store_true", help="exit when no run waits")
    levels = ("debug", "info", "warning", "error")
    said = f"{', '.join(levels)} (default: info)"
    options.add_argument("--log-level", default="info", type=one_of(*levels), metavar="LEVEL", help=said)
    return options


def _slots(text: str) -> int | None:
    if text == "auto":
        return None
    if not (text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= MOST_SLOTS):
        raise argparse.ArgumentTypeError(
            f"must be auto or from 1 to {MOST_SLOTS}, got {text[:40]}{hint(text, ('auto',))}"
        )
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
        raise argparse.ArgumentTypeError(f"must be auto, cpu or cuda:N, got {text[:40]}{hint(text, DEVICES)}")
    return text
