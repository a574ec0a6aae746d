"""How long the last runs of a study have taken, and who has trained them: what an estimate of its end needs."""

from dataclasses import dataclass

import sqlalchemy as sa

from service.storage.states import Stage

SAMPLE = 200  # runs
_LATELY_S = 120.0  # s for which whoever has ended a run counts as at work on the study

_OF_SEARCH = """SELECT spent_s, NULL::int AS seeds, worker_id, finished_at FROM fleet.runs
    WHERE study_id = :study AND stage = 'search' AND state IN ('complete', 'pruned', 'failed')
    ORDER BY finished_at DESC, id DESC LIMIT :sample"""
_OF_CONFIRMATION = """SELECT spent_s, seeds, worker_id, finished_at FROM fleet.runs
    WHERE study_id = :study AND stage = 'confirmation' AND state = 'complete' ORDER BY ordinal DESC LIMIT :sample"""
_TIMES = """
    WITH ended AS MATERIALIZED ({ended})
    SELECT coalesce(array_agg(spent_s / coalesce(seeds, 1)), '{{}}') AS seconds, (
        SELECT count(*) FROM (
            SELECT worker_id FROM ended WHERE finished_at > now() - make_interval(secs => :lately)
            UNION SELECT worker_id FROM fleet.runs WHERE study_id = :study AND state = 'running') w
        WHERE worker_id IS NOT NULL) AS at_work,
        (SELECT coalesce(sum(seeds), 0)::int FROM fleet.runs
            WHERE study_id = :study AND stage = 'confirmation' AND state = 'waiting') AS seeds_waiting
    FROM ended
"""
_STATEMENTS = {
    Stage.SEARCH: sa.text(_TIMES.format(ended=_OF_SEARCH)),
    Stage.CONFIRMATION: sa.text(_TIMES.format(ended=_OF_CONFIRMATION)),
}


@dataclass(frozen=True)
class Times:
    """Of the last runs of a stage that have ended."""

    seconds: tuple[float, ...]  # for which each was leased, in all; a confirmation's for each seed
    at_work: int  # workers that hold a run of the study, or have ended one in the last two minutes
    seeds_waiting: int  # of the confirmation's runs that wait


def times(connection: sa.Connection, study_id: int, stage: Stage) -> Times:
    """Return the times of the stage's last runs."""
    values = {"study": study_id, "sample": SAMPLE, "lately": _LATELY_S}
    row = connection.execute(_STATEMENTS[stage], values).one()
    return Times(tuple(row.seconds), row.at_work, row.seeds_waiting)
