"""What the confirmation and the search say of every confirmed configuration, beside a reference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pernodedrop.near import did_you_mean
from service.reports.found.comparison import values_by_repeat
from service.reports.found.confirmed import Confirmation, Confirmed, confirmation_of
from service.reports.found.results import Results
from service.statistics import AllPairs, PairedDifference
from service.storage.records import TrialRecord

BEST_OF_OTHERS = "the best of the others"  # at a look that compared the configuration


class NotConfirmed(ValueError):
    """No configuration of the variant was confirmed, so nothing can be compared with it."""

    def __init__(self, study: str, variant: str, known: Sequence[str]) -> None:
        there = did_you_mean(variant, known, f"choose one of {', '.join(known)}" if known else "none was confirmed yet")
        super().__init__(f"no configuration of {variant!r} was confirmed in study {study!r}: {there}")


@dataclass(frozen=True)
class Row:
    """A confirmed configuration beside the reference; differences are its values minus the reference's."""

    one: Confirmed
    searched: TrialRecord | None  # the best complete trial of the search with the same parameters
    by_seed: tuple[float, ...]  # its first objective under each seed of the search
    in_search: PairedDifference | None  # under the search's seeds, which chose: it flatters
    difference: PairedDifference | None  # under the fresh seeds; the interval holds for all comparisons at once
    alone: PairedDifference | None  # over the seeds that both have, with the interval of this one pair


@dataclass(frozen=True)
class Rows:
    """The rows, the best mean first."""

    confirmation: Confirmation
    reference: int  # the place of the row that the others are compared with
    rows: tuple[Row, ...]

    @property
    def is_decided(self) -> bool:
        """Whether looks at the figures decided the number of seeds: then every interval holds for all looks, too."""
        return self.confirmation.decision is not None


def rows_of(results: Results, to: str | None = None) -> Rows | None:
    """Every confirmed configuration beside the first one, or beside the best one of the variant `to`.

    None before a run of the confirmation is complete.

    Raises:
        NotConfirmed: no configuration of the variant `to` was confirmed.
    """
    confirmation = confirmation_of(results)
    found = () if confirmation is None else confirmation.found
    variants = [one.trial.variant for one in found]
    if to is not None and to not in variants:
        raise NotConfirmed(results.study.name, to, list(dict.fromkeys(variants)))
    if confirmation is None:
        return None
    reference = 0 if to is None else variants.index(to)
    searched = [_searched(results, one) for one in found]
    by_seed = [_by_seed(results, trial) for trial in searched]
    rows = [
        Row(
            one=one,
            searched=searched[place],
            by_seed=by_seed[place],
            in_search=_paired(by_seed[place], by_seed[reference]) if place != reference else None,
            difference=_for_all_pairs(confirmation, place, reference) if place != reference else None,
            alone=_paired(*_figures(confirmation, place, reference)) if place != reference else None,
        )
        for place, one in enumerate(found)
    ]
    return Rows(confirmation, reference, tuple(rows))


def _searched(results: Results, one: Confirmed) -> TrialRecord | None:
    """The configuration's best trial, by what chose it."""
    trials = results.complete_of(one.trial.variant)
    return next((trial for trial in trials if trial.params == one.trial.params), None)


def _by_seed(results: Results, trial: TrialRecord | None) -> tuple[float, ...]:
    """The trial's value under every seed of the search; () where one has none."""
    values = () if trial is None else tuple(values_by_repeat(results, trial))
    return values if len(values) == results.study.definition.repeats else ()


def _paired(values: Sequence[float], reference: Sequence[float]) -> PairedDifference | None:
    """The difference over the seeds that both have; None with fewer than two."""
    shared = min(len(values), len(reference))
    return AllPairs(np.array([values[:shared], reference[:shared]])).difference(0, 1) if shared > 1 else None


def _figures(confirmation: Confirmation, place: int, reference: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return (
        confirmation.found[place].figures[confirmation.metric],
        confirmation.found[reference].figures[confirmation.metric],
    )


def _for_all_pairs(confirmation: Confirmation, place: int, reference: int) -> PairedDifference | None:
    """The difference with an interval that holds for all pairs, and for all looks where there were several.

    None where the looks had no interval for the pair: they compare with the best of the others alone.
    """
    if reference == 0:
        return confirmation.to_winner[place - 1]
    if confirmation.decision is not None:
        return None
    values = np.array([one.figures[confirmation.metric] for one in confirmation.found])
    return AllPairs(values).difference(place, reference) if values.shape[1] > 1 else None
