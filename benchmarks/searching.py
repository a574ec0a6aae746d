"""How often a search names the best variant, by simulation: variants that learn at different speeds.

    python -m benchmarks.searching                     # 60 studies a setting, half an hour on a quiet core
    python -m benchmarks.searching --studies 10
    python -m benchmarks.searching --recorded digits.json.gz              # what `benchmarks.recording` wrote
    python -m benchmarks.searching --recorded study.zip --trials 15 25    # a capsule of a grid with repeats

Every variant has an optimum of its own (a rate, a width) and a speed; a trial's loss falls from a common start to what
its configuration reaches, and has noise that differs between configurations. Or all configurations of the same space
have really been trained under a few seeds: one is the search's, the others confirm. The best of every variant is
trained again under three fresh seeds, and the least mean is named. The samplers, the pruners and the deal are the
service's own.
"""

import argparse
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import optuna
from optuna.trial import TrialState

from benchmarks.recording import read
from benchmarks.truths import Recorded, Truth, nature, space
from search_spaces import StudyDefinition, TrialConfig, parse_definition
from search_spaces.optuna import build_pruner, build_sampler, given_params, suggest

WAYS = {
    "free, pruned against all": ("free", "median"),
    "free, no pruning": ("free", "none"),
    "fair, pruned within the variant": ("fair", "median"),
    "race, pruned within the variant": ("race", "median"),
}


def definition(parts: Mapping[str, Any], search: str, pruner: str, trials: int, seed: int) -> StudyDefinition:
    """A study of the space; pruning begins after a fifth of the epochs."""
    warmup = parts["task"]["epochs"] // 5
    pruners = {
        "none": {"name": "none"},
        "median": {"name": "median", "n_startup_trials": 5, "n_warmup_epochs": warmup},
    }
    return parse_definition(
        {
            "name": "simulated",
            **{part: parts[part] for part in ("task", "search_space", "fixed")},
            "seed": seed,
            "search": search,
            "pruner": pruners[pruner],
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


def searched(study_definition: StudyDefinition, truth: Truth, noise_seed: int) -> Outcome:
    search = optuna.create_study(pruner=build_pruner(study_definition))
    best: dict[str, tuple[float, TrialConfig]] = {}  # by variant: what the search saw
    epochs = 0
    for ordinal in range(study_definition.trials):
        search.sampler = build_sampler(study_definition, noise_seed * 1000 + ordinal)
        given = given_params(search, study_definition, ordinal)
        if given is not None:
            search.enqueue_trial(dict(given))
        trial = search.ask()
        config = suggest(trial, study_definition)
        value, pruned = math.inf, False
        for epoch, loss in enumerate(truth.curve(config), start=1):
            value = min(value, loss)
            epochs += 1
            trial.report(loss, epoch)
            if trial.should_prune():
                pruned = True
                break
        search.tell(trial, None if pruned else value, state=TrialState.PRUNED if pruned else TrialState.COMPLETE)
        if not pruned and value < best.get(config.variant, (math.inf,))[0]:
            best[config.variant] = (value, config)
    confirmed = dict(zip(best, truth.confirmed([config for _, config in best.values()]), strict=True))
    winner = min(confirmed, key=lambda name: confirmed[name])
    name, reachable = truth.best
    regret = truth.reached(best[winner][1]) - reachable
    return Outcome(winner == name, regret, len(best), epochs / (study_definition.trials * study_definition.epochs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=60, help="simulated studies of every setting")
    parser.add_argument("--trials", type=int, nargs="+", default=[40, 80])
    parser.add_argument(
        "--recorded",
        type=Path,
        metavar="FILE",
        help="search among the trainings of a recording, or of a study, by its capsule",
    )
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    print("| variants differ by | best one is slow | trials | search | best named | regret | complete | epochs |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    if options.recorded is not None:
        parts, curves = read(options.recorded)
        seeds = len(next(iter(curves.values())))
        if seeds == 1:
            parser.error(f"{options.recorded} has one seed: at least one more must confirm")
        compare(parts, (options.recorded.stem, "-"), lambda seed: Recorded(curves, seed % seeds), options)
        return
    for spread in (0.01, 0.03):
        for slow in (False, True):
            compare(space(), (str(spread), "yes" if slow else "no"), partial(nature, spread=spread, slow=slow), options)


def compare(
    parts: Mapping[str, Any], setting: tuple[str, str], truth_of: Callable[[int], Truth], options: argparse.Namespace
) -> None:
    """Print a row for every way to search, with the same truths."""
    for trials in options.trials:
        for way, (search, pruner) in WAYS.items():
            found = [
                searched(definition(parts, search, pruner, trials, seed), truth_of(seed), seed)
                for seed in range(options.studies)
            ]
            regrets = [each.regret for each in found]
            print(
                f"| {setting[0]} | {setting[1]} | {trials} | {way} "
                f"| {fmean(each.named_best for each in found):.2f} "
                f"| {fmean(regrets):.4f} ({stdev(regrets) / math.sqrt(len(found)):.4f}) "
                f"| {fmean(each.with_complete for each in found):.1f} "
                f"| {fmean(each.epochs for each in found):.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
