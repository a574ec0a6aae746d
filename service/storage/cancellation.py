"""One trial called off by hand."""

import sqlalchemy as sa

from service.storage import optuna_trials
from service.storage.database import Database
from service.storage.endings import close_finished_studies, end_run
from service.storage.errors import TrialEnded, UnknownStudy, UnknownTrial
from service.storage.records import OPEN_STATES, RunState

REASON = "cancelled by hand"

_STUDY = sa.text("SELECT id FROM fleet.studies WHERE name = :name")
_LOCK = sa.text(
    "SELECT id, state, trial_id FROM fleet.runs WHERE study_id = :study AND trial_number = :number FOR UPDATE"
)


def cancel(db: Database, name: str, number: int) -> None:
    """End trial `number` of the study for good. It counts in the budget like every ended run.

    A holder loses its lease by this: it is refused from now on, notices at its next renewal or epoch, and goes on
    with other runs. Cancelling again changes nothing.

    Raises:
        UnknownStudy: there is none of this name.
        UnknownTrial: no run of it became this trial.
        TrialEnded: it has ended otherwise.
    """
    with db.engine.begin() as connection:
        study = connection.execute(_STUDY, {"name": name}).scalar_one_or_none()
        if study is None:
            raise UnknownStudy(name)
        run = connection.execute(_LOCK, {"study": study, "number": number}).one_or_none()
        if run is None:
            raise UnknownTrial(name, number)
        if run.state in OPEN_STATES:
            end_run(connection, run.id, RunState.CANCELLED, REASON)
        elif run.state != RunState.CANCELLED:
            raise TrialEnded(name, number, run.state)
    optuna_trials.fail(db, run.trial_id, REASON)
    close_finished_studies(db, study)
