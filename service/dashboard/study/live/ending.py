"""The end of a study in sight, or why it cannot be known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from service.dashboard.study.live.estimate import Estimate, Running, Work, estimate
from service.storage.live.pulse import Pulse
from service.storage.live.times import Times
from service.storage.records import StudyRecord, seeds_of
from service.storage.states import OPEN_STATES, RunState, Stage, StudyState
from service.web.elapsed import elapsed_s

if TYPE_CHECKING:
    from service.dashboard.study.live.followed import Following

SAME = 0.05  # of the time that is left: an estimate that moves by less stays as it is
NO_PRUNER = "none"
OVER = (StudyState.COMPLETE, StudyState.FAILED)


@dataclass(frozen=True)
class Left:
    """A study as far as it is known."""

    study: StudyRecord
    pulse: Pulse
    times: Times | None
    runs: "Sequence[Following]"

    @property
    def stage(self) -> Stage:
        """What is being trained."""
        searches = any(self.study.counts[state] for state in OPEN_STATES)
        return Stage.SEARCH if searches or not sum(self.study.confirmation.values()) else Stage.CONFIRMATION

    @property
    def is_over(self) -> bool:
        stopped = self.study.state is StudyState.STOPPED and not self.pulse.running
        return stopped or self.study.state in OVER

    def why_unknown(self) -> str | None:
        """Why nobody can say when it ends, whatever was measured."""
        if self.study.state is StudyState.PAUSED:
            return "it is paused, and goes on when it is resumed"
        if self.study.state is StudyState.STOPPED:
            return "it was stopped: trials in training end at their next epoch"
        if self.stage is Stage.SEARCH and self.study.definition.pruner.pauses:
            return "trials pause at rungs, and which of them go on is decided there"
        if self.pulse.alive == 0 and not self.pulse.running:
            alone = "no own loop asks for trials" if self.study.definition.task.is_external else "no worker is alive"
            return f"{alone}, so nothing is trained"
        return None

    def work(self, now: datetime) -> Work | None:
        if self.times is None:
            return None
        stage = self.stage
        of_stage = [one for one in self.runs if one.held is not None and one.held.run.stage is stage]
        running = [self._running(one, now) for one in of_stage]
        # Those beyond what a page shows train as the others do.
        running += running[:1] * (len(self.pulse.running) - len(running))
        return Work(
            ended_s=self.times.seconds,
            running=running,
            waiting=self.study.counts[RunState.WAITING] if stage is Stage.SEARCH else self.times.seeds_waiting,
            workers=max(self.times.at_work, len(self.pulse.running)),
            is_pruned=stage is Stage.SEARCH and self.study.definition.pruner.name != NO_PRUNER,
        )

    def _running(self, one: "Following", now: datetime) -> Running:
        assert one.held is not None
        epochs = self.study.definition.task.epochs * len(seeds_of(self.study.definition, one.held.run))
        seconds = None if one.pace is None else one.pace.seconds_of(one.points)
        left = None if seconds is None else max(0, epochs - one.step.epoch) * seconds
        return Running(one.held_s(now) or 0.0, left)


def ending(left: Left, now: datetime, before: dict[str, Any] | None) -> dict[str, Any]:
    """`at`, `earliest` and `latest`, ISO times, and `note`, of what they are; or `why` they cannot be known; or `over`.

    An estimate that is nearly the one `before` is that one.
    """
    if left.is_over:
        return {"over": True}
    why = left.why_unknown()
    if why is not None:
        return {"why": why}
    work = left.work(now)
    found = None if work is None else estimate(work)
    if found is None:
        return {"why": "no epoch has been timed yet" if left.pulse.running else "no trial is in training"}
    limited, note = _limited(left, found, now)
    return _settled(_moments(limited, now, note), before, now)


def _limited(left: Left, found: Estimate, now: datetime) -> tuple[Estimate, str]:
    """The estimate within the search's limits, and of what it is."""
    asked, budget = left.study.definition.confirmation, left.study.definition.budget
    if left.stage is Stage.CONFIRMATION:
        decides = asked is not None and asked.is_decided
        return found, "This round ends then; how many it takes to decide cannot be known." if decides else ""
    notes = ["The search ends then, and the confirmation comes after it."] if asked is not None else []
    if budget.wall_time is not None:
        rest = max(0.0, budget.wall_time - elapsed_s(left.study, now))
        if rest < found.latest_s:
            notes.append("Its wall time lets no trial begin after it.")
        found = Estimate(min(found.expected_s, rest), min(found.earliest_s, rest), found.latest_s)
    if budget.patience is not None or budget.device_time is not None or budget.epochs is not None:
        notes.append("It may end sooner, at one of its limits.")
    return found, " ".join(notes)


def _moments(found: Estimate, now: datetime, note: str) -> dict[str, Any]:
    def at(seconds: float) -> str:
        return (now + timedelta(seconds=min(seconds, 1e9))).isoformat(timespec="seconds")

    moments = {"at": found.expected_s, "earliest": found.earliest_s, "latest": found.latest_s}
    return {**{name: at(seconds) for name, seconds in moments.items()}, "note": note}


def _settled(new: dict[str, Any], before: dict[str, Any] | None, now: datetime) -> dict[str, Any]:
    """The earlier estimate if the new one is nearly the same."""
    if before is None or before.get("note") != new["note"] or "at" not in before:
        return new

    def is_near(name: str) -> bool:
        then, was = datetime.fromisoformat(new[name]), datetime.fromisoformat(before[name])
        return abs((then - was).total_seconds()) <= max(1.0, SAME * (then - now).total_seconds())

    return before if all(is_near(name) for name in ("at", "earliest", "latest")) else new
