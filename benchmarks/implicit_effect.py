"""Does mask noise that leaves the expected loss untouched change generalization? The arms of preset implicit-effect.

    python -m benchmarks.implicit_effect [--train-size 150] [--epochs 300] [--repeats 8] [--learning-rate 0.2]

It trains in this process, and measures each arm at the end of its training, when the learning rate is 0: losses on the
training, validation and test splits, the masked training loss that the arms of one rate have in common, and the noise
of a step's gradient, at half of the training too. Differences to one group (DropConnect) are paired over the repeats;
every interval (95 %) stands for itself.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean

import torch

from search_spaces import TrialConfig, load_preset, parse_definition
from search_spaces.grids import Grid, boxes
from service.statistics import paired_difference
from workers.tasks import load_task
from workers.training import Training
from workers.training.seeds import repeat_seed

FIGURES = ("train_masked_loss", "train_loss", "val_loss", "test_loss", "test_accuracy")
NOISES = ("train_mask_noise", "train_gradient_norm")
Arm = tuple[float, str]  # drop rate, variant


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train-size", type=int, default=150)
    parser.add_argument("--val-size", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=0.2)
    parser.add_argument(
        "--pairs", type=int, default=100, help="passes by which the gradient's noise is measured, twice"
    )
    parser.add_argument("--draws", type=int, default=200, help="draws by which the masked training loss is measured")
    parser.add_argument("--output", type=Path, help="a file for the figures of every training, a JSON object a line")
    options = parser.parse_args()
    torch.set_num_threads(1)
    definition = parse_definition(load_preset("implicit-effect"))
    sizes = {"train_size": options.train_size, "options": {**definition.task.options, "val_size": options.val_size}}
    task = load_task(definition.task.model_copy(update=sizes), Path())
    fixed = {**definition.fixed, "learning_rate": options.learning_rate, "mask_noise_pairs": 0, "masked_loss_draws": 0}
    grid = Grid(list(boxes(definition.search_space, fixed)))
    found: dict[Arm, list[Mapping[str, float]]] = {}
    for repeat in range(options.repeats):
        for params in grid:
            config = TrialConfig.from_params({**fixed, **params})
            arm = (config.drop_rate if config.regularizer != "none" else 0.0, config.variant)
            training = Training(
                task,
                config,
                epochs=options.epochs,
                seed=repeat_seed(definition.seed or 0, repeat),
                device=torch.device("cpu"),
            )
            found.setdefault(arm, []).append(trained(training, options.epochs, options.pairs, options.draws))
            if options.output is not None:
                with options.output.open("a") as lines:
                    print(
                        json.dumps({"rate": arm[0], "variant": arm[1], "repeat": repeat, **found[arm][-1]}), file=lines
                    )
    for row in table(found):
        print(f"| {' | '.join(row)} |")


def trained(training: Training, epochs: int, pairs: int, draws: int) -> dict[str, float]:
    """The figures at the end, and half of the training's noise as half_..."""
    figures: dict[str, float] = {}
    for epoch in training.epochs():
        if epoch.number == epochs // 2:
            figures["half_train_mask_noise"] = training.noise(pairs=pairs, draws=0)["train_mask_noise"]
        last = epoch.metrics
    return {**figures, **last, **training.test(), **training.noise(pairs=pairs, draws=draws)}


def table(found: Mapping[Arm, Sequence[Mapping[str, float]]]) -> Iterator[list[str]]:
    noises = ("half_train_mask_noise", *NOISES)
    yield ["rate", "variant", *FIGURES, *(f"{name} to one group" for name in FIGURES), *noises]
    yield ["---"] * (2 + 2 * len(FIGURES) + len(noises))
    for (rate, variant), seeds in sorted(found.items(), key=lambda item: item[0][0]):
        base = next((other for (r, name), other in found.items() if r == rate and name.endswith("groups1")), seeds)
        yield [
            f"{rate:g}",
            variant,
            *(f"{fmean(seed[name] for seed in seeds):.4f}" for name in FIGURES),
            *(difference(seeds, base, name) for name in FIGURES),
            *(f"{fmean(seed[name] for seed in seeds):.3g}" for name in noises),
        ]


def difference(seeds: Sequence[Mapping[str, float]], base: Sequence[Mapping[str, float]], name: str) -> str:
    if seeds is base:
        return "0"
    paired = paired_difference([seed[name] for seed in seeds], [seed[name] for seed in base])
    return f"{paired.mean:+.4f} ({paired.low:+.4f} to {paired.high:+.4f})"


if __name__ == "__main__":
    main()
