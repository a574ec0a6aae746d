"""Studies whose confirmation goes on until it is decided, built without a database as the storage has them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from service.reports.found.results import Results
from service.statistics import Outcome, Rules, decide, next_look
from service.storage.records import CurvePoint, TrialRecord
from service.storage.states import RunState, StudyState
from tests.reports.samples import params_of, study_of, trial_of
from tests.reports.test_confirmation import points_of, run_of

REPEATS = 5
SEARCHED = 1  # seeds of the search: the confirmation's begin behind them


def rounds_of(place: int, variant: str, tested: Sequence[float]) -> list[tuple[TrialRecord, list[CurvePoint]]]:
    """A configuration's runs with their curves: one of REPEATS seeds, then one a seed; of earlier ids the first."""
    first = run_of(place, variant)
    later = [
        replace(run_of(100 * (place + 1) + seed, variant), first_seed=SEARCHED + seed, seeds=1)
        for seed in range(REPEATS, len(tested))
    ]
    first = replace(first, first_seed=SEARCHED, seeds=min(REPEATS, len(tested)))
    return [
        (first, points_of(tested[:REPEATS])),
        *((run, points_of([value])) for run, value in zip(later, tested[REPEATS:], strict=True)),
    ]


def waiting_of(place: int, variant: str, begin: int, end: int) -> list[TrialRecord]:
    """The runs that wait to give a configuration the seeds from `begin` to `end`."""
    runs = [(seed, run_of(100 * (place + 1) + seed, variant)) for seed in range(begin, end)]
    return [replace(run, state=RunState.WAITING, first_seed=SEARCHED + seed, seeds=1) for seed, run in runs]


def decided(
    found: Mapping[str, Sequence[float]],
    looks: Sequence[int],
    state: StudyState = StudyState.COMPLETE,
    decision: Mapping[str, Any] | None = None,
    **asked: Any,
) -> Results:
    """A study with these test losses by variant and seed, after these looks; `asked` goes into its confirmation."""
    searched = [trial_of(place, [0.1], params=params_of(variant)) for place, variant in enumerate(found)]
    runs = [round_ for place, variant in enumerate(found) for round_ in rounds_of(place, variant, found[variant])]
    study = study_of(searched, state, confirmation={"repeats": REPEATS, "until": "decided", **asked})
    study = replace(study, looks=tuple((seeds, "sequential") for seeds in looks), decision=decision)
    confirmations = sorted((run for run, _ in runs), key=lambda run: run.run_id)
    return Results(study, searched, {run.run_id: points for run, points in runs}, confirmations)


def followed(
    found: Mapping[str, Sequence[float]], state: StudyState = StudyState.COMPLETE, until: int = 1000, **asked: Any
) -> Results:
    """A study whose looks came as the storage makes them, with the seeds that they ask for; `found` has enough.

    One that is not over had its last look before `until` seeds, and those that are left wait for the next.
    """
    most, indifference = asked.get("most_repeats", 30), asked.get("indifference", 0.0)
    seeds, looks, given = REPEATS, [REPEATS], dict.fromkeys(found, REPEATS)
    while True:
        rows = [list(found[variant][:count]) for variant, count in given.items()]
        decision = decide(rows, looks, Rules(most, indifference))
        is_over = decision.outcome is not Outcome.OPEN or seeds == most
        following = seeds if is_over else next_look(seeds, most)
        if is_over or following > until:
            results = decided({v: found[v][:n] for v, n in given.items()}, looks, state, **asked)
            waiting = [
                run for place in decision.left for run in waiting_of(place, list(found)[place], seeds, following)
            ]
            return replace(results, confirmations=[*results.confirmations, *waiting])
        seeds = following
        looks.append(seeds)
        given |= {list(found)[place]: seeds for place in decision.left}


def losses(means: Mapping[str, tuple[float, int]], seed: int = 3, deviation: float = 0.01) -> dict[str, list[float]]:
    """Drawn test losses: by variant a mean and a number of seeds, with luck that the variants share."""
    random = np.random.default_rng(seed)
    luck = random.normal(0, 2 * deviation, max(count for _, count in means.values()))
    return {
        variant: (mean + luck[:count] + random.normal(0, deviation, count)).tolist()
        for variant, (mean, count) in means.items()
    }
