"""The objective as a function of the drop rate, with intervals over the seeds."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from statistics import fmean

import numpy as np

from service.reports.found.comparison import values_by_repeat
from service.reports.found.results import Results, value_of
from service.statistics import Interval, mean_interval
from service.statistics.coarse import step_of_shares
from service.storage.records import TrialRecord

RATE = "drop_rate"
MOST_RATES = 500  # that have a mean each
DIGITS = 2


@dataclass(frozen=True)
class Response:
    """A variant's mean first objective at one rate, over its trials there."""

    rate: float
    mean: float
    interval: Interval | None  # of the mean over seeds; None with one seed, or if all have the same mean
    trials: int


def responses(results: Results, variant: str) -> list[Response]:
    """The variant's responses, by rising rate.

    Every seed's value is the mean over the trials at the rate, so that their other settings do not count as luck.
    A study with more than MOST_RATES rates has them rounded: `grouping` says so.
    """
    digits = DIGITS if grouping(results) else None
    by_rate: dict[float, list[TrialRecord]] = defaultdict(list)
    for trial in results.complete_of(variant):
        if RATE in trial.params:
            rate = float(trial.params[RATE])
            by_rate[rate if digits is None else round(rate, digits)].append(trial)
    under = {rate: _under_all_seeds(results, trials) for rate, trials in by_rate.items()}
    step = step_of_shares(list(chain.from_iterable(under.values())))
    return [_response(rate, by_rate[rate], under[rate], step) for rate in sorted(by_rate)]


def grouping(results: Results) -> str:
    """The sentence that says how rates were put together; "" where each stands for itself."""
    rates = {trial.params.get(RATE) for trial in results.best_first} - {None}
    if len(rates) <= MOST_RATES:
        return ""
    return f" Means are taken over rates rounded to {10**-DIGITS:g}, because {len(rates):,} rates were tried."


def methods(several: Iterable[Response]) -> list[str]:
    """The methods that computed the intervals, sorted."""
    return sorted({response.interval.method for response in several if response.interval is not None})


def _under_all_seeds(results: Results, trials: list[TrialRecord]) -> list[list[float]]:
    """The values of every trial that has one under each of several seeds."""
    repeats = results.study.definition.repeats
    each = (values_by_repeat(results, trial) for trial in trials) if repeats > 1 else ()
    return [values for values in each if len(values) == repeats]


def _response(rate: float, trials: list[TrialRecord], by_seed: list[list[float]], step: float) -> Response:
    """The response to the trials at a rate; `step` is that of shares of samples, 0 of other values."""
    if not by_seed:
        return Response(rate, fmean(map(value_of, trials)), None, len(trials))
    means = np.asarray(by_seed).mean(axis=0)  # (seeds,)
    around = mean_interval(means, step=step / len(by_seed))
    return Response(rate, float(means.mean()), None if around.is_point else around, len(by_seed))
