"""What is known of one study, and how a reading of the database adds to it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.dashboard.study.live import shown
from service.dashboard.study.live.ending import Left, ending
from service.dashboard.study.live.pace import Pace
from service.storage.live.confirming import Confirmed
from service.storage.live.happenings import Happening
from service.storage.live.pulse import Pulse, Step
from service.storage.live.times import Times
from service.storage.live.training import Held, Point, Wanted
from service.storage.records import StudyRecord

MOST_SHOWN = 64  # runs in training that a page shows with their curves; it says how many others there are
MOST_POINTS = 600  # of a curve; a longer one keeps every second point
SLOW_S = 5.0  # after which what depends on the time alone is read again


@dataclass
class Following:
    """A run in training whose curve is shown."""

    step: Step
    held: Held | None = None
    points: tuple[Point, ...] = ()
    pace: Pace | None = None

    def held_s(self, now: datetime) -> float | None:
        """Seconds for which its holder has it."""
        begun = None if self.held is None else self.held.leased_at
        return None if begun is None else max(0.0, (now - begun).total_seconds())


class Followed:
    """One study. `look` says what must be read, the other methods take it, and `state` is what pages are to know.

    One thread at a time uses it.
    """

    def __init__(self, study_id: int) -> None:
        self.id = study_id
        self.record: StudyRecord | None = None
        self.pulse: Pulse | None = None
        self.runs: dict[int, Following] = {}
        self.happened: list[Happening] = []
        self.confirmed: list[Confirmed] = []
        self.times: Times | None = None
        self._read_at = 0.0
        self._ending: dict[str, Any] | None = None
        self.is_stale = True  # whether the study itself, its happenings and times are to be read

    def look(self, pulse: Pulse) -> None:
        """Note where the study stands now."""
        old = self.pulse
        if old is None or old.incarnation != pulse.incarnation:
            self.runs, self.record = {}, None
        present = time.monotonic()
        is_held_by_others = old is None or any(
            run not in pulse.running or pulse.running[run].token != step.token for run, step in old.running.items()
        )
        self.is_stale = (
            self.record is None
            or old is None
            or (old.mark, old.alive) != (pulse.mark, pulse.alive)
            or is_held_by_others
            or present - self._read_at >= SLOW_S
        )
        if self.is_stale:
            self._read_at = present
        self.pulse = pulse
        shown_runs = sorted(pulse.running)[:MOST_SHOWN]
        self.runs = {run: self._following(run, pulse.running[run]) for run in shown_runs}

    def unknown(self) -> list[int]:
        """The runs whose holders are to be read."""
        return [run for run, one in self.runs.items() if one.held is None]

    def wanted(self) -> list[Wanted]:
        """The points that are to be read."""
        assert self.record is not None
        metric = self.record.definition.objectives[0].metric
        found = []
        for run, one in self.runs.items():
            if one.step.epoch == 0 or (one.pace is not None and one.pace.epoch == one.step.epoch and one.points):
                continue
            last = one.points[-1] if one.points else None
            found.append(Wanted(run, metric, last, 1 if last else max(1, one.step.epoch * 2 // MOST_POINTS)))
        return found

    def take_points(self, read: Mapping[int, list[Point]], now: datetime) -> list[Wanted]:
        """Add the points that `wanted` has asked for; return what is to be asked for again, from the beginning."""
        again = []
        for run, points in read.items():
            one = self.runs.get(run)
            if one is None:
                continue
            last = one.points[-1] if one.points else None
            if last is None:
                one.points = tuple(points)
            elif points and (points[0].repeat, points[0].epoch, points[0].value) == (
                last.repeat,
                last.epoch,
                last.value,
            ):
                one.points += tuple(points[1:])
            else:  # the training has begun anew
                one.points, one.pace = (), None
                again += [want for want in self.wanted() if want.run == run]
                continue
            if len(one.points) > MOST_POINTS:
                one.points = thinned(one.points)
            resumed = one.held.run.facts.get("resumed_after_epoch", 0) if one.held else 0
            held_s = one.held_s(now)
            one.pace = Pace.of(one.step.epoch, one.pace, at=time.monotonic(), held_s=held_s, resumed=resumed)
        return again

    def state(self, now: datetime) -> dict[str, Any]:
        """What pages know of the study."""
        assert self.record is not None and self.pulse is not None
        if self.is_stale or self._ending is None or self._ending.get("why") is not None:
            left = Left(self.record, self.pulse, self.times, list(self.runs.values()))
            self._ending = ending(left, now, self._ending)
        known: dict[str, Any] = {
            "study": shown.study(self.record, self.pulse),
            "ending": self._ending,
            "happened": [shown.happening(one, self.record.definition) for one in self.happened],
            "confirmed": [shown.confirmed(one, self.record) for one in self.confirmed],
            "others": len(self.pulse.running) - len(self.runs),
        }
        for run, one in self.runs.items():
            if one.held is not None:
                known[f"run:{run}"] = shown.training(one.held, self.record.definition)
                known[f"at:{run}"] = [one.step.epoch, None if one.pace is None else one.pace.seconds_of(one.points)]
                known[f"curve:{run}"] = [[point.repeat, point.epoch, point.value] for point in one.points]
        return known

    def _following(self, run: int, step: Step) -> Following:
        one = self.runs.get(run)
        if one is None or one.step.token != step.token or step.epoch < one.step.epoch:
            return Following(step)
        if step.writes - one.step.writes != step.epoch - one.step.epoch:  # it has written its trial, or its facts
            one.held = None
        one.step = step
        return one


def thinned(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """Every second point, and the last."""
    return points[:-1:2] + points[-1:]
