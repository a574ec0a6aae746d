"""Where do regularizers end: the curvature of the training loss, the noise of a step's gradient, and the test loss.

    python -m benchmarks.curvature [--epochs 150] [--repeats 5] [--rate 0.2 --rate 0.5] [--arm dropout --arm explicit]

All arms start from the same weights and see the same batches. What is measured belongs to the last weights, when the
learning rate is 0. Differences to no regularizer are paired over the repeats; every interval (95 %) stands for itself.
Below the table stands what a measurement costs, beside the steps of an epoch.
"""

# ruff: noqa: E402
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1].resolve()
# `queue.py` in this folder must not be taken for the standard module.
sys.path[:] = [str(ROOT), *(path for path in sys.path if Path(path) != Path(__file__).parent.resolve())]

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, median
from time import perf_counter

import torch

from benchmarks import trial
from benchmarks.gpu.machine import description
from search_spaces import TaskSpec, TrialConfig
from service.statistics import paired_difference
from workers.tasks import Task, load_task
from workers.training import Training
from workers.training.seeds import repeat_seed

ARMS = {
    "none": TrialConfig("none"),
    "dropout": TrialConfig("dropout"),
    "bernoulli": TrialConfig("pernodedrop", "bernoulli"),
    "gaussian": TrialConfig("pernodedrop", "gaussian"),
    "explicit": TrialConfig("explicit", extra={"noise": "pernodedrop"}),
    "implicit": TrialConfig("implicit", extra={"noise": "pernodedrop"}),
}
FIGURES = (
    "test_loss",
    "train_loss",
    "train_hessian_trace",
    "train_hessian_top",
    "train_weighted_hessian",
    "train_gradient_noise",
)
Arm = tuple[str, float]  # its name, drop rate


def main() -> None:
    options = parser().parse_args()
    torch.set_num_threads(options.threads or 1)
    settings = {"val_size": options.val_size, "backbone": options.backbone}
    task = load_task(TaskSpec(name=options.task, train_size=options.train_size, options=settings), options.data)
    rates = options.rate or [0.2, 0.5]
    arms = [(name, rate) for rate in rates for name in options.arm or ARMS if name != "none"]
    found: dict[Arm, list[dict[str, float]]] = {}
    for repeat in range(options.repeats):
        for arm in (("none", 0.0), *arms):
            found.setdefault(arm, []).append(trained(task, arm, repeat_seed(12, repeat), options))
            if options.output is not None:
                with options.output.open("a") as lines:
                    print(json.dumps({"arm": arm[0], "rate": arm[1], "repeat": repeat, **found[arm][-1]}), file=lines)
    for row in table(found):
        print(f"| {' | '.join(row)} |")
    all_of = [figures for several in found.values() for figures in several]
    print(f"\nseconds of a measurement: {median(each['seconds'] for each in all_of):.3g}")
    print(f"seconds of an epoch's steps: {median(each['train_seconds'] for each in all_of):.3g}")
    print(f"largest residual of the top, of its value: {max(relative(each, 'top_residual') for each in all_of):.2g}")
    print(
        f"mean standard error of the trace, of its value: {fmean(relative(each, 'trace_error') for each in all_of):.2g}"
    )
    print(description(torch.device(options.device)))


def parser() -> argparse.ArgumentParser:
    parsed = trial.parser(__doc__, task="digits", val_size=500)
    parsed.set_defaults(backbone="mlp", epochs=150, train_size=300, batch_size=50)
    parsed.add_argument("--repeats", type=int, default=5, help="seeds (default: 5)")
    parsed.add_argument("--rate", type=float, action="append", help="repeatable (default: 0.2 and 0.5)")
    parsed.add_argument("--arm", action="append", choices=[*ARMS], help="repeatable, beside none (default: all)")
    parsed.add_argument("--learning-rate", type=float, default=0.2, help="of SGD, falling to 0 (default: 0.2)")
    parsed.add_argument("--samples", type=int, default=512, help="of the training split, at the most (default: 512)")
    parsed.add_argument("--vectors", type=int, default=20, help="of random signs (default: 20)")
    parsed.add_argument("--output", type=Path, help="a file for the figures of every training, a JSON object a line")
    return parsed


def trained(task: Task, arm: Arm, seed: int, options: argparse.Namespace) -> dict[str, float]:
    """The figures of the last weights, and the seconds that the curvature took."""
    chosen = ARMS[arm[0]]
    config = TrialConfig(
        chosen.regularizer,
        chosen.stir_type,
        drop_rate=arm[1],
        units=options.units,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        optimizer="sgd",
        momentum=0.0,
        learning_rate_schedule="cosine",
        extra=chosen.extra,
    )
    training = Training(task, config, epochs=options.epochs, seed=seed, device=torch.device(options.device))
    *_, last = training.epochs()
    started = perf_counter()
    curvature = training.curvature(samples=options.samples, vectors=options.vectors)
    return {**last.metrics, **training.test(), **curvature, "seconds": perf_counter() - started}


def relative(figures: Mapping[str, float], name: str) -> float:
    """train_hessian_<name>, of the figure that it belongs to."""
    return figures[f"train_hessian_{name}"] / abs(figures[f"train_hessian_{name.partition('_')[0]}"])


def table(found: Mapping[Arm, Sequence[Mapping[str, float]]]) -> Iterator[list[str]]:
    yield ["rate", "arm", *(heading for name in FIGURES for heading in (name, "to none"))]
    yield ["---"] * (2 + 2 * len(FIGURES))
    for (name, rate), seeds in found.items():
        cells = []
        for figure in FIGURES:
            cells.append(f"{fmean(seed[figure] for seed in seeds):.3g}")
            cells.append(difference(seeds, found["none", 0.0], figure))
        yield [f"{rate:g}", name, *cells]


def difference(seeds: Sequence[Mapping[str, float]], base: Sequence[Mapping[str, float]], name: str) -> str:
    if seeds is base or len(seeds) < 2:
        return ""
    paired = paired_difference([seed[name] for seed in seeds], [seed[name] for seed in base])
    return f"{paired.mean:+.2g} ({paired.low:+.2g} to {paired.high:+.2g})"


if __name__ == "__main__":
    main()
