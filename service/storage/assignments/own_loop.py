"""What an own loop says of its runs, judged and written: an epoch, a sign of life, an end.

Nothing is remembered between two words: each names its run, the token and the claim of its lease, and the database has
the rest. So any process may hear the next one, and a word whose answer was lost may be said again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from pernodedrop.near import nearest
from search_spaces import StudyShape
from search_spaces.objective import TEST, metric_name, split_of, unusable_name, with_objectives
from service.storage.assignments.assignment import Assignment, Ended
from service.storage.assignments.choosing import assignment_of
from service.storage.assignments.ending import finish
from service.storage.assignments.epochs import taken_in
from service.storage.assignments.progress import EpochDone, UnusableEpoch
from service.storage.assignments.recalling import recall
from service.storage.database.database import Database
from service.storage.errors import EpochsMissing, LeaseLost, NotExternal, OutOfOrder, UnusableMetrics
from service.storage.fleet import workers
from service.storage.records import Lease, Log
from service.storage.runs import holding
from service.storage.runs.held import Held, Key, held_by
from service.storage.states import STUDY_STOPPED, RunState, Stage, StudyState

LEASE_S = 60.0  # an asker that says nothing for so long loses its run
SPLITS = ("train", "val", TEST)
HANDED_BACK = "handed_back"
_WHY = {RunState.PRUNED: "pruned", RunState.CANCELLED: "stopped", RunState.FAILED: "failed"}

_EPOCH = sa.text(
    """
    SELECT split || '_' || metric AS name, value FROM fleet.curves
    WHERE run_id = :run AND repeat = :repeat AND epoch = :epoch
    """
)


@dataclass(frozen=True)
class Word:
    """Whether the training goes on; if not, its run has ended: pruned, stopped or failed, with the reason."""

    goes_on: bool
    why: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Told:
    """How a run stands after its holder has told its end."""

    state: RunState
    values: list[float] | None  # one per objective, of a complete run
    best_epoch: int | None
    reason: str | None


GO_ON = Word(True)


def report(db: Database, key: Key, done: EpochDone, log: Log | None = None) -> Word:
    """Record an epoch of a repeat, renew the lease, and say whether the training goes on.

    `log`, here as in the other words, is what the training has written so far. The same report again changes nothing.

    Raises:
        LeaseLost: the run has another holder by now, or has ended as complete.
        NotExternal: a worker trains the run.
        OutOfOrder: it is not the epoch that comes next, or says of the last one something else than before.
        UnusableMetrics: a metric is missing, or has a name that it cannot have.
    """
    held = _held(db, key)
    if (word := _over(db, held)) is not None:
        return word
    lease = held.lease
    _write(db, lease, log)
    _check_metrics(lease, done.metrics)
    try:
        is_again = _is_again(db, held, done)
    except OutOfOrder:
        _held(db, key)  # what does not fit may be another holder's by now
        raise
    if is_again:
        return _renewed(db, held)
    assignment = assignment_of(db, lease)
    if lease.stage is Stage.SEARCH and lease.definition.pruner.name != "none":
        if (earlier := assignment.adopt()) is not None:
            return _ended(db, lease, None, earlier)
        if lease.definition.pruner.pairs_repeats and done.epoch == lease.definition.task.epochs:
            recall(db, lease, assignment.progress)
    try:
        taken = taken_in(lease.definition, assignment, done)
    except UnusableEpoch as error:
        return _ended(db, lease, assignment, Ended(RunState.FAILED, str(error)))
    taken.record(db, lease)
    word = _renewed(db, held)
    if word.goes_on and taken.report is not None and assignment.is_hopeless(taken.report):
        recall(db, lease, assignment.progress)
        return _ended(db, lease, assignment, Ended(RunState.PRUNED))
    return word


def renew(db: Database, key: Key, log: Log | None = None) -> Word:
    """Hold the run for `LEASE_S` from now, and say whether the training goes on; raises what `report` does."""
    held = _held(db, key)
    if (word := _over(db, held)) is not None:
        return word
    _write(db, held.lease, log)
    return _renewed(db, held)


def tell(db: Database, key: Key, state: str, reason: str | None, log: Log | None = None) -> Told:
    """End the run as `complete` or `failed`, or hand it back (`handed_back`), and return how it stands.

    Said again, it returns the same. A run that has ended otherwise meanwhile, as pruned for example, stays so.

    Raises:
        LeaseLost: the run has another holder by now.
        NotExternal: a worker trains the run.
        EpochsMissing: it is not complete yet.
    """
    held = _held(db, key)
    lease = held.lease
    if held.state is RunState.WAITING and state == HANDED_BACK:
        return Told(held.state, None, None, None)
    if held.state is RunState.WAITING:
        raise LeaseLost(key.run, key.token)
    if held.state is not RunState.RUNNING:
        return Told(held.state, held.values, held.best_epoch, held.reason)
    if state == HANDED_BACK:
        holding.hand_back(db, lease, reason, log=log)
        return Told(RunState.WAITING, None, None, None)
    assignment = assignment_of(db, lease)
    epochs = lease.definition.task.epochs * len(assignment.seeds)
    if state == RunState.COMPLETE and held.epoch < epochs:
        raise EpochsMissing(key.run, held.epoch, epochs)
    recall(db, lease, assignment.progress)
    flaw = assignment.progress.flaw if state == RunState.COMPLETE else reason or "its own loop told no reason"
    _ended(db, lease, assignment, Ended(RunState.COMPLETE if flaw is None else RunState.FAILED, flaw), log)
    now = held_by(db, key)
    return Told(now.state, now.values, now.best_epoch, now.reason)


def _held(db: Database, key: Key) -> Held:
    held = held_by(db, key)
    check_external(held.lease.definition)
    return held


def check_external(definition: StudyShape) -> None:
    """Return if own loops train the study's runs; raises NotExternal otherwise."""
    if not definition.task.is_external:
        raise NotExternal(definition.name, definition.task.name)


def _over(db: Database, held: Held) -> Word | None:
    """Why the training is over, after the run has been ended for it; None if it is not."""
    if held.state in _WHY:
        return Word(False, _WHY[held.state], held.reason)
    if held.state is not RunState.RUNNING:
        raise LeaseLost(held.lease.run_id, held.lease.token)
    lease, timeout = held.lease, held.lease.definition.budget.trial_timeout
    ended = None
    if held.study_state is StudyState.STOPPED:
        ended = Ended(RunState.CANCELLED, STUDY_STOPPED)
    elif timeout is not None and held.for_s > timeout:
        ended = Ended(RunState.FAILED, f"trial_timeout: not done after {timeout:g} s")
    if ended is None:
        return None
    assignment = assignment_of(db, lease)
    recall(db, lease, assignment.progress)
    return _ended(db, lease, assignment, ended)


def _ended(db: Database, lease: Lease, assignment: Assignment | None, ended: Ended, log: Log | None = None) -> Word:
    finish(db, lease, assignment, ended, log=log)
    return Word(False, _WHY.get(ended.state, str(ended.state)), ended.reason)


def _renewed(db: Database, held: Held) -> Word:
    holding.renew(db, held.lease, LEASE_S)
    if held.asker is not None:
        workers.check_in(db, held.asker, held.lease.study_id)
    return GO_ON


def _write(db: Database, lease: Lease, log: Log | None) -> None:
    if log is not None:
        holding.record_log(db, lease, log)


def _is_again(db: Database, held: Held, done: EpochDone) -> bool:
    """Whether this was reported before; raises OutOfOrder unless it is, or is what comes next."""
    lease, epochs = held.lease, held.lease.definition.task.epochs
    repeats = lease.definition.repeats if lease.seeds is None else lease.seeds
    due = f"epoch {held.epoch % epochs + 1} of repeat {held.epoch // epochs}"
    if held.epoch >= epochs * repeats:
        due = "nothing more"
    got = f"run {lease.run_id} has {due} to come, got epoch {done.epoch} of repeat {done.repeat}"
    total = done.repeat * epochs + done.epoch
    if done.epoch > epochs or done.repeat >= repeats or total > held.epoch + 1:
        raise OutOfOrder(f"{got}: report one epoch after another, {epochs} in each of {repeats} repeats")
    if total > held.epoch:
        return False
    values = {"run": lease.run_id, "repeat": done.repeat, "epoch": done.epoch}
    with db.engine.connect() as connection:
        recorded = {row.name: row.value for row in connection.execute(_EPOCH, values)}
    told = with_objectives(done.metrics, lease.definition.objectives)
    if total < held.epoch or repr(sorted(recorded.items())) != repr(sorted(told.items())):
        raise OutOfOrder(f"{got}, which is recorded with other metrics: an epoch is reported once")
    return True


def _check_metrics(lease: Lease, metrics: Mapping[str, float]) -> None:
    for name in metrics:
        if split_of(name) not in SPLITS or "_" not in name:
            near = metric_name(name, "loss") if name in SPLITS else metric_name("val", name)
            remedy = "" if unusable_name([near]) else f": did you mean {near}?"
            raise UnusableMetrics(name, f"must begin with train_, val_ or test_{remedy}")
        if (flaw := unusable_name([name])) is not None:
            raise UnusableMetrics(name, f"cannot be recorded: {flaw}")
    first = lease.definition.objectives[0]
    is_tested = lease.stage is Stage.CONFIRMATION
    wanted = [objective.metric for objective in lease.definition.objectives] + ([first.tested] if is_tested else [])
    have = with_objectives(metrics, lease.definition.objectives)
    for name in wanted:
        if name in have:
            continue
        meant = nearest(name, [other for other in metrics if other not in wanted])
        remedy = f"did you mean it by {meant}?" if meant else f"got {', '.join(sorted(metrics)) or 'none'}"
        kind = "the objective" if name != first.tested else "this run is tested, and its figure"
        raise UnusableMetrics(name, f"is missing ({kind}): {remedy}")
    if not is_tested:
        seen = [name for name in metrics if split_of(name) == TEST]
        if seen:
            raise UnusableMetrics(seen[0], "must be left out: nothing is tested in a search, only in a confirmation")
