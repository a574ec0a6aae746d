"""Takes back a configuration that waits in a study's queue; its run is the sampler's again, so the budget stays."""

import sqlalchemy as sa

from service.storage.database import ordered
from service.storage.database.database import Database
from service.storage.errors import NotWithdrawable
from service.storage.records import TrialRecord
from service.storage.studies import studies, trials

_RUN = sa.text(
    "SELECT ordinal, state, token, stage, given FROM fleet.runs WHERE id = :run AND study_id = :study FOR UPDATE"
)
_TAKE_BACK = sa.text("UPDATE fleet.runs SET given = NULL WHERE id = :run")


def withdraw(db: Database, name: str, run_id: int) -> TrialRecord:
    """Take the configuration of the run back and return the run, which waits on.

    The run's row is locked meanwhile, so that a claim either has taken the configuration or never sees it.

    Raises:
        UnknownStudy: there is none of this name.
        NotWithdrawable: the study has no such run, it has begun or ended, or nobody has put it into the queue.
    """
    study = studies.get(db, name)
    with db.engine.begin() as connection:
        run = connection.execute(_RUN, {"run": run_id, "study": study.id}).one_or_none()
        if run is None:
            raise NotWithdrawable(name, run_id, "the study has no such run")
        if run.given is None or run.stage != "search":
            raise NotWithdrawable(name, run_id, "it has no configuration that was put into the queue")
        if run.ordinal < len(study.definition.start_with):
            raise NotWithdrawable(name, run_id, "the study's definition starts with it")
        if run.state != "waiting" or run.token:
            raise NotWithdrawable(name, run_id, f"it has begun: `pernodedrop cancel {name} TRIAL` ends a trial")
        connection.execute(_TAKE_BACK, {"run": run_id})
        ordered.note(connection, name)
        return trials.by_id(connection, {run_id: study.definition})[run_id]
