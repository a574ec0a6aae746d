"""Schedules a study's confirmation after its search: runs that train the best configurations again, round by round."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from search_spaces import StudyShape, recorded_params, variant_of
from search_spaces.variants import telling_in
from service.storage.database.tables import runs
from service.storage.runs import looks
from service.storage.runs.configurations import Configuration, Params, configuration_key, configurations_of
from service.storage.runs.expressions import SIGN
from service.storage.states import Stage

__all__ = ["configuration_key", "schedule", "unconfirmed"]

_STUDY = sa.text(
    """
    SELECT definition FROM fleet.studies
    WHERE id = :study AND state <> 'stopped' AND jsonb_typeof(definition->'confirmation') = 'object' FOR UPDATE
    """
)

# The best first, and the earlier one of equals.
_FOUND = sa.text(
    f"""
    WITH study AS MATERIALIZED (SELECT {SIGN.format("definition")} AS sign FROM fleet.studies WHERE id = :study)
    SELECT params FROM fleet.runs CROSS JOIN study
    WHERE study_id = :study AND stage = 'search' AND state = 'complete' AND values IS NOT NULL
    ORDER BY values[1] * study.sign, ordinal
    """
)
_LAST = sa.text("SELECT max(ordinal) FROM fleet.runs WHERE study_id = :study")
_BEGIN = sa.text("UPDATE fleet.studies SET stage = 'confirmation' WHERE id = :study")

Run = dict[str, Any]  # columns of a run to be inserted


def schedule(connection: sa.Connection, study_id: int) -> int:
    """Insert the missing runs of the study's confirmation, and return their number.

    Call it when no run of the study is open, in the transaction that would otherwise note its end. It locks the
    study's row, so that one of several callers inserts and the others find nothing to do. Until the confirmation is
    decided, it looks at the figures whenever all that are left have their seeds, and inserts the runs of the next
    round or stores the verdict. It returns 0 if the definition has no `confirmation`, the study was stopped or
    deleted, or nothing is missing.
    """
    study = {"study": study_id}
    stored = connection.execute(_STUDY, study).scalar_one_or_none()
    if stored is None:
        return 0
    definition = StudyShape.model_validate(stored)
    present = configurations_of(connection, study_id, definition)
    if any(one.is_open for one in present):
        return 0
    found = connection.execute(_FOUND, study).scalars()
    new = unconfirmed(definition, found, [one.params for one in present])
    missing = _missing(connection, study_id, definition, present, new)
    if not missing:
        return 0
    first = connection.execute(_LAST, study).scalar_one() + 1
    of_study = {"study_id": study_id, "stage": Stage.CONFIRMATION}
    rows = [{**of_study, "ordinal": first + place, **run} for place, run in enumerate(missing)]
    connection.execute(runs.insert(), rows)
    connection.execute(_BEGIN, study)
    return len(rows)


def unconfirmed(definition: StudyShape, best_first: Iterable[Params], confirmed: Iterable[Params]) -> list[Params]:
    """Return the parameters of each variant's `confirmation.top` best distinct configurations that were not confirmed.

    A later result may push a configuration out of the best, and one that was confirmed is never confirmed again.
    """
    top = 0 if definition.confirmation is None else definition.confirmation.top
    telling = telling_in(definition.search_space)
    known = {configuration_key(definition, params) for params in confirmed}
    chosen: dict[str, dict[str, Params]] = {}  # by variant, then by configuration
    for params in best_first:
        of_variant = chosen.setdefault(variant_of(recorded_params(definition, params), telling), {})
        if len(of_variant) < top:
            of_variant.setdefault(configuration_key(definition, params), params)
    return [
        params
        for of_variant in chosen.values()
        for configuration, params in of_variant.items()
        if configuration not in known
    ]


def _missing(
    connection: sa.Connection,
    study_id: int,
    definition: StudyShape,
    present: Sequence[Configuration],
    new: Sequence[Params],
) -> list[Run]:
    """The runs that come next. Where there are none, a decided confirmation's verdict is stored."""
    confirmation = definition.confirmation
    assert confirmation is not None
    if not confirmation.is_decided:
        return _up_to(confirmation.repeats, definition, [one for one in present if one.is_whole], new)
    while True:
        now = looks.standing(connection, study_id, definition, present)
        goal = _goal(definition, now, is_joined=bool(new))
        missing = _up_to(goal, definition, now.left, new)
        if missing:
            looks.store(connection, study_id, None)
            return missing
        if goal == now.seeds or not now.left:
            looks.store(connection, study_id, looks.verdict(connection, definition, now))
            return []
        looks.note(connection, study_id, goal, looks.SEQUENTIAL)


def _goal(definition: StudyShape, now: looks.Standing, *, is_joined: bool) -> int:
    """How many seeds those that are left must have before they are looked at again."""
    confirmation = definition.confirmation
    assert confirmation is not None
    have = max((one.seeds for one in now.left), default=0)
    if now.is_open or is_joined:
        wanted = looks.next_goal(confirmation.most, now.seeds) if now.seeds else 0
        return max(have, wanted, confirmation.repeats)
    return max(have, now.seeds)


def _up_to(goal: int, definition: StudyShape, present: Iterable[Configuration], new: Iterable[Params]) -> list[Run]:
    """The runs that bring all configurations to `goal` seeds: the first round in one run, each later seed in its own.

    Seeds come in their order, and all configurations under the same seed together.
    """
    assert definition.confirmation is not None
    repeats, first = definition.confirmation.repeats, definition.repeats
    begin = [_run(params, first, min(repeats, goal)) for params in new]
    later = [(one.params, one.seeds) for one in present] + [(params, repeats) for params in new]
    return begin + list(_single(goal, first, later))


def _single(goal: int, first: int, have: Sequence[tuple[Params, int]]) -> Iterator[Run]:
    for place in range(goal):
        yield from (_run(params, first + place, 1) for params, seeds in have if place >= seeds)


def _run(params: Params, first_seed: int, seeds: int) -> Run:
    return {"params": dict(params), "first_seed": first_seed, "seeds": seeds}
