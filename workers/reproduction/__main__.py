"""`pernodedrop reproduce`: trains a capsule's runs again and compares every figure."""

import os
import sys

from pernodedrop import door

if __name__ == "__main__":
    door.open_door()
    from workers.trial.family import is_secret

    if any(is_secret(name) for name in os.environ):  # no trial finds them then, in no process of this one
        kept = {name: value for name, value in os.environ.items() if not is_secret(name)}
        door.hold_signals()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], kept)  # noqa: S606

import argparse
from contextlib import suppress
from pathlib import Path

from pernodedrop.begin import hidden
from pernodedrop.installation import MissingPackage
from pernodedrop.visible import escape_the_rest, visible_lines
from search_spaces.task_folders import HELP, OPTION, search_tasks
from service.settings import Settings
from service.storage.assignments.progress import EpochDone
from service.storage.capsule import BadCapsule, Capsule, CapsuleRun, read_capsule, unpacked
from service.storage.capsule.content import curves_of
from service.storage.capsule.examined import examined_of
from service.storage.states import Stage
from workers.reproduction.again import Bench, Recorded, Trained
from workers.reproduction.choosing import Wish, chosen
from workers.reproduction.comparison import TOLERANCE
from workers.reproduction.own_code import check_task, other_code
from workers.reproduction.verdict import flaw_of, verdict
from workers.usage import Options

EQUAL, DIFFERENT, WRONG, INTERRUPTED = 0, 1, 2, 130

DESCRIPTION = f"""\
Train runs of a capsule again, from the file alone, and say whether every figure is the same.

Where the processor is the one that trained, figures must be equal to the last bit. On other hardware bits cannot be
expected: there the losses of every training's first epoch must agree within {TOLERANCE:g} of their size. Times and
memory are not compared. Data sets are read from PERNODEDROP_DATA. A capsule holds no code.
"""

EXAMPLES = """\
examples:
  pernodedrop reproduce study.zip                       the recommended configuration, else the search's best trial
  pernodedrop reproduce study.zip --trial 12
  pernodedrop reproduce study.zip --trial 0 --confirmation
  pernodedrop reproduce study.zip --all

exit codes: 0 every run is the same, 1 one differs or cannot be trained, 2 wrong usage or a bad capsule, 130 interrupted
"""


def main(arguments: list[str] | None = None) -> int:
    """Compare the wanted runs; returns the exit code."""
    options = _parser().parse_args(arguments)
    wish = Wish(options.trial, Stage.CONFIRMATION if options.confirmation else Stage.SEARCH, options.all)
    try:
        if options.confirmation and options.trial is None:
            raise ValueError("--confirmation goes with --trial, which is the run's place there then")
        search_tasks(options.tasks)
        capsule = read_capsule(*unpacked(options.capsule))
        runs = chosen(capsule, wish)
        check_task(capsule, options.task_from_here)
        return _compared(capsule, runs, Settings.from_environment().data_folder, options.device)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (BadCapsule, MissingPackage, ValueError) as error:
        return _refused(str(error))
    except OSError as error:
        return _refused(f"{options.capsule}: {error.strerror or error}")


def _compared(capsule: Capsule, runs: list[CapsuleRun], data_folder: Path, device: str | None) -> int:
    curves, examined = curves_of(capsule, [run.run for run in runs]), examined_of(capsule)
    for line in [*hidden(), *other_code(capsule)]:
        _say(f"note: {line}")
    is_equal = True
    with Bench(data_folder, device) as bench:
        for run in runs:
            recorded = Recorded.of(capsule, run, curves.get(run.run, {}), examined.get(run.run, {}))
            is_sound = flaw_of(recorded) is None
            trained = bench.train(recorded, _Progress(run, len(recorded.epochs))) if is_sound else Trained()
            found = verdict(recorded, trained)
            is_equal = is_equal and found.is_equal
            _say(found.line)
    return EQUAL if is_equal else DIFFERENT


class _Progress:
    """Shows on a terminal how far the training is."""

    def __init__(self, run: CapsuleRun, epochs: int) -> None:
        self._run, self._epochs, self._done = run, epochs, 0

    def __call__(self, _: EpochDone) -> None:
        self._done += 1
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{self._run.name}: epoch {self._done} of {self._epochs}\x1b[K\r")
            sys.stderr.flush()


def _say(line: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[K")
    sys.stdout.write(f"{visible_lines(line)}\n")
    sys.stdout.flush()


def _refused(text: str) -> int:
    with suppress(OSError):  # nobody can be told
        sys.stderr.write(visible_lines(f"error: {' '.join(text.split())}\n"))
    return WRONG


def _parser() -> Options:
    parser = Options("pernodedrop reproduce", DESCRIPTION, EXAMPLES)
    parser.add_argument("capsule", type=Path, help="the file that `pernodedrop capsule` has written")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--trial", type=_number, metavar="N", help="one trial, by its number in the study")
    which.add_argument("--winner", action="store_true", help="the recommended runs (the default)")
    which.add_argument("--all", action="store_true", help="every run that was trained to an end or pruned")
    parser.add_argument("--confirmation", action="store_true", help="--trial means a place in the confirmation")
    parser.add_argument("--device", help="cpu, cuda:N or auto:N (default: the kind of device that trained)")
    parser.add_argument(OPTION, action="append", metavar="FOLDER", help=HELP)
    parser.add_argument(
        "--task-from-here",
        metavar="MODULE:CLASS",
        help="run this task of your own installation, if it is the capsule's; built-in tasks need no such word",
    )
    return parser


def _number(text: str) -> int:
    if not (text.isdecimal() and len(text) <= 10):
        raise argparse.ArgumentTypeError(f"must be a whole number from 0, got {text[:40]!r}")
    return int(text)


if __name__ == "__main__":
    escape_the_rest()
    sys.exit(door.through(main))
