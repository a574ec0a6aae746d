"""One trial, or one run of a confirmation, called off by hand."""

import sqlalchemy as sa

from service.storage import optuna_trials
from service.storage.database import Database
from service.storage.endings import close_finished_studies, end_run
from service.storage.errors import TrialEnded, UnknownStudy, UnknownTrial
from service.storage.records import OPEN_STATES, RunState, Stage

REASON = "cancelled by hand"

_STUDY = sa.text("SELECT id FROM fleet.studies WHERE name = :name")
_FOUND = {
    Stage.SEARCH: "SELECT id FROM fleet.runs WHERE study_id = :study AND trial_number = :number",
    Stage.CONFIRMATION: """
        SELECT id FROM fleet.runs WHERE study_id = :study AND stage = 'confirmation'
        ORDER BY ordinal LIMIT 1 OFFSET :number
    """,
}
_LOCKED = "SELECT id, state, trial_id FROM fleet.runs WHERE id = ({}) FOR UPDATE"


def cancel(db: Database, name: str, number: int, stage: Stage = Stage.SEARCH) -> None:
    """End trial `number` of the study, or the run at that place in its confirmation, for good.

    A trial counts in the budget like every ended run; a configuration is not confirmed another time.

    A holder loses its lease by this: it is refused from now on, notices at its next renewal or epoch, and goes on
    with other runs. Cancelling again changes nothing.

    Raises:
        UnknownStudy: there is none of this name.
        UnknownTrial: no run of it became this trial, or its confirmation has no such run.
        TrialEnded: it has ended otherwise.
    """
    with db.engine.begin() as connection:
        study = connection.execute(_STUDY, {"name": name}).scalar_one_or_none()
        if study is None:
            raise UnknownStudy(name)
        locked = sa.text(_LOCKED.format(_FOUND[stage]))
        run = connection.execute(locked, {"study": study, "number": number}).one_or_none()
        if run is None:
            raise UnknownTrial(name, stage.called(number))
        if run.state in OPEN_STATES:
            end_run(connection, run.id, RunState.CANCELLED, REASON)
        elif run.state != RunState.CANCELLED:
            raise TrialEnded(name, stage.called(number), run.state)
    if run.trial_id is not None:
        optuna_trials.fail(db, run.trial_id, REASON)
    close_finished_studies(db, study)
