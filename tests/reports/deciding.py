"""Studies whose confirmation goes on until it is decided, built without a database as the storage has them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from service.reports.found.results import Results
from service.storage.records import CurvePoint, TrialRecord
from service.storage.states import StudyState
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


def losses(means: Mapping[str, tuple[float, int]], seed: int = 3, deviation: float = 0.01) -> dict[str, list[float]]:
    """Drawn test losses: by variant a mean and a number of seeds, with luck that the variants share."""
    random = np.random.default_rng(seed)
    luck = random.normal(0, 2 * deviation, max(count for _, count in means.values()))
    return {
        variant: (mean + luck[:count] + random.normal(0, deviation, count)).tolist()
        for variant, (mean, count) in means.items()
    }
