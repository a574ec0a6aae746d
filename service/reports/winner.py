"""Who won the confirmation, and how sure that is, in plain sentences."""

from service.reports.confirmed import Confirmation
from service.reports.results import Results
from service.reports.wording import decimal, listing, places_for, plural, settings
from service.storage.records import StudyState

IN_THE_VARIANT = ("regularizer", "stir_type", "mask_mode")


def verdict_of(results: Results, confirmation: Confirmation) -> list[str]:
    """The sentences, the winner first; no winner is named before every run of the confirmation has ended."""
    if results.study.state is StudyState.STOPPED:
        return ["The study was stopped in its confirmation: no winner is named."]
    if results.study.state is not StudyState.COMPLETE:
        return ["The confirmation goes on: no winner is named before its end."]
    return [_won(confirmation), *_certainty(confirmation), _measured(confirmation)]


def names(confirmation: Confirmation) -> list[str]:
    """The configurations by their variant, with the settings where a variant was confirmed more than once."""
    trials = [one.trial for one in confirmation.found]
    variants = [trial.variant for trial in trials]
    return [
        trial.variant
        if variants.count(trial.variant) == 1
        else f"{trial.variant} ({settings(trial.params, without=IN_THE_VARIANT)})"
        for trial in trials
    ]


def _won(confirmation: Confirmation) -> str:
    mean, around = confirmation.winner.mean(confirmation.metric), confirmation.winner.interval(confirmation.metric)
    places = places_for([mean])
    figure = f"{decimal(mean, places)} ({decimal(around.low, places)} to {decimal(around.high, places)})"
    return (
        f"{names(confirmation)[0]} wins the confirmation: mean {confirmation.metric} {figure} "
        f"over {plural(confirmation.seeds, 'fresh seed')}."
    )


def _certainty(confirmation: Confirmation) -> list[str]:
    """What the intervals of the differences allow to be said of the others."""
    others = names(confirmation)[1:]
    if not others:
        return ["Nothing else was confirmed, so nothing is compared."]
    level = "the simultaneous 95% intervals of the paired differences"
    told = list(zip(others, confirmation.to_winner, strict=True))
    overlapping = [name for name, difference in told if difference.low <= 0 <= difference.high]
    behind = [name for name, _ in told if name not in overlapping]
    said = [f"It is better than {listing(behind)}: {level} exclude 0."] if behind else []
    if overlapping:
        said.append(
            f"Its lead over {listing(overlapping)} may be luck: {level} include 0. That does not show that they are "
            "equal; more fresh seeds (confirmation.repeats) might tell them apart."
        )
    return said


def _measured(confirmation: Confirmation) -> str:
    if confirmation.is_tested:
        return (
            "Measured on the test split, at the epoch that is best by validation; neither that split nor these seeds "
            "had a part in choosing the configurations."
        )
    return (
        "Measured on the validation split, which also chose the epoch and so flatters all of them: the task has no "
        "test split with this metric."
    )
