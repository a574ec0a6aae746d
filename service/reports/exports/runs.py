"""The tables of what was asked and answered: every run of the study, and the confirmation's configurations."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.reports.exports.confirmed_rows import BEST_OF_OTHERS, Row, Rows, rows_of
from service.reports.exports.table import Column, Table, mixed_column
from service.reports.found.results import Results, value_of
from service.reports.found.weights import kept_of
from service.reports.words.naming import names
from service.statistics import Interval, PairedDifference
from service.storage.records import TrialRecord, seeds_of


def trial_table(results: Results) -> Table:
    """A row for each trial of the search that has begun, and for each run of the confirmation.

    A value of the test split stands in a column of its own.
    """
    trials = [*results.trials, *results.confirmations]
    seeds = [seeds_of(results.study.definition, trial) for trial in trials]
    trained = dict(zip(*(part.tolist() for part in _trained_seeds(results)), strict=True))
    return {
        "run": Column("int", [trial.run_id or None for trial in trials]),
        "trial": Column("int", [trial.number for trial in trials]),
        "place": Column("int", [trial.place for trial in trials]),
        "stage": Column("text", [str(trial.stage) for trial in trials]),
        "variant": Column("text", [trial.variant for trial in trials]),
        "state": Column("text", [str(trial.state) for trial in trials]),
        **{f"params_{name}": mixed_column([trial.params.get(name) for trial in trials]) for name in _names(trials)},
        **_values(results, trials),
        "best_epoch": Column("int", [trial.best_epoch for trial in trials]),
        "first_seed": Column("int", [each.start for each in seeds]),
        "seeds": Column("int", [len(each) for each in seeds]),
        "seeds_trained": Column("int", [trained.get(trial.run_id, 0) for trial in trials]),
        "epochs": Column("int", [trial.epoch for trial in trials]),
        "seconds": Column("float", [trial.duration_s for trial in trials]),
        "spent_seconds": Column("float", [trial.spent_s for trial in trials]),
        "attempts": Column("int", [trial.attempts for trial in trials]),
        "reason": Column("text", [trial.reason for trial in trials]),
        **{
            f"facts_{name}": mixed_column([trial.facts.get(name) for trial in trials])
            for name in sorted({name for trial in trials for name in trial.facts})
        },
    }


def confirmation_table(results: Results, to: str | None = None) -> Table:
    """A row for each confirmed configuration, the best mean first, compared with the first or with the variant `to`.

    Raises:
        NotConfirmed: no configuration of the variant `to` was confirmed.
    """
    found = rows_of(results, to)
    if found is None:
        return {"run": Column("int", []), "rank": Column("int", []), "variant": Column("text", [])}
    rows, metric, metrics = found.rows, found.confirmation.metric, found.confirmation.metrics
    around = [row.one.interval(metric) for row in rows]
    trials = [row.one.trial for row in rows]
    searched = f"search_{results.objective.metric}"
    reference = names(found.confirmation)[found.reference]
    differences = [row.difference or row.alone for row in rows]
    won = [_won(difference, maximize=found.confirmation.maximize) for difference in differences]
    return {
        "run": Column("int", [trial.run_id for trial in trials]),
        "rank": Column("int", range(1, len(rows) + 1)),
        "variant": Column("text", [trial.variant for trial in trials]),
        **{f"params_{name}": mixed_column([trial.params.get(name) for trial in trials]) for name in _names(trials)},
        "seeds": Column("int", [len(row.one.figures[metric]) for row in rows]),
        metric: Column("float", [_finite(row.one.mean(metric)) for row in rows]),
        f"{metric}_low": Column("float", [each and _finite(each.low) for each in around]),
        f"{metric}_high": Column("float", [each and _finite(each.high) for each in around]),
        "interval": Column("text", [_method(each) for each in around]),
        "compared_with": Column("text", [reference] * len(rows)),
        "difference_to": Column("text", [_whose(row, found, reference) for row in rows]),
        "difference": Column("float", [each and _finite(each.mean) for each in differences]),
        **_bounds("difference", [row.difference for row in rows]),
        **_bounds("alone", [row.alone for row in rows]),
        "seeds_won": Column("int", won),
        **{name: Column("float", [_finite(row.one.mean(name)) for row in rows]) for name in metrics[1:]},
        "search_trial": Column("int", [row.searched and row.searched.number for row in rows]),
        searched: Column("float", [row.searched and _finite(value_of(row.searched)) for row in rows]),
        "search_difference": Column("float", [row.in_search and _finite(row.in_search.mean) for row in rows]),
        **_bounds("search_difference", [row.in_search for row in rows]),
        **_by_seed(metric, [row.one.figures[metric] for row in rows]),
        **(_by_seed(searched, [row.by_seed for row in rows]) if results.study.definition.repeats > 1 else {}),
        **_weights(results, trials),
    }


def _whose(row: Row, found: Rows, reference: str) -> str | None:
    """What the row's difference is to: looks compare with the best of the others at each, not with the reference."""
    if row.difference is None:
        return None if row.alone is None else reference
    return BEST_OF_OTHERS if row.difference.low > -math.inf and found.is_decided else reference


def _weights(results: Results, trials: Sequence[TrialRecord]) -> dict[str, Column]:
    """The digests of the configurations' weights; no column where nothing was kept."""
    kept = {one.trial.run_id: one.digest for one in kept_of(results)}
    return {"weights": Column("text", [kept.get(trial.run_id) for trial in trials])} if kept else {}


def _trained_seeds(results: Results) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every run with a curve, and the number of seeds that it has some epoch of."""
    begun = np.unique(np.stack([results.epochs.run, results.epochs.repeat.astype(np.int64)]), axis=1)[0]
    runs, counts = np.unique(begun, return_counts=True)
    return runs, counts


def _values(results: Results, trials: Sequence[TrialRecord]) -> Table:
    """The values by the name of what they measure."""
    columns: dict[str, list[float | None]] = {}
    for place, objective in enumerate(results.study.definition.objectives):
        for row, trial in enumerate(trials):
            name = objective.tested if trial.is_tested else objective.metric
            column = columns.setdefault(name, [None] * len(trials))
            if trial.values is not None and place < len(trial.values):
                column[row] = _finite(trial.values[place])
    return {name: Column("float", values) for name, values in columns.items()}


def _names(trials: Sequence[TrialRecord]) -> list[str]:
    return sorted({name for trial in trials for name in trial.params})


def _bounds(name: str, differences: Sequence[PairedDifference | None]) -> Table:
    """Bounds and method of the differences' intervals."""
    return {
        f"{name}_low": Column("float", [each and _finite(each.low) for each in differences]),
        f"{name}_high": Column("float", [each and _finite(each.high) for each in differences]),
        f"{name}_interval": Column("text", [_method(each) for each in differences]),
    }


def _method(interval: Interval | None) -> str | None:
    """How the bounds were computed; None where there are none."""
    return str(interval.method) if interval is not None and interval.is_known else None


def _won(difference: PairedDifference | None, *, maximize: bool) -> int | None:
    if difference is None:
        return None
    return difference.higher if maximize else difference.lower


def _by_seed(name: str, values: Sequence[Sequence[float]]) -> Table:
    """A column for every seed, from 0; empty where a configuration has fewer."""
    most = max(map(len, values), default=0)
    return {
        f"{name}_seed_{seed}": Column("float", [_finite(each[seed]) if seed < len(each) else None for each in values])
        for seed in range(most)
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
