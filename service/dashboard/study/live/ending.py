"""The end of a study in sight, or why it cannot be known."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from service.dashboard.study.live.estimate import Estimate, Running, Work, estimate
from service.storage.live.pulse import Pulse
from service.storage.live.times import Times
from service.storage.records import StudyRecord, seeds_of
from service.storage.states import RunState, Stage, StudyState
from service.web.elapsed import elapsed_s

if TYPE_CHECKING:
    from service.dashboard.study.live.followed import Following

SAME = 0.05  # of the time that is left: an estimate that moves by less stays as it is
NO_PRUNER = "none"
OVER = (StudyState.COMPLETE, StudyState.FAILED)


def ending(
    study: StudyRecord,
    pulse: Pulse,
    times: Times | None,
    runs: "Iterable[Following]",
    now: datetime,
    before: dict[str, Any] | None,
) -> dict[str, Any]:
    """`at`, `earliest` and `latest`, ISO times, and `note`; or `why` it cannot be known, None of an ended study."""
    if study.state in OVER:
        return {"over": True}
    in_training = list(runs)
    if study.state is StudyState.PAUSED:
        return {"why": "it is paused, and goes on when it is resumed"}
    if study.state is StudyState.STOPPED:
        return (
            {"why": "it was stopped: trials in training end at their next epoch"} if pulse.running else {"over": True}
        )
    if pulse.alive == 0 and not pulse.running:
        return {"why": "no worker is alive, so nothing is trained"}
    stage = Stage.CONFIRMATION if _confirms(study) else Stage.SEARCH
    found = None if times is None else estimate(_work(study, stage, times, in_training, pulse, now))
    if found is None:
        return {"why": "no epoch has been timed yet" if pulse.running else "no trial is in training"}
    limited, note = _limited(study, found, stage, now)
    return _settled(_moments(limited, now, note), before, now)


def _confirms(study: StudyRecord) -> bool:
    return study.counts[RunState.WAITING] + study.counts[RunState.RUNNING] == 0 and sum(study.confirmation.values()) > 0


def _work(study: StudyRecord, stage: Stage, times: Times, runs: "list[Following]", pulse: Pulse, now: datetime) -> Work:
    running = [_running(study, one, now) for one in runs if one.held is not None and one.held.run.stage is stage]
    waiting = study.counts[RunState.WAITING] if stage is Stage.SEARCH else times.seeds_waiting
    is_pruned = stage is Stage.SEARCH and study.definition.pruner.name != NO_PRUNER
    # Those beyond what a page shows train as the others do.
    unseen = len(pulse.running) - len(running)
    running += [Running(0.0, one.left_s) for one in running[:1]] * unseen
    return Work(times.seconds, running, waiting, max(times.at_work, len(pulse.running)), is_pruned)


def _running(study: StudyRecord, one: "Following", now: datetime) -> Running:
    assert one.held is not None
    epochs = study.definition.task.epochs * len(seeds_of(study.definition, one.held.run))
    seconds = None if one.pace is None else one.pace.seconds_of(one.points)
    left = None if seconds is None else max(0, epochs - one.step.epoch) * seconds
    begun = one.held.leased_at
    return Running(0.0 if begun is None else max(0.0, (now - begun).total_seconds()), left)


def _limited(study: StudyRecord, found: Estimate, stage: Stage, now: datetime) -> tuple[Estimate, str]:
    """The estimate within the search's limits, and of what it is."""
    asked = study.definition.confirmation
    if stage is Stage.CONFIRMATION:
        decides = asked is not None and asked.is_decided
        return found, "of this round: how many seeds it takes to decide cannot be known" if decides else ""
    notes = ["of the search; the confirmation comes after it"] if asked is not None else []
    budget = study.definition.budget
    if budget.wall_time is not None:
        left = max(0.0, budget.wall_time - elapsed_s(study, now))
        if left < found.latest_s:
            notes.append("its wall time ends it then")
        found = Estimate(min(found.expected_s, left), min(found.earliest_s, left), min(found.latest_s, left))
    if budget.patience is not None or budget.device_time is not None:
        notes.append("or sooner, at one of its limits")
    return found, "; ".join(notes)


def _moments(found: Estimate, now: datetime, note: str) -> dict[str, Any]:
    def at(seconds: float) -> str:
        return (now + timedelta(seconds=min(seconds, 1e9))).isoformat(timespec="seconds")

    return {
        "at": at(found.expected_s),
        "earliest": at(found.earliest_s),
        "latest": at(found.latest_s),
        "note": note,
    }


def _settled(new: dict[str, Any], before: dict[str, Any] | None, now: datetime) -> dict[str, Any]:
    """The earlier estimate if the new one is nearly the same."""
    if before is None or before.get("note") != new["note"] or "at" not in before:
        return new

    def is_near(name: str) -> bool:
        then, was = datetime.fromisoformat(new[name]), datetime.fromisoformat(before[name])
        return abs((then - was).total_seconds()) <= max(1.0, SAME * (then - now).total_seconds())

    return before if all(is_near(name) for name in ("at", "earliest", "latest")) else new
