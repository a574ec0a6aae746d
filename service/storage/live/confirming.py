"""How a confirmation stands: each configuration with its seeds so far, and whether it is in it still."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from search_spaces import recorded_params, variant_of
from search_spaces.objective import TEST
from search_spaces.variants import telling_in
from service.storage.records import StudyRecord
from service.storage.runs.configurations import configuration_key
from service.storage.states import RunState

_RUNS = sa.text(
    """
    SELECT id, ordinal, params, state, reason, seeds, values[1] AS value, facts->>'confirmed_on' AS confirmed_on
    FROM fleet.runs WHERE study_id = :study AND stage = 'confirmation' ORDER BY ordinal
    """
)
_LOOK = sa.text("SELECT runs, kept FROM fleet.looks WHERE study_id = :study ORDER BY seeds DESC LIMIT 1")


class Standing(StrEnum):
    """Whether a configuration is in a confirmation still, or why it is not."""

    LEFT = "left"
    DROPPED = "dropped"  # a look found another one certainly better
    DIVERGED = "diverged"  # a look found a figure of it that is no number
    FAILED = "failed"  # a run of it failed
    CANCELLED = "cancelled"  # a run of it was cancelled


@dataclass(frozen=True)
class Lost:
    """A run that took its configuration out of the confirmation."""

    place: int  # in the confirmation
    reason: str | None


@dataclass(frozen=True)
class Confirmed:
    """A configuration of a confirmation."""

    params: Mapping[str, Any]  # as they are shown
    variant: str
    seeds: int  # with a result
    training: int  # seeds of its runs in training
    waiting: int  # seeds of its runs that wait
    mean: float | None  # over the seeds with a result; None where one is no number
    is_tested: bool  # whether the means are of the test split: the same for all configurations
    standing: Standing
    lost: Lost | None  # the first run that failed or was cancelled


def standing(connection: sa.Connection, study: StudyRecord) -> list[Confirmed]:
    """Return the configurations in the order of their first runs."""
    rows = connection.execute(_RUNS, {"study": study.id}).all()
    places = {row.id: place for place, row in enumerate(rows)}
    look = connection.execute(_LOOK, {"study": study.id}).one_or_none()
    several: dict[str, list[sa.Row[Any]]] = {}
    for row in rows:
        several.setdefault(configuration_key(study.definition, row.params), []).append(row)
    is_tested = all(row.confirmed_on in (None, TEST) for row in rows)
    return [_confirmed(study, of_one, look, places, is_tested=is_tested) for of_one in several.values()]


def _confirmed(
    study: StudyRecord,
    runs: list[sa.Row[Any]],
    look: sa.Row[Any] | None,
    places: Mapping[int, int],
    *,
    is_tested: bool,
) -> Confirmed:
    params = recorded_params(study.definition, runs[0].params)

    def seeds(state: RunState) -> int:
        return sum(run.seeds for run in runs if run.state == state)

    complete = [run for run in runs if run.state == RunState.COMPLETE and run.value is not None]
    done = sum(run.seeds for run in complete)
    lost = next((run for run in runs if run.state in (RunState.FAILED, RunState.CANCELLED)), None)
    mean = sum(run.value * run.seeds for run in complete) / done if done else math.nan
    return Confirmed(
        params=params,
        variant=variant_of(params, telling_in(study.definition.search_space)),
        seeds=seeds(RunState.COMPLETE),
        training=seeds(RunState.RUNNING),
        waiting=seeds(RunState.WAITING),
        mean=mean if math.isfinite(mean) else None,
        is_tested=is_tested,
        standing=_standing(study, runs, look, lost),
        lost=None if lost is None else Lost(places[lost.id], lost.reason),
    )


def _standing(
    study: StudyRecord, runs: list[sa.Row[Any]], look: sa.Row[Any] | None, lost: sa.Row[Any] | None
) -> Standing:
    if lost is not None:
        return Standing(lost.state)
    if _is_kept(study, runs, look):
        return Standing.LEFT
    figures = [run.value for run in runs if run.value is not None]
    return Standing.DROPPED if all(map(math.isfinite, figures)) else Standing.DIVERGED


def _is_kept(study: StudyRecord, runs: list[sa.Row[Any]], look: sa.Row[Any] | None) -> bool:
    """Whether no look has dropped it."""
    if study.decision is not None:
        return runs[0].id in study.decision["left"]
    if look is None or not look.kept or runs[0].ordinal >= look.runs:  # nobody was dropped, or it came afterwards
        return True
    return runs[0].id in look.kept
