"""What the configurations of a confirmation are called."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.reports.found.confirmed import Confirmation
from service.reports.words.wording import settings
from service.storage.records import TrialRecord


def names(confirmation: Confirmation) -> list[str]:
    """The configurations by their variant, and by their settings where a variant was confirmed more than once."""
    return named(trials_of(confirmation))


def named(trials: Sequence[TrialRecord]) -> list[str]:
    """The name of every configuration: its variant, with the settings that differ within the variant."""
    return [f"{variant} ({own})" if own else variant for variant, own in told_apart(trials)]


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
