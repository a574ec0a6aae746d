"""The trials of an earlier study of the same space, which a new study's sampler learns from."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from pernodedrop.near import did_you_mean
from search_spaces import InvalidDefinition, StudyDefinition, StudyShape
from search_spaces.known import outside_of
from search_spaces.problems import Problem, shown
from search_spaces.resolution import is_whole
from service.storage.database.tables import histories
from service.storage.records import parsed_definition
from service.storage.studies import names

MOST_TRIALS = 10_000  # a draw from more takes seconds

_STUDY = sa.text("SELECT id, definition::text FROM fleet.studies WHERE name = :name")
_TRIALS = sa.text(
    """
    SELECT params, values, CASE state WHEN 'pruned' THEN (
        SELECT max(step) FROM trial_intermediate_values t WHERE t.trial_id = r.trial_id) END AS step
    FROM fleet.runs r
    WHERE study_id = :study AND stage = 'search' AND state IN ('complete', 'pruned') AND params IS NOT NULL
        AND values IS NOT NULL
    ORDER BY trial_number
    """
)


def earlier_trials(connection: sa.Connection, definition: StudyDefinition) -> list[dict[str, Any]]:
    """Return what `search_spaces.optuna.history_of` takes of the trials of `definition.start_from` that have ended now.

    Left out are failed and cancelled ones, those outside of that study's space, and those that this space would ask for
    a parameter which they do not have.

    Raises:
        InvalidDefinition: there is no such study, it has another space or other objectives, none of its trials has
            ended, or more than MOST_TRIALS have.
    """
    name = definition.start_from
    if name is None:
        return []
    row = connection.execute(_STUDY, {"name": name}).one_or_none()
    if row is None:
        remedy = did_you_mean(name, names.of_studies(connection), "`pernodedrop studies` lists them")
        raise _refusal(f"must name a study of this service, got {shown(name)}: {remedy}")
    differences = list(_differences(definition, parsed_definition(row.definition)))
    if differences:
        raise InvalidDefinition(Problem.at("start_from", f"is study {name}, {each}") for each in differences)
    found = connection.execute(_TRIALS, {"study": row.id}).all()
    trials = [dict(each._mapping) for each in found if outside_of(each.params) is None]
    trials = [each for each in trials if is_whole(definition, each["params"])]
    if not trials:
        raise _refusal(f"is study {name}, of which no trial has ended with a result: wait for one, or leave it out")
    if len(trials) > MOST_TRIALS:
        raise _refusal(
            f"is study {name}, of which {len(trials):,} trials have ended: at most {MOST_TRIALS:,} are taken"
        )
    return trials


def keep(connection: sa.Connection, study_id: int, trials: list[dict[str, Any]]) -> None:
    """Note what the study's sampler knows; nothing if it knows nothing."""
    if trials:
        row = {"study_id": study_id, "count": len(trials), "trials": trials}
        connection.execute(histories.insert().values(row))


def _refusal(rule: str) -> InvalidDefinition:
    return InvalidDefinition([Problem.at("start_from", rule)])


def _differences(here: StudyShape, there: StudyShape) -> Iterator[str]:
    """What the studies search or optimize differently, each as a clause about the one there.

    Conditions may differ: which parameters a trial has is judged trial by trial.
    """
    ours, theirs = here.search_space, there.search_space
    for name in sorted(ours.keys() - theirs.keys()):
        yield f"which has no dimension {name}"
    for name in sorted(theirs.keys() - ours.keys()):
        yield f"which also has the dimension {name}"
    for name in sorted(ours.keys() & theirs.keys()):
        own, other = (space[name].model_dump(mode="json", exclude={"when"}) for space in (ours, theirs))
        for field in sorted(own.keys() | other.keys()):
            if own.get(field) != other.get(field):
                one, another = (_said(values.get(field)) for values in (other, own))
                yield f"where {name} has {field} {one}, and {another} here"
    own_goals, other_goals = (
        ", ".join(f"{each.direction} {each.metric}" for each in study.objectives) for study in (here, there)
    )
    if own_goals != other_goals:
        yield f"whose objective is {other_goals}, and {own_goals} here"


def _said(value: Any) -> str:
    return ", ".join(map(shown, value)) if isinstance(value, list) else shown(value)
