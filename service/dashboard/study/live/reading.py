"""One look at the database for all studies that are followed."""

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from service.dashboard.study.live.difference import State
from service.dashboard.study.live.followed import Followed
from service.storage.database.database import Database
from service.storage.errors import DatabaseUnreachable, UnknownStudy
from service.storage.live import confirming, happenings, times, training
from service.storage.live.pulse import pulses
from service.storage.records import StudyRecord
from service.storage.runs.expressions import WHOLE
from service.storage.states import OPEN_STATES, Stage
from service.storage.studies import studies

RESTORED = "has no complete tables, as while a backup is restored"


def look(db: Database, connection: sa.Connection, followed: Sequence[Followed]) -> set[int]:
    """Bring what is known of the studies up to date; return the ids of those that are no longer there.

    Where nothing has changed this is one statement. What is read after the pulse may be newer than it: the next look
    finds another pulse, and reads again.

    Raises:
        DatabaseUnreachable, or what SQLAlchemy raises: it cannot be read now.
    """
    found = pulses(connection, [one.id for one in followed])
    gone = {one.id for one in followed if one.id not in found}
    if gone and not connection.execute(sa.text(f"SELECT {WHOLE}")).scalar_one():
        raise DatabaseUnreachable(f"the database {RESTORED}", state=RESTORED)
    there = [one for one in followed if one.id in found]
    for one in there:
        one.look(found[one.id])
        if one.is_stale:
            try:
                _read_study(db, connection, one)
            except UnknownStudy:
                gone.add(one.id)
    there = [one for one in there if one.id not in gone]
    _read_runs(connection, there)
    for one in there:
        if one.is_stale:
            _read_around(connection, one)
    return gone


def state_of(db: Database, study: StudyRecord) -> State:
    """What pages know of the study, read once.

    Raises:
        UnknownStudy: it has just been deleted.
    """
    one = Followed(study.id)
    with db.engine.connect() as connection:
        if look(db, connection, [one]):
            raise UnknownStudy(study.name)
    return one.state(datetime.now(UTC))


def _read_study(db: Database, connection: sa.Connection, one: Followed) -> None:
    assert one.pulse is not None
    record = studies.get(db, one.pulse.name)
    if record.id != one.id:
        raise UnknownStudy(one.pulse.name)
    one.record = record


def _read_runs(connection: sa.Connection, there: Sequence[Followed]) -> None:
    """Read holders and points of all studies together."""
    unknown = {run: one.record.definition for one in there if one.record for run in one.unknown()}
    holders = training.held(connection, unknown)
    for one in there:
        for run in one.unknown():
            one.runs[run].held = holders.get(run)
    wanted = [want for one in there for want in one.wanted()]
    while wanted:  # a second time for trainings that have begun anew
        read = training.points(connection, wanted)
        now = datetime.now(UTC)
        wanted = [want for one in there for want in one.take_points(_of(one, read), now)]


def _of(one: Followed, read: dict[int, list[training.Point]]) -> dict[int, list[training.Point]]:
    return {run: points for run, points in read.items() if run in one.runs}


def _read_around(connection: sa.Connection, one: Followed) -> None:
    """Read what has happened, how the confirmation stands, and how long runs have taken."""
    record = one.record
    assert record is not None
    one.happened = happenings.lately(connection, one.id)
    confirms = sum(record.confirmation.values()) > 0
    one.confirmed = confirming.standing(connection, record) if confirms else []
    searches = any(record.counts[state] for state in OPEN_STATES)
    one.times = times.times(connection, one.id, Stage.SEARCH if searches or not confirms else Stage.CONFIRMATION)
