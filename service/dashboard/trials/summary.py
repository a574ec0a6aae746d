"""What a comparison needs of one study: a page's worth of figures, however many trials it has."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.reports.found.confirmed import confirmation_of
from service.reports.found.results import Results, value_of
from service.reports.words.wording import settings
from service.storage.records import TrialRecord
from service.storage.states import FINISHED_STATES, RunState
from service.web.reports import Reports


@dataclass(frozen=True)
class Ranked:
    """A variant's search in a study."""

    variant: str
    trials: int  # complete ones
    best: float | None  # by the first objective
    number: int | None  # the trial that reached it
    settings: str


@dataclass(frozen=True)
class Confirmed:
    """A configuration that was confirmed."""

    variant: str
    mean: float
    low: float  # the mean where it has no interval
    high: float
    seeds: int
    place: int | None  # of its first run


@dataclass(frozen=True)
class Step:
    """The best value from here on."""

    trials: int  # that had ended
    seconds: float  # of device time that they had taken
    best: float


@dataclass(frozen=True)
class Summary:
    """One study of a comparison."""

    name: str
    state: str
    task: Mapping[str, Any]
    metric: str
    maximizes: bool
    finished: int  # trials that have ended
    device_time_s: float
    ranked: Sequence[Ranked]  # the best first
    confirmed_on: str | None  # the metric of the confirmation's means
    confirmed: Sequence[Confirmed]  # the best first
    steps: Sequence[Step]
    others: Sequence[str]  # its further objectives

    @property
    def kind(self) -> tuple[str, str, bool]:
        """Studies of one kind measure the same: task, metric and direction."""
        return (str(self.task["name"]), self.metric, self.maximizes)


def summary(reports: Reports, name: str) -> Summary:
    """Return the study's summary, which is made once for each of its states.

    Raises:
        UnknownStudy: there is no such study.
        ReportsBusy: others are being made; ask again.
    """
    data = json.loads(reports.made(name, "summary", _written))
    data["ranked"] = [Ranked(**each) for each in data["ranked"]]
    data["confirmed"] = [Confirmed(**each) for each in data["confirmed"]]
    data["steps"] = [Step(*each) for each in data["steps"]]
    return Summary(**data)


def _written(results: Results) -> bytes:
    study, definition = results.study, results.study.definition
    confirmed = confirmation_of(results) if results.confirmations else None
    found = {
        "name": study.name,
        "state": study.state,
        "task": definition.task.model_dump(mode="json"),
        "metric": results.objective.metric,
        "maximizes": results.maximize,
        "finished": sum(study.counts[state] for state in FINISHED_STATES),
        "device_time_s": study.device_time_s,
        "ranked": [
            {
                "variant": row.variant,
                "trials": row.trials,
                "best": row.best_values[0] if row.best_values else None,
                "number": row.best_number,
                "settings": settings(row.best_params or {}, without=list(definition.fixed)),
            }
            for row in results.ranking
        ],
        "confirmed_on": None if confirmed is None else confirmed.metric,
        "confirmed": [] if confirmed is None else [_confirmed(one, confirmed.metric) for one in confirmed.found],
        "steps": [list(step) for step in _steps(results)],
        "others": [objective.metric for objective in definition.objectives[1:]],
    }
    return json.dumps(found).encode()


def _confirmed(one: Any, metric: str) -> dict[str, Any]:
    mean = one.mean(metric)
    around = one.interval(metric)
    return {
        "variant": one.trial.variant,
        "mean": mean,
        "low": mean if around is None else around.low,
        "high": mean if around is None else around.high,
        "seeds": one.seeds,
        "place": one.trial.place,
    }


def _steps(results: Results) -> Iterator[tuple[int, float, float]]:
    """Every improvement of the best value, in the order in which trials ended, and where the search stands now."""
    ended = [trial for trial in results.trials if trial.finished_at is not None and trial.state in FINISHED_STATES]
    ended.sort(key=lambda trial: (trial.finished_at, trial.run_id))
    best, seconds, count = None, 0.0, 0
    for count, trial in enumerate(ended, 1):
        seconds += trial.spent_s
        value = _finite(trial)
        if value is not None and results.objective.is_better(value, best):
            best = value
            yield count, seconds, best
    if best is not None:
        yield count, seconds, best


def _finite(trial: TrialRecord) -> float | None:
    if trial.state is not RunState.COMPLETE or not trial.values:
        return None
    value = value_of(trial)
    return value if math.isfinite(value) else None
