"""A study's parts as an open page gets them: plain JSON, with sentences where there is something to say."""

from math import isfinite
from typing import Any

from search_spaces import StudyShape
from service.reports.words.wording import number, settings
from service.storage.live.confirming import Confirmed
from service.storage.live.happenings import Happening
from service.storage.live.pulse import Pulse
from service.storage.live.training import Held
from service.storage.records import StudyRecord, seeds_of
from service.storage.states import AttemptState, RunState, Stage

LONGEST = 300  # characters of a reason or of parameters
BEHIND_VARIANT = ("regularizer",)  # parameters that the variant's name says


def study(record: StudyRecord, pulse: Pulse) -> dict[str, Any]:
    """Where the study stands."""
    best = record.best
    return {
        "state": record.state.value,
        "trials": record.definition.trials,
        "epochs": [record.booked_epochs, record.definition.budget.epochs],
        "counts": {state.value: record.counts[state] for state in RunState},
        "confirmation": {state.value: record.confirmation[state] for state in RunState},
        "metric": record.definition.objectives[0].metric,
        "best": None
        if best is None or not best.values or not isfinite(best.values[0])  # JSON has finite numbers alone
        else {"number": best.number, "variant": best.variant, "value": best.values[0], "epoch": best.best_epoch},
        "started": None if record.started_at is None else record.started_at.isoformat(timespec="seconds"),
        "stood": None if record.stood_at is None else record.stood_at.isoformat(timespec="seconds"),
        "said": record.failure or (None if record.pause is None else f"it has paused itself: {record.pause}"),
        "alive": pulse.alive,
        "own": record.definition.task.is_external,
        "looks": [seeds for seeds, _ in record.looks],
        "decides": record.definition.confirmation is not None and record.definition.confirmation.is_decided,
        "outcome": None if record.decision is None else record.decision["outcome"],
    }


def training(held: Held, definition: StudyShape) -> dict[str, Any]:
    """A run in training, without what changes with each epoch."""
    run = held.run
    return {
        "stage": run.stage.value,
        "number": run.number if run.stage is Stage.SEARCH else run.place,
        "variant": run.variant,
        "params": settings(run.params, without=BEHIND_VARIANT)[:LONGEST],
        "epochs": definition.task.epochs,
        "repeats": len(seeds_of(definition, run)),
        "attempt": run.attempts,
        "worker": run.worker,
        "device": run.facts.get("device") or held.device,
    }


def confirmed(one: Confirmed, record: StudyRecord) -> dict[str, Any]:
    """A configuration of the confirmation."""
    objective = record.definition.objectives[0]
    return {
        "variant": one.variant,
        "params": settings(one.params, without=BEHIND_VARIANT)[:LONGEST],
        "seeds": one.seeds,
        "training": one.training,
        "waiting": one.waiting,
        "mean": one.mean,
        "metric": objective.tested if one.is_tested else objective.metric,
        "standing": one.standing.value,
        "lost": None
        if one.lost is None
        else {
            "address": f"studies/{record.name}/confirmation/{one.lost.place}",
            "reason": (one.lost.reason or "no reason was recorded")[:LONGEST],
        },
    }


def happening(one: Happening, definition: StudyShape) -> dict[str, Any]:
    """Something that has happened, in a sentence."""
    objective = definition.objectives[0]
    metric = objective.tested if one.is_tested else objective.metric
    return {
        "id": one.id,
        "at": one.at.isoformat(timespec="seconds"),
        "kind": "again" if one.state is None else one.state.value,
        "stage": one.stage.value,
        "number": one.number,
        "text": _sentence(one, metric)[:LONGEST],
    }


def _sentence(one: Happening, metric: str) -> str:
    which = "a trial that was not asked for yet" if one.number is None else one.stage.called(one.number)
    why = f": {one.reason}" if one.reason else ""
    worker = one.worker or "its worker"
    after = "" if one.epoch is None else f" after epoch {one.epoch}"
    match one.state:
        case AttemptState.COMPLETE:
            said = "is complete" if one.value is None else f"is complete: {metric} {number(one.value)}"
        case AttemptState.PRUNED:
            said = f"was pruned{after}"
        case AttemptState.PAUSED:
            said = f"has paused{after}: it goes on if it is promoted"
        case AttemptState.FAILED | AttemptState.CANCELLED:
            said = f"{'failed' if one.state is AttemptState.FAILED else 'was cancelled'}{why}"
        case AttemptState.PREEMPTED:
            said = f"was handed back by {worker}{after}{why}"
        case AttemptState.LOST:
            heir = f"{one.heir} has taken it over" if one.heir else "it waits again"
            said = f"was lost by {worker}{why}; {heir}"
        case _:
            said = "is to be tried again"
    return f"{which} {said}"
