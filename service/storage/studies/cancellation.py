"""Cancels one trial, or one run of a confirmation, by hand."""

import sqlalchemy as sa

from service.storage.database import ordered
from service.storage.database.database import Database
from service.storage.errors import TrialEnded, UnknownTrial
from service.storage.optuna import trials as optuna_trials
from service.storage.runs.endings import close_finished_studies, end_run
from service.storage.states import OPEN_STATES, RunState, Stage
from service.storage.studies import studies, trials

REASON = "cancelled by hand"

_LOCKED = sa.text("SELECT id, state, trial_id FROM fleet.runs WHERE id = :id FOR UPDATE")


def cancel(db: Database, name: str, number: int, stage: Stage = Stage.SEARCH) -> None:
    """End trial `number` of the study, or the run at that place in its confirmation, for good.

    The trial counts in the budget like every ended run; a cancelled confirmation is not repeated.

    A holder loses its lease: its writes are refused, it notices at its next renewal or epoch, and it takes other
    runs. Cancelling again changes nothing.

    Raises:
        UnknownStudy: there is none of this name.
        UnknownTrial: none of its runs became this trial, or its confirmation has no such run.
        TrialEnded: the run has ended in another way.
    """
    study = studies.get(db, name)
    found = trials.get(db, study, number, stage).run_id
    with db.engine.begin() as connection:
        run = connection.execute(_LOCKED, {"id": found}).one_or_none()
        if run is None:  # the study has just been deleted
            raise UnknownTrial(name, stage.called(number))
        if run.state in OPEN_STATES:
            end_run(connection, run.id, RunState.CANCELLED, REASON)
            ordered.note(connection, name)
        elif run.state != RunState.CANCELLED:
            raise TrialEnded(name, stage.called(number), run.state)
    if run.trial_id is not None:
        optuna_trials.fail(db, run.trial_id, REASON)
    close_finished_studies(db, study.id)
