"""Several trial processes on one device, by the workers' own code: what they hold, bring and survive.

What is stated comes first: the list of GPUs, the readings, the memory beside its estimate, memory that runs out. What
is left of the time goes to trials an hour.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.gpu import needs
from benchmarks.gpu.findings import Findings
from benchmarks.gpu.setting import Setting

if TYPE_CHECKING:
    from benchmarks.gpu.processes import Processes, Watched
    from workers.trial.messages import Order

TABLE = "Trials an hour by trial processes on one device"
SPARE_S = 5.0  # for the last trials to end their epochs, and their processes to go
LEAST_S, MOST_S = 1.0, 6.0  # of training for each figure
CONFIGS: tuple[dict[str, Any], ...] = (
    {"regularizer": "dropout"},
    {"regularizer": "pernodedrop"},
    {"regularizer": "pernodedrop", "stir_type": "gaussian"},
    {"regularizer": "dropconnect"},
)


def run(findings: Findings, setting: Setting) -> None:
    with needs.wheels():
        from benchmarks.gpu import memory, own_tasks, readings, repacking
        from benchmarks.gpu.processes import Processes
    until = time.monotonic() + findings.seconds_left - SPARE_S
    photographs = f"{own_tasks.MODULE}:{setting.pick('Photographs', 'FewPhotographs')}"
    digits = _orders("digits", setting.pick(20, 2), setting.pick(None, 256))
    whole = _orders(photographs, epochs=1, train_size=None)
    part = _orders(photographs, epochs=setting.pick(5, 2), train_size=setting.pick(10_000, 128))
    readings.check(findings, setting)
    with Processes.on(setting.device) as processes:
        held = {"the digits": digits[1], "CIFAR-10's shape": whole[1]}
        first = memory.measure(findings, setting, processes, held, until)
        repacking.check(findings, setting, until)
        counts = setting.pick((1, 2, 4, 8), (1, 2))
        kinds = {"digits": digits, "CIFAR-10's shape": part}
        bench = Bench(findings, processes, [first, *processes.at_once(counts[-1] - 1)], counts)
        for done, (kind, orders) in enumerate(kinds.items()):
            share = partial(_share, until, len(counts) * (len(kinds) - done), setting.pick(MOST_S, LEAST_S))
            findings.check(f"{kind}: {counts[-1]} processes train at once", partial(bench.measure, kind, orders, share))


@dataclass(frozen=True)
class Bench:
    """Trial processes whose trials are counted, by as many at once as `counts` says."""

    findings: Findings
    processes: "Processes"
    pool: "Sequence[Watched]"
    counts: Sequence[int]

    def measure(self, kind: str, orders: "Sequence[Order]", share: Callable[[], float]) -> None:
        """Trials of one kind an hour, each figure over the seconds that `share` tells once all are warm."""
        from benchmarks.gpu.throughput import trials_an_hour, warm

        warm(self.processes.threads, self.pool, orders)
        spec, seconds = orders[0].task, share()
        name = f"{kind}, {spec.epochs} epochs" + ("" if spec.train_size is None else f" of {spec.train_size:,} samples")
        alone: float | None = None
        for count in self.counts:
            hourly, busy = trials_an_hour(self.processes.threads, self.pool[:count], orders, seconds)
            alone = alone or hourly
            self.findings.figure(TABLE, name, f"{count} at once", hourly)
            self.findings.figure(TABLE, f"{name}, beside 1", f"{count} at once", hourly / alone)
            if busy is not None:
                self.findings.figure(TABLE, f"{name}, device busy", f"{count} at once", 100 * busy, "%")


def _share(until: float, figures: int, most: float) -> float:
    """Seconds for each of as many figures, of what is left of the time."""
    return min(max((until - time.monotonic()) / figures, LEAST_S), most)


def _orders(task: str, epochs: int, train_size: int | None) -> "list[Order]":
    """The same trials for every number of processes."""
    from search_spaces import TaskSpec, TrialConfig
    from workers.trial.messages import Order

    spec = TaskSpec(name=task, epochs=epochs, train_size=train_size)
    configs = (TrialConfig(**config, units=64) for config in CONFIGS)
    return [Order(task=spec, config=config, study_seed=7, repeats=1, data_folder=Path()) for config in configs]
