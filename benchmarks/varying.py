"""What the intervals of a confirmation cover, by what its seeds differ in: the seed alone, the split too, or folds.

    python benchmarks/varying.py --rounds 1000
    python benchmarks/varying.py --digits

The first command simulates. A data set is drawn, 100 samples to train and validate on and 25 to test, and two models
learn it under shared seeds: a linear one, and one with all products of two inputs. Each is drawn by a penalty to the
weights that its seed began with, and the validation split, a fifth, chooses the penalty. The report's interval over the
seeds is compared with what it may be meant for: the mean over all seeds and splits of these data, and the mean over
other data. The other command trains Dropout and PerNodeDrop on the digits, and prints the widths of their intervals.
"""

# ruff: noqa: E402
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1].resolve()
# `queue.py` in this folder must not be taken for the standard module.
sys.path[:] = [str(ROOT), *(path for path in sys.path if Path(path) != Path(__file__).parent.resolve())]

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from service.statistics import mean_interval

Numbers = NDArray[np.float64]
POOL, TEST, INPUTS = 100, 25, 5  # samples, samples, numbers of an input
PENALTIES = (0.1, 1.0, 10.0, 100.0)
BEGINNING = 0.2  # the standard deviation of a weight before the training
REFERENCE = 200  # seeds and splits of one data set, for the mean over all of them
SCHEMES = ("seed", "seed, split", "folds")


@dataclass
class Data:
    """One data set: all samples, the last `TEST` of them the test split."""

    x: Numbers
    y: Numbers

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Data":
        x = rng.standard_normal((POOL + TEST, INPUTS))
        y = np.sin(2 * x[:, 0]) + 0.3 * x[:, 1] * x[:, 2] + rng.standard_normal(len(x))
        return cls(x, y)


def losses(data: Data, scheme: str, number: int, seeds: int) -> Numbers:
    """The test losses (2,) of both methods under seed `number` of so many."""
    order = np.arange(POOL + TEST)
    if scheme == "folds":
        parts = np.array_split(np.random.default_rng(0).permutation(order), seeds)
        tested = parts.pop(number)
        rest = np.concatenate(parts)
    else:
        rest, tested = order[:POOL], order[POOL:]
        rest = np.random.default_rng([1, number if scheme == "seed, split" else 0]).permutation(rest)
    held = len(rest) // 5
    rng = np.random.default_rng([2, number])
    first, second = np.triu_indices(INPUTS)
    found = []
    for x in (data.x, np.hstack([data.x, data.x[:, first] * data.x[:, second]])):
        began = BEGINNING * rng.standard_normal(x.shape[1])
        curve = [_errors(x, data.y, rest[held:], began, penalty) for penalty in PENALTIES]
        best = min(curve, key=lambda errors: errors[rest[:held]].mean())
        found.append(best[tested].mean())
    return np.array(found)


def _errors(x: Numbers, y: Numbers, trained: NDArray[np.int64], began: Numbers, penalty: float) -> Numbers:
    shown = x[trained]
    moved = np.linalg.solve(shown.T @ shown + penalty * np.eye(len(began)), shown.T @ (y[trained] - shown @ began))
    return (x @ (began + moved) - y) ** 2


@dataclass
class Tally:
    """Intervals of one scheme, and what they covered."""

    these: list[bool] = field(default_factory=list)
    others: list[bool] = field(default_factory=list)
    corrected: list[bool] = field(default_factory=list)
    width: list[float] = field(default_factory=list)


def simulate(rounds: int, seeds: int) -> None:
    """Print, for each scheme, the share of intervals that cover, of a method's loss and of the difference of two."""
    figures: dict[str, Callable[[Numbers], Numbers]] = {
        "loss": lambda found: found[:, 0],
        "difference": lambda found: found[:, 0] - found[:, 1],
    }
    sets = [Data.drawn(np.random.default_rng([3, number])) for number in range(rounds)]
    under = {
        scheme: [np.array([losses(data, scheme, number, seeds) for number in range(seeds)]) for data in sets]
        for scheme in SCHEMES
    }
    # Means over other seeds and splits, beyond those of the intervals.
    some = sets[: rounds // 4]
    whole = [np.array([losses(data, "seed, split", seeds + n, seeds) for n in range(REFERENCE)]) for data in some]
    print(f"{seeds} seeds, {rounds} data sets; shares in per cent, with a standard error of at most")
    print(f"{100 * 0.5 / len(some) ** 0.5:.1f} (these data, {len(some)} sets) and {100 * 0.5 / rounds**0.5:.1f}")
    print(f"{'figure':12}{'vary':14}{'these data':>12}{'other data':>12}{'corrected':>12}{'width':>9}")
    for name, figure in figures.items():
        for scheme in SCHEMES:
            means = [figure(found) for found in under[scheme]]
            other = float(np.mean([one.mean() for one in means]))
            tally = Tally()
            for place, values in enumerate(means):
                around = mean_interval(values)
                tally.width.append(around.high - around.low)
                tally.others.append(around.low <= other <= around.high)
                tally.corrected.append(abs(values.mean() - other) <= corrected(values))
                if place < len(some) and scheme != "folds":
                    tally.these.append(around.low <= figure(whole[place]).mean() <= around.high)
            these = f"{100 * np.mean(tally.these):.1f}" if tally.these else "-"
            print(
                f"{name:12}{scheme:14}{these:>12}{100 * np.mean(tally.others):>12.1f}"
                f"{100 * np.mean(tally.corrected):>12.1f}{np.mean(tally.width):>9.3f}"
            )


def corrected(values: Sequence[float] | Numbers) -> float:
    """Half of the interval of Nadeau and Bengio (2003, section 4): the variance's 1/J becomes 1/J + tested/trained."""
    number, share = len(values), TEST / (POOL * 0.8)
    return float(stats.t.ppf(0.975, number - 1) * np.sqrt((1 / number + share) * np.var(values, ddof=1)))


def digits(seeds: int, epochs: int) -> None:
    """Print the widths of the intervals of two methods and of their difference."""
    import torch

    from search_spaces import TaskSpec, TrialConfig
    from service.statistics import paired_difference
    from workers.training import Training
    from workers.training.seeds import repeat_seed
    from workers.trial.dividing import task_of
    from workers.trial.messages import Order

    torch.set_num_threads(1)
    recipe = {"drop_rate": 0.3, "learning_rate": 0.005, "batch_size": 32}
    configs = [TrialConfig(regularizer=name, **recipe) for name in ("dropout", "pernodedrop")]

    def tested(config: TrialConfig, scheme: str, number: int) -> float:
        order = Order(
            task=TaskSpec(name="digits", epochs=epochs, train_size=400),
            config=config,
            study_seed=0,
            repeats=seeds,
            splits_anew=scheme == "seed, split",
            folds=seeds if scheme == "folds" else None,
            data_folder=Path(),
        )
        training = Training(
            task_of(order, number), config, epochs=epochs, seed=repeat_seed(0, number), device=torch.device("cpu")
        )
        best, figure = float("inf"), 0.0
        for epoch in training.epochs():
            if epoch.metrics["val_loss"] < best:
                best, figure = epoch.metrics["val_loss"], training.test()["test_loss"]
        return figure

    print(f"digits, {seeds} seeds, {epochs} epochs, 400 training samples: test_loss, its mean and interval's width")
    print(f"{'vary':14}{'dropout':>18}{'pernodedrop':>18}{'difference':>18}")
    for scheme in SCHEMES:
        found = [[tested(config, scheme, number) for number in range(seeds)] for config in configs]
        texts = [f"{np.mean(one):.4f}, {(i := mean_interval(one)).high - i.low:.4f}" for one in found]
        apart = paired_difference(np.array(found[1]), np.array(found[0]))
        print(f"{scheme:14}" + "".join(f"{t:>18}" for t in (*texts, f"{apart.mean:.4f}, {apart.high - apart.low:.4f}")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000, help="simulated data sets")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--digits", action="store_true", help="train on the digits instead")
    parser.add_argument("--epochs", type=int, default=15)
    options = parser.parse_args()
    if options.digits:
        digits(options.seeds, options.epochs)
    else:
        simulate(options.rounds, options.seeds)


if __name__ == "__main__":
    main()
