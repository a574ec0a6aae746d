"""What an asker of an own loop is given: a run to train, a wait, or word that the study has ended."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from search_spaces import StudyShape
from search_spaces.dimensions import Value
from service.storage.assignments.assignment import Ended
from service.storage.assignments.choosing import assignment_of
from service.storage.assignments.ending import finish
from service.storage.assignments.own_loop import LEASE_S, check_external
from service.storage.assignments.search_trial import SearchTrial
from service.storage.assignments.seeds import own_seeds
from service.storage.database.database import Database
from service.storage.database.sqlstates import trouble_of
from service.storage.errors import LeaseLost, UnknownStudy
from service.storage.fleet import workers
from service.storage.records import Lease, parsed_definition
from service.storage.runs import claiming, held_up
from service.storage.runs.expiry import expire
from service.storage.states import RunState, Stage, StudyState
from service.storage.studies import studies

log = logging.getLogger(__name__)

MOST_TRIED = 10  # runs that end before they are trained, as their sampler raises: then the asker waits
SHORT_S, LONG_S = 1.0, 5.0  # until the asker asks again

_STUDY = sa.text(
    "SELECT id, definition::text, state, finished_at IS NOT NULL AS is_over FROM fleet.studies WHERE name = :name"
)
_CONFIRMING = sa.text(
    "SELECT count(*) FROM fleet.runs WHERE study_id = :study AND stage = 'confirmation' AND ordinal < :ordinal"
)


@dataclass(frozen=True)
class Wait:
    """There is nothing to train now."""

    seconds: float
    why: str  # paused, lag, busy


@dataclass(frozen=True)
class Over:
    """There is nothing left to train for this asker."""

    study_state: StudyState


@dataclass(frozen=True)
class Train:
    """A run, leased for `LEASE_S`."""

    lease: Lease
    number: int  # the trial's, or the run's place in the confirmation
    params: Mapping[str, Value]
    seeds: list[int]  # one a repeat, each below 2**32
    is_tested: bool


def ask(db: Database, name: str, asker: str, host: str, pid: int) -> Wait | Over | Train:
    """Give the asker a run of the study. One that has a run already gets the same again, with another token.

    Raises:
        UnknownStudy: there is none of this name.
        NotExternal: the fleet trains its runs.
        UnknownWorker: the asker's id is a worker's, or serves another study.
    """
    study, definition = _study(db, name)
    check_external(definition)
    may_stay = workers.check_in_asker(db, study.id, asker, host, pid)
    if not may_stay or study.is_over or study.state == StudyState.STOPPED:
        workers.leave(db, asker)
        return Over(studies.get(db, name).state)
    for _ in range(MOST_TRIED):
        lease = claiming.claim(db, asker, LEASE_S, study.id)
        if lease is None and expire(db):
            lease = claiming.claim(db, asker, LEASE_S, study.id)
        if lease is None:
            return _nothing(db, name, asker)
        if (train := _prepared(db, lease)) is not None:
            return train
    return Wait(SHORT_S, "busy")


def _study(db: Database, name: str) -> tuple[sa.Row[tuple[int, str, str, bool]], StudyShape]:
    with db.engine.connect() as connection:
        study = connection.execute(_STUDY, {"name": name}).one_or_none()
    if study is None:
        raise UnknownStudy(name)
    return study, parsed_definition(study.definition)


def _nothing(db: Database, name: str, asker: str) -> Wait | Over:
    study, _ = _study(db, name)
    if study.is_over or study.state == StudyState.STOPPED:
        workers.leave(db, asker)
        return Over(studies.get(db, name).state)
    if study.state == StudyState.PAUSED:
        return Wait(LONG_S, "paused")
    return Wait(SHORT_S, "busy" if held_up.held_up(db, study.id) is None else "lag")


def _prepared(db: Database, lease: Lease) -> Train | None:
    """What to train; None where the run has ended instead, or is another holder's by now."""
    assignment = None
    try:
        assignment = assignment_of(db, lease)
        ended = assignment.adopt()
        if ended is not None:
            finish(db, lease, assignment, ended, tell=lambda: None)
            return None
        params = assignment.prepare()
        number = assignment.number if isinstance(assignment, SearchTrial) else _place(db, lease)
    except LeaseLost:
        return None
    except Exception as error:
        if trouble_of(error) is not None:  # the asker asks again, and gets the same run
            raise
        log.exception("run %d cannot be prepared", lease.run_id)
        failed = Ended(RunState.FAILED, f"{type(error).__name__}: {error}")
        finish(db, lease, assignment, failed)
        return None
    seeds = own_seeds(lease.definition.seed, assignment.seeds)
    return Train(lease, number, params, seeds, is_tested=lease.stage is Stage.CONFIRMATION)


def _place(db: Database, lease: Lease) -> int:
    values = {"study": lease.study_id, "ordinal": lease.ordinal}
    with db.engine.connect() as connection:
        place: int = connection.execute(_CONFIRMING, values).scalar_one()
    return place
