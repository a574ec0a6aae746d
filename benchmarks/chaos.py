"""What faults cost: the same schedule against this fleet and against plain `study.optimize`.

    python benchmarks/chaos.py [--minutes 5] [--seed 7] [--workers 8] [--output tables.md]

Ours is what `make test-chaos` runs. Plain Optuna is as many processes in `study.optimize` on a Postgres of the
same kind, behind the same network, started again when they end, with heartbeats, retries of stale trials and an
end at so many trials; it is asked for as many trials as ours ended in its run. It meets the faults that there
are for it: no controller, no checkpoints, and killing its trial is killing it.
"""

# ruff: noqa: E402
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1].resolve()
# `queue.py` in this folder must not be taken for the standard module.
sys.path[:] = [str(ROOT), *(path for path in sys.path if Path(path) != Path(__file__).parent.resolve())]

import argparse
import os
import platform
import time
import warnings
from collections import Counter

import optuna

from benchmarks.termination import end_in_order
from tests.chaos import table
from tests.chaos.ground import ground
from tests.chaos.plain import Loss, suffer
from tests.chaos.report import problems_of, report
from tests.chaos.schedule import SHARE, schedule
from tests.chaos.survival import Survival, survive


def compared(ours: Survival, plain: Loss) -> str:
    """Both beside each other."""
    runs = ours.counts
    ended = runs.get("complete", 0) + runs.get("pruned", 0)
    poisoned = 1  # the configuration that kills its workers is meant to fail
    failed = runs.get("failed", 0) + runs.get("cancelled", 0) - poisoned
    wanted = sum(runs.values()) - poisoned
    unmeant = [end for end in ours.exits if not end.meant]
    twice = [finding for finding in ours.findings if finding.rule == "an Optuna trial belongs to a run"]
    body = [
        ("faults injected", len(ours.costs), plain.faults),
        ("seconds", f"{ours.seconds:.0f}", f"{plain.seconds:.0f}"),
        ("trials wanted", wanted, plain.wanted),
        ("trials that ended well", ended, plain.ended),
        ("too many", max(0, ended - wanted), max(0, plain.ended - plain.wanted)),
        ("failed for good", failed, plain.failed_for_good),
        ("ended well twice", len(twice), plain.doubled),
        ("epochs trained in vain", sum(cost.lost for _, cost in ours.costs), plain.epochs_lost),
        ("left running", runs.get("running", 0), plain.running),
        ("left waiting", runs.get("waiting", 0), plain.waiting),
        ("workers that died of it, and were started again", len(unmeant), len(plain.deaths)),
        ("workers that did not leave at the end", sum(code != 0 for code in ours.farewells), plain.stuck),
    ]
    return table.markdown(("", "ours", "plain Optuna"), [tuple(map(str, row)) for row in body])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    os.environ["TZ"] = "UTC"
    time.tzset()
    warnings.simplefilter("ignore")
    end_in_order()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    faults = schedule(options.seed, 60 * SHARE * options.minutes, options.workers)
    ours = survive(faults, options.seed, options.workers)
    with ground() as folder:
        plain = suffer(faults, folder, options.workers, wanted=ours.counts["complete"] + ours.counts.get("pruned", 0))
    head = f"Python {platform.python_version()}, Optuna {optuna.__version__}, {os.cpu_count()} cores, "
    again = f"python benchmarks/chaos.py --minutes {options.minutes:g} --seed {options.seed}"
    last_words = Counter(end.last_words for end in plain.deaths).most_common(5)
    told = "\n".join(
        [
            f"{head}`{again}`\n",
            compared(ours, plain),
            report(ours, again),
            *(f"* {times} x {words}" for words, times in last_words),
            *problems_of(ours),
        ]
    )
    print(told)
    if options.output:
        options.output.write_text(told)


if __name__ == "__main__":
    main()
