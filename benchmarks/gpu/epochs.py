"""What an epoch of training costs for every variant beside dropout: with and without CUDA graphs and bfloat16.

All variants train the paper's network on random samples that lie on the device. They take turns of some steps, so that
a slow moment meets each of them; a ratio is the median over the rounds of two times of one round.
"""

import csv
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import torch

from benchmarks.gpu.findings import Findings
from benchmarks.gpu.graph_checks import check_graphs, step_of
from benchmarks.gpu.networks import BASELINE, DROP_RATE, VARIANTS
from benchmarks.gpu.recording import need_gpu
from benchmarks.gpu.samples import Samples, Task, cifar10, drawn, speech_commands
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.steps import Step
from benchmarks.gpu.stopwatch import seconds_of

AIM = 1.05  # of a variant's time over dropout's
PAPER = Path(__file__).parents[2] / "service" / "reports" / "paper" / "table4_epoch_seconds.csv"
_ROUNDS = 5  # aimed at
_MOST_ROUNDS = 9
_TRIED = 3  # steps of each variant before the first round: kernels are compiled
_PROBED = 4  # steps that say how many fit a turn
_CHECKS_S = 12.0  # kept for the checks of the replays
_END_S = 3.0  # kept for the part's end

Round = Mapping[str, float]  # s, of each variant's turn


@dataclass(frozen=True)
class Mode:
    """How the steps run."""

    name: str  # the tables' column
    graph: bool
    bfloat16: bool


EAGER = (Mode("eager", graph=False, bfloat16=False), Mode("eager bfloat16", graph=False, bfloat16=True))
GRAPH = (Mode("graph", graph=True, bfloat16=False), Mode("graph bfloat16", graph=True, bfloat16=True))


def run(findings: Findings, setting: Setting) -> None:
    """Time both tasks in all modes; what a failed recording might upset comes last."""
    tasks = [(task, drawn(task, setting.device)) for task in (cifar10(setting), speech_commands(setting))]
    _say_what_is_measured(findings)
    until = time.monotonic() + min(findings.seconds_left - _END_S, setting.pick(math.inf, 6.0))
    turns = 2 * len(tasks) * len(EAGER)
    for mode in EAGER:
        for task, samples in tasks:
            share = (until - time.monotonic() - setting.pick(_CHECKS_S, 0.0)) / turns
            _measure(findings, task, samples, mode, share)
            turns -= 1
    check_graphs(findings, *tasks[0])
    for mode in GRAPH:
        for task, samples in tasks:
            _measure(findings, task, samples, mode, (until - time.monotonic()) / turns)
            turns -= 1


def _measure(findings: Findings, task: Task, samples: Samples, mode: Mode, seconds: float) -> None:
    """Build the variants' steps, let them take turns for about so long, and write the tables' column."""
    until = time.monotonic() + seconds
    steps: dict[str, Step] = {}
    findings.check(f"{task.name}, {mode.name}: every variant trains", partial(_build, steps, task, samples, mode))
    if not steps or findings.seconds_left < _END_S:
        return
    left = max(until - time.monotonic(), 0.3 * seconds)  # compiling must not cost all of the time
    probe = sum(_turn(step, samples, task, _PROBED) for step in steps.values()) / _PROBED
    count = max(1, min(task.steps, int(left / _ROUNDS / probe)))
    rounds = list(_rounds(steps, samples, task, count, time.monotonic() + left))
    _write(findings, task, mode, rounds, count)


def _build(steps: dict[str, Step], task: Task, samples: Samples, mode: Mode) -> None:
    """Fill in the variants' steps, each tried out; raises in the end for those that cannot be had."""
    if mode.graph:
        need_gpu(samples.x.device)
    batch = samples.first(task.batch)
    broken = []
    for variant in VARIANTS:
        try:
            step = step_of(task, variant, batch, graph=mode.graph, bfloat16=mode.bfloat16)
            losses = [float(step(*batch).loss) for _ in range(_TRIED)]
            assert all(map(math.isfinite, losses)), f"losses {losses}"
            steps[variant.name] = step
        except Exception as error:  # the other variants are measured all the same
            broken.append((variant.name, error))
    if broken:
        names = ", ".join(f"{name} ({type(error).__name__}: {error})" for name, error in broken)
        raise AssertionError(f"not these: {names}") from broken[0][1]


def _rounds(steps: Mapping[str, Step], samples: Samples, task: Task, count: int, until: float) -> Iterator[Round]:
    """Rounds of turns, at least one, while another one fits the time."""
    longest = 0.0
    for _ in range(_MOST_ROUNDS):
        started = time.monotonic()
        yield {name: _turn(step, samples, task, count) for name, step in steps.items()}
        longest = max(longest, time.monotonic() - started)
        if time.monotonic() + longest > until:
            return


def _turn(step: Step, samples: Samples, task: Task, count: int) -> float:
    """Seconds of so many steps of an epoch; the epoch's order is drawn before."""
    batches = samples.batches(task.batch, count)

    def train() -> None:
        for batch in batches:
            step(samples.x[batch], samples.y[batch])

    return seconds_of(train, samples.x.device)


def _write(findings: Findings, task: Task, mode: Mode, rounds: list[Round], count: int) -> None:
    """The mode's column in the task's two tables."""
    ratios, absolute = f"Epoch of {task}", f"Seconds of an epoch of {task.name}"
    times: dict[str, list[float]] = defaultdict(list)
    for turns in rounds:
        for name, seconds in turns.items():
            times[name].append(seconds)
    for variant in VARIANTS:
        own, base = times[variant.name], times[BASELINE.name]
        if own and base:
            ratio = median(mine / its for mine, its in zip(own, base, strict=True))
            aim = None if variant.regularizer in ("none", BASELINE.regularizer) else AIM
            findings.figure(ratios, variant.name, mode.name, ratio, at_most=aim)
        if own:
            findings.figure(absolute, variant.name, mode.name, median(own) / count * task.steps, "s")
    for name, number in (("rounds", len(rounds)), ("steps a turn", count)):
        findings.figure(f"Rounds and steps timed of {task.name}", name, mode.name, number)


def _say_what_is_measured(findings: Findings) -> None:
    findings.note(
        f"Drop rate {DROP_RATE:g}; the steps of an epoch alone, without its evaluation and without the last, smaller "
        "batch. A turn is a share of the epoch's steps, whose time is scaled to the epoch."
    )
    tf32 = "in TF32" if torch.backends.cudnn.allow_tf32 else "in float32"
    findings.note(f"Without bfloat16 a GPU computes convolutions {tf32}, as torch does by itself; the rest in float32.")
    for dataset, ratios in _printed().items():
        listed = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
        findings.note(f"The paper's table IV as ratios to its Dropout, {dataset}: {listed}.")


def _printed() -> dict[str, dict[str, float]]:
    """The paper's times of an epoch over its Dropout's, by data set and its own names."""
    seconds: dict[str, dict[str, float]] = defaultdict(dict)
    with PAPER.open(newline="") as file:
        for row in csv.DictReader(file):
            seconds[row["dataset"]][row["variant"]] = float(row["mean_seconds"])
    return {
        dataset: {name: value / of_all["Dropout"] for name, value in of_all.items() if name != "Dropout"}
        for dataset, of_all in seconds.items()
        if dataset in ("cifar10", "speech_commands")
    }
