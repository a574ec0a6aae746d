"""What a search has found after so many epochs, by its pruner: recorded and drawn curves under a simulated fleet.

    python -m benchmarks.pausing                                  # all curves, 50 replications of every setting
    python -m benchmarks.pausing --curves digits --samplers tpe --replications 10
    python -m benchmarks.pausing --curves mine.json.gz            # what `benchmarks.recording` wrote, or a capsule
    python -m benchmarks.pausing --into found.json --docs         # keep what is found, write docs/searching.md of it

A fleet of `--workers` trains on an event clock, where one epoch is one unit of time (see `benchmarks.fleet`); a search
ends when its budget of so many epochs pays for nothing more. A configuration's value is the least validation loss of
its epochs; regret is the mean over the seeds of the one that is named, above the least such mean of any configuration.
Named is the best complete trial, or, before there is one, the best of those that have trained longest.
"""

import argparse
import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna

from benchmarks import crossing
from benchmarks.fleet import Pausing, Search, Stopping, played
from benchmarks.pausing_picture import draw
from benchmarks.pausing_tables import Found, tables, write
from benchmarks.recording import read
from benchmarks.truths import Curves, Recorded, key_of, space
from search_spaces import StudyDefinition, parse_definition
from search_spaces.rungs import ladders_of

RECORDED = Path(__file__).parent / "recorded"
REDUCTION = 3
BRACKETS = {"asha": 1, "asha, 3 brackets": 3}
WAYS = ("none", "median", "hyperband", "successive_halving", *BRACKETS)


def definition(parts: Mapping[str, Any], sampler: str, way: str, cells: int, seed: int) -> StudyDefinition:
    """A study of the space; what pauses is played by the rule itself, and needs no pruner."""
    epochs = parts["task"]["epochs"]
    pruners = {
        "median": {"name": "median", "n_startup_trials": 5, "n_warmup_epochs": epochs // 5},
        "hyperband": {"name": "hyperband", "min_epochs": 1, "reduction_factor": REDUCTION},
        "successive_halving": {"name": "successive_halving", "min_epochs": 1, "reduction_factor": REDUCTION},
    }
    return parse_definition(
        {
            "name": "replayed",
            **{part: parts[part] for part in ("task", "search_space", "fixed")},
            "seed": seed,
            "search": "free",
            "sampler": {"name": sampler},
            "pruner": pruners.get(way, {"name": "none"}),
            "budget": {"trials": cells},
        }
    )


def search_of(study: StudyDefinition, way: str, truth: Recorded, seed: int) -> Search:
    if way not in BRACKETS:
        return Stopping(study, truth, seed, study.trials)
    return Pausing(study, truth, seed, study.trials, ladders=ladders_of(1, REDUCTION, study.epochs, BRACKETS[way]))


def replication(
    among: tuple[Mapping[str, Any], Curves], sampler: str, way: str, seed: int, *, workers: int, trainings: int
) -> dict[str, Any]:
    """One study: its regret after every half a training's worth of epochs, and whether it names the best at the end.

    It also has the number of trials that began, and of those that were trained to the end.
    """
    parts, curves = among
    truth = Recorded(curves, seed % len(next(iter(curves.values()))))
    search = search_of(definition(parts, sampler, way, len(curves), seed), way, truth, seed)
    best, least = truth.best_configuration
    epochs = search.definition.epochs
    marks = [step * epochs // 2 for step in range(1, 2 * trainings + 1)]
    regrets: list[float] = []
    regret, is_best = 0.0, False
    for moment in played(search, workers, trainings * epochs):
        while len(regrets) < len(marks) and moment.spent > marks[len(regrets)]:
            regrets.append(regret)
        config = moment.named.config
        regret = truth.reached(config) - least
        is_best = key_of(config.variant, config.drop_rate, config.units) == best
    left = len(marks) - len(regrets)
    complete = sum(each.epochs == epochs for each in search.trials)
    return {
        "epochs": epochs,
        "regrets": [*regrets, *[regret] * left],
        "is_best": is_best,
        "begun": len(search.trials),
        "complete": complete,
    }


def truths(name: str) -> Iterator[tuple[Mapping[str, Any], Curves]]:
    """The space and the curves of each replication in turn: drawn anew, or the same recorded ones."""
    if name in crossing.KINDS:
        seed = 0
        while True:
            yield space(epochs=crossing.LONG), crossing.curves(name, seed)
            seed += 1
    file = RECORDED / f"{name}.json.gz"
    parts, curves = read(file if file.exists() else Path(name))
    while True:
        yield parts, curves


def main() -> None:
    names = [file.name.removesuffix(".json.gz") for file in sorted(RECORDED.glob("*.json.gz"))]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--curves", nargs="+", default=[*names, *crossing.KINDS], help="recorded or drawn ones, by name"
    )
    parser.add_argument("--samplers", nargs="+", default=["random", "tpe"])
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS)
    parser.add_argument("--replications", type=int, default=50)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--trainings", type=int, default=10, help="the budget, in whole trainings' worth of epochs")
    parser.add_argument("--into", type=Path, metavar="FILE", help="what was found, added to what the file has")
    parser.add_argument("--docs", action="store_true", help="write what the file has into docs/searching.md")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    fleet = {"workers": options.workers, "trainings": options.trainings}
    found: Found = {}
    if options.into is not None and options.into.exists():
        found = json.loads(options.into.read_text())
    for name in options.curves:
        for sampler in options.samplers:
            for way in options.ways:
                key = f"{name} | {sampler} | {way}"
                had = found.setdefault(key, [])
                for seed, among in zip(range(options.replications), truths(name), strict=False):
                    if seed >= len(had):
                        had.append(replication(among, sampler, way, seed, **fleet))
                if options.into is not None:
                    options.into.write_text(json.dumps(found))
    for sampler in options.samplers:
        print("\n\n".join(tables(found, options.curves, sampler)), end="\n\n")
    if options.docs:
        write(found, {"recorded": names, "drawn": list(crossing.KINDS)}, ("random", "tpe"))
        draw(found, names)


if __name__ == "__main__":
    main()
