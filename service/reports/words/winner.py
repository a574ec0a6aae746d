"""The winner of the confirmation, and how certain it is, in plain sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.reports.found.confirmed import Confirmation
from service.reports.found.results import Results
from service.reports.words.varying import FOLDS_TESTED
from service.reports.words.wording import decimal, listing, places_for, plural, settings
from service.storage.records import TrialRecord
from service.storage.states import StudyState


def verdict_of(results: Results, confirmation: Confirmation) -> list[str]:
    """The sentences, the winner or who is ahead first; nobody is named before every run of the confirmation has
    ended."""
    if results.study.state is StudyState.STOPPED:
        return ["The study was stopped during its confirmation: no winner is named."]
    if results.study.state is not StudyState.COMPLETE:
        return ["The confirmation has not ended: no winner is named before that."]
    return [_ahead(confirmation), *_certainty(confirmation), _measured(results, confirmation)]


def names(confirmation: Confirmation) -> list[str]:
    """The configurations by their variant, and by their settings where a variant was confirmed more than once."""
    return [f"{variant} ({own})" if own else variant for variant, own in told_apart(trials_of(confirmation))]


def trials_of(confirmation: Confirmation) -> list[TrialRecord]:
    """The runs of the confirmed configurations, the best first."""
    return [one.trial for one in confirmation.found]


def told_apart(trials: Sequence[TrialRecord]) -> list[tuple[str, str]]:
    """Every configuration's variant, and those of its settings that differ within the variant."""
    of_variant: dict[str, list[Mapping[str, Any]]] = {}
    for trial in trials:
        of_variant.setdefault(trial.variant, []).append(trial.params)
    return [(trial.variant, _own(trial.params, of_variant[trial.variant])) for trial in trials]


def _own(params: Mapping[str, Any], several: Sequence[Mapping[str, Any]]) -> str:
    shared = [name for name, value in params.items() if all(other.get(name) == value for other in several)]
    return settings(params, without=shared)


def _ahead(confirmation: Confirmation) -> str:
    """Name the winner, or who is ahead where nobody has won."""
    mean, around = confirmation.winner.mean(confirmation.metric), confirmation.winner.interval(confirmation.metric)
    places = places_for([mean])
    interval = f"({decimal(around.low, places)} to {decimal(around.high, places)})"
    seeds = plural(confirmation.seeds, "fresh seed")
    figure = f"mean {confirmation.metric} {decimal(mean, places)} {interval} over {seeds}."
    first, *others = names(confirmation)
    if not others:
        return f"{first} is confirmed: {figure}"
    if undecided(confirmation):
        return f"No winner yet. {first} is ahead: {figure}"
    return f"{first} wins the confirmation: {figure}"


def undecided(confirmation: Confirmation) -> list[str]:
    """The others that cannot be told from the first: the interval of their difference includes 0."""
    compared = zip(names(confirmation)[1:], confirmation.to_winner, strict=True)
    return [name for name, difference in compared if difference.low <= 0 <= difference.high]


def _certainty(confirmation: Confirmation) -> list[str]:
    """Say of each other configuration whether it can be told from the first."""
    others, level = names(confirmation)[1:], undecided(confirmation)
    if not others:
        return ["Nothing else was confirmed, so nothing is compared."]
    intervals = "the simultaneous 95% intervals of the paired differences"
    behind = [name for name in others if name not in level]
    said = [f"It is better than {listing(behind)}: {intervals} exclude 0."] if behind else []
    if level:
        said.append(
            f"Its lead over {listing(level)} may be luck: {intervals} include 0. That does not show that they are "
            "equal; more fresh seeds (confirmation.repeats) might tell them apart."
        )
    return said


def _measured(results: Results, confirmation: Confirmation) -> str:
    if confirmation.is_tested and results.study.definition.folds is not None:
        return FOLDS_TESTED
    if confirmation.is_tested:
        return (
            "Measured on the test split, at the epoch that is best by validation; neither this split nor these "
            "seeds chose the configurations."
        )
    return (
        "Measured on the validation split, which also chose the epoch and so flatters all of them: the task has no "
        "test split with this metric."
    )
