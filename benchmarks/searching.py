"""How often a search names the best variant, by simulation: variants that learn at different speeds.

    python -m benchmarks.searching                     # 60 studies a setting, half an hour on a quiet core
    python -m benchmarks.searching --studies 10

Every variant has an optimum of its own (a rate, a width) and a speed; a trial's loss falls from a common start to what
its configuration reaches, and has noise that differs between configurations. The best of every variant is trained again
under three fresh seeds, and the least mean is named. The samplers, the pruners and the deal are the service's own.
"""

import argparse
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from search_spaces import StudyDefinition, parse_definition, variant_of
from search_spaces.optuna import build_pruner, build_sampler, given_params, suggest

VARIANTS, EPOCHS, CONFIRMED = 8, 20, 3
SEED_NOISE = 0.01  # sd, of a configuration's value under one seed
RATES = [round(0.1 * step, 1) for step in range(10)]
MEDIAN = {"name": "median", "n_startup_trials": 5, "n_warmup_epochs": 4}
WAYS = {
    "free, pruned against all": ("free", MEDIAN),
    "free, no pruning": ("free", {"name": "none"}),
    "fair, pruned within the variant": ("fair", MEDIAN),
    "race, pruned within the variant": ("race", MEDIAN),
}


@dataclass(frozen=True)
class Nature:
    """What a variant's configurations reach, and how fast."""

    level: np.ndarray[Any, Any]  # (V,), the best loss of each variant
    rate: np.ndarray[Any, Any]  # (V,), where it is
    speed: np.ndarray[Any, Any]  # (V,), epochs in which the distance to the end falls to 1/e

    def final(self, variant: int, rate: float, units: int) -> float:
        """The expected loss at the end."""
        return float(self.level[variant] + 0.3 * (rate - self.rate[variant]) ** 2 + 0.01 * abs(math.log2(units / 64)))

    def curve(self, variant: int, end: float) -> Iterator[float]:
        for epoch in range(1, EPOCHS + 1):
            yield end + 0.5 * math.exp(-epoch / self.speed[variant])


def nature(generator: np.random.Generator, spread: float, slow: bool) -> Nature:
    """`slow`: the best variant is the slowest one."""
    level = 0.5 + spread * generator.standard_normal(VARIANTS)
    speed = np.exp(generator.normal(math.log(3.0), 0.4, VARIANTS))
    if slow:
        speed[level.argmin()] = 2 * speed.max()
    # What a slow variant has not reached at the end is part of what it reaches.
    return Nature(level, generator.uniform(0.1, 0.7, VARIANTS), speed)


def definition(search: str, pruner: dict[str, Any], trials: int, seed: int) -> StudyDefinition:
    """Eight variants: masks of PerNodeDrop are six of them."""
    return parse_definition(
        {
            "name": "simulated",
            "task": {"name": "digits", "epochs": EPOCHS},
            "search_space": {
                "regularizer": {"type": "categorical", "choices": ["dropout", "gaussian_dropout", "pernodedrop"]},
                "stir_type": {
                    "type": "categorical",
                    "choices": ["bernoulli", "gaussian", "partial_gaussian"],
                    "when": {"regularizer": "pernodedrop"},
                },
                "mask_mode": {
                    "type": "categorical",
                    "choices": ["dynamic", "fixed"],
                    "when": {"regularizer": "pernodedrop"},
                },
                "drop_rate": {"type": "float", "low": 0.0, "high": 0.9, "step": 0.1},
                "units": {"type": "categorical", "choices": [32, 64, 128]},
            },
            "fixed": {"noisy_fraction": 0.5},
            "seed": seed,
            "search": search,
            "pruner": pruner,
            "budget": {"trials": trials},
        }
    )


@dataclass(frozen=True)
class Outcome:
    """What one study has found."""

    named_best: bool
    regret: float  # in loss
    with_complete: int  # variants with a complete trial
    epochs: float  # of those without pruning


def searched(study_definition: StudyDefinition, truth: Nature, noise_seed: int) -> Outcome:
    search = optuna.create_study(pruner=build_pruner(study_definition))
    names: dict[str, int] = {}
    best: dict[str, tuple[float, float]] = {}  # by variant: what the search saw, what is true
    epochs = 0
    for ordinal in range(study_definition.trials):
        search.sampler = build_sampler(study_definition, noise_seed * 1000 + ordinal)
        given = given_params(search, study_definition, ordinal)
        if given is not None:
            search.enqueue_trial(given)
        trial = search.ask()
        config = suggest(trial, study_definition)
        number = NUMBERS[config.variant]
        names[config.variant] = number
        expected = truth.final(number, config.drop_rate, config.units)
        # Shared seeds: a configuration that is trained again gives the same.
        own = np.random.default_rng((noise_seed, number, round(10 * config.drop_rate), config.units))
        end = expected + SEED_NOISE * own.standard_normal()
        value, pruned = math.inf, False
        for epoch, loss in enumerate(truth.curve(number, end), start=1):
            value = min(value, loss)
            epochs += 1
            trial.report(loss, epoch)
            if trial.should_prune():
                pruned = True
                break
        search.tell(trial, None if pruned else value, state=TrialState.PRUNED if pruned else TrialState.COMPLETE)
        if not pruned and value < best.get(config.variant, (math.inf,))[0]:
            *_, reached = truth.curve(number, expected)
            best[config.variant] = (value, reached)
    fresh = np.random.default_rng((noise_seed, 77))
    confirmed = {name: true + SEED_NOISE * fresh.standard_normal(CONFIRMED).mean() for name, (_, true) in best.items()}
    winner = min(confirmed, key=lambda name: confirmed[name])
    reachable = {
        number: min(list(truth.curve(number, truth.final(number, rate, 64)))[-1] for rate in RATES)
        for number in range(VARIANTS)
    }
    true_best = min(reachable, key=lambda number: reachable[number])
    return Outcome(
        NUMBERS[winner] == true_best,
        best[winner][1] - reachable[true_best],
        len(best),
        epochs / (study_definition.trials * EPOCHS),
    )


NUMBERS = {
    variant_of({"regularizer": "dropout"}): 0,
    variant_of({"regularizer": "gaussian_dropout"}): 1,
    **{
        variant_of({"regularizer": "pernodedrop", "stir_type": stir, "mask_mode": mode}): 2 + 2 * row + column
        for row, stir in enumerate(("bernoulli", "gaussian", "partial_gaussian"))
        for column, mode in enumerate(("dynamic", "fixed"))
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=60, help="simulated studies of every setting")
    parser.add_argument("--trials", type=int, nargs="+", default=[40, 80])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    print("| variants differ by | best one is slow | trials | search | best named | regret | complete | epochs |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for spread in (0.01, 0.03):
        for slow in (False, True):
            for trials in options.trials:
                for way, (search, pruner) in WAYS.items():
                    found = []
                    for seed in range(options.studies):
                        truth = nature(np.random.default_rng((seed, 5)), spread, slow)
                        found.append(searched(definition(search, pruner, trials, seed), truth, seed))
                    regrets = [each.regret for each in found]
                    print(
                        f"| {spread} | {'yes' if slow else 'no'} | {trials} | {way} "
                        f"| {fmean(each.named_best for each in found):.2f} "
                        f"| {fmean(regrets):.4f} ({stdev(regrets) / math.sqrt(len(found)):.4f}) "
                        f"| {fmean(each.with_complete for each in found):.1f} "
                        f"| {fmean(each.epochs for each in found):.2f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
