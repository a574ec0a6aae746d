"""The time that an epoch takes under each variant."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from service.reports.found.ranking import by_variant
from service.reports.found.results import Results
from service.reports.markup import Html, table
from service.reports.paper import published_epoch_seconds
from service.reports.sections.section import note, section, tag
from service.reports.words.wording import DASH, decimal, places_for
from service.storage.states import RunState

SECONDS = "train_seconds"
REFERENCE = "dropout"
WHAT_IS_TIMED = (
    "Mean and standard deviation over epochs, training only, without evaluation. The first epoch of every training is "
    "left out where there are others, because it pays for compilation. Trials differ in width and share their machine "
    "with others, so these are costs of this study, not a benchmark of the layers."
)
WITH_EPOCHS = (RunState.COMPLETE, RunState.PRUNED)


@dataclass(frozen=True)
class EpochTime:
    """Training seconds of an epoch, over all epochs of a variant's trials."""

    variant: str
    mean: float  # s
    deviation: float | None  # s; None for a single epoch
    epochs: int


def epoch_time(results: Results) -> Html | None:
    times = epoch_times(results)
    if not times:
        return None
    published = published_epoch_seconds(results.study.definition.task.name)
    ours = {time.variant: time.mean for time in times}
    places = places_for(list(ours.values()))
    rows = [
        [
            tag(time.variant),
            _spread(time.mean, time.deviation, places),
            _relative(ours, time.variant),
            f"{time.epochs:,}",
            *(_published(published, time.variant) if published else []),
        ]
        for time in times
    ]
    header = ["Variant", "Seconds", f"Relative to {REFERENCE}", "Epochs"]
    theirs = ["Paper's seconds", "Paper's relative"] if published else []
    return section("Seconds per epoch", table(header + theirs, rows), note(WHAT_IS_TIMED))


def _spread(mean: float, deviation: float | None, places: int) -> str:
    around = "" if deviation is None else f" \N{PLUS-MINUS SIGN} {decimal(deviation, places)}"
    return decimal(mean, places) + around


def _published(seconds: Mapping[str, tuple[float, float]], variant: str) -> list[str]:
    if variant not in seconds:
        return [DASH, DASH]
    return [
        _spread(*seconds[variant], places=2),
        _relative({name: mean for name, (mean, _) in seconds.items()}, variant),
    ]


def _relative(seconds: Mapping[str, float], variant: str) -> str:
    if variant not in seconds or not seconds.get(REFERENCE):
        return DASH
    return f"{seconds[variant] / seconds[REFERENCE]:.2f}"


def epoch_times(results: Results) -> list[EpochTime]:
    """Every variant's epoch time, the quickest first."""
    epochs = results.epochs
    timed = np.flatnonzero(epochs.measured(SECONDS))
    training = epochs.trained()[timed]
    is_first = np.diff(training, prepend=-1) != 0
    is_only = is_first & (np.diff(training, append=-1) != 0)
    counted = timed[~is_first | is_only]
    runs, seconds = epochs.run[counted], epochs.column(SECONDS)[counted]
    of_variant = by_variant(trial for trial in results.trials if trial.state in WITH_EPOCHS)
    times = []
    for variant, trials in of_variant.items():
        own = seconds[np.isin(runs, [trial.run_id for trial in trials])]
        if len(own):
            deviation = float(own.std(ddof=1)) if len(own) > 1 else None
            times.append(EpochTime(variant, float(own.mean()), deviation, len(own)))
    return sorted(times, key=lambda time: time.mean)
