"""Trial processes on one device, by the workers' own code: how many trials an hour, what they hold, what they survive.

There is no queue and no database here; the room of the slots and the trial processes are the worker's.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from benchmarks.gpu import needs
from benchmarks.gpu.findings import Findings
from benchmarks.gpu.setting import Setting

if TYPE_CHECKING:
    from benchmarks.gpu.processes import Watched
    from workers.messages import Order

RATES = "Trials an hour on one device"
COUNTS, SMALL_COUNTS = (1, 2, 4, 8), (1, 2)
TRIALS = 4  # of each process
ENOUGH_S = 12.0  # without which no further number of processes is begun


def run(findings: Findings, setting: Setting) -> None:
    """Readings first, then one process, then one that runs out of memory, then many."""
    with needs.wheels():
        from benchmarks.gpu import crowding, memory, readings
        from benchmarks.gpu.processes import Processes
    until = time.monotonic() + findings.seconds_left
    readings.check(findings, setting)
    with Processes.on(setting.device) as processes:
        memory.measure(findings, setting, processes, orders(setting), until)
    crowding.check(findings, setting, until)
    with Processes.on(setting.device) as processes:
        begun: list[Watched] = []
        for count in setting.pick(COUNTS, SMALL_COUNTS):
            if findings.seconds_left < setting.pick(ENOUGH_S, 0.0):
                findings.note(f"no time was left for {count} processes")
                break
            begun += processes.at_once(count - len(begun))
            findings.check(f"{count} processes train at once", partial(_rate, findings, setting, begun, until))


def orders(setting: Setting) -> "dict[str, Order]":
    """One trial of the paper's network for CIFAR-10 for each of two variants, by name."""
    from search_spaces import TaskSpec, TrialConfig
    from workers.messages import Order

    name = setting.pick("Photographs", "FewPhotographs")
    sizes: dict[str, Any] = setting.pick(
        {"epochs": 5, "train_size": 20_000, "options": {"val_size": 2000}},
        {"epochs": 2, "train_size": 128, "options": {"val_size": 64}},
    )
    spec = TaskSpec(name=f"benchmarks.gpu.own_tasks:{name}", **sizes)
    configs = [TrialConfig(regularizer="dropout", units=64), TrialConfig(regularizer="pernodedrop", units=64)]
    return {
        config.variant: Order(task=spec, config=config, study_seed=7, repeats=1, data_folder=Path())
        for config in configs
    }


def _rate(findings: Findings, setting: Setting, begun: "Sequence[Watched]", until: float) -> str:
    """Trials of a common list, each process taking the next when it is free; all have loaded their data before."""
    from benchmarks.gpu.conducting import trained

    [order, other] = orders(setting).values()
    waiting: SimpleQueue[Order] = SimpleQueue()
    for number in range(TRIALS * len(begun)):
        waiting.put((order, other)[number % 2])

    def work(watched: "Watched") -> int:
        done = 0
        while True:
            try:
                taken = waiting.get_nowait()
            except Empty:
                return done
            trained(watched.process, taken, until)
            done += 1

    with ThreadPoolExecutor(len(begun)) as threads:
        list(threads.map(lambda watched: trained(watched.process, order, until), begun))
        started = time.monotonic()
        done = list(threads.map(work, begun))
        seconds = time.monotonic() - started
    assert sum(done) == TRIALS * len(begun), f"{TRIALS * len(begun)} trials were to be trained, {sum(done)} were"
    hourly, lasts = sum(done) / seconds * 3600, seconds * len(begun) / sum(done)
    findings.figure(RATES, f"{len(begun)} at once", "trials an hour", hourly)
    findings.figure(RATES, f"{len(begun)} at once", "seconds a trial of one process", lasts)
    return f"{hourly:,.0f} trials an hour"
