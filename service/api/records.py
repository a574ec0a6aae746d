"""Pure functions that turn the storage's records into the API's models."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import urlsplit

from search_spaces import StudyShape
from search_spaces.keep import keeps_confirmation
from service.api.models import (
    AttemptOut,
    BudgetOut,
    CountsOut,
    CurvePointOut,
    DecidedAs,
    EarlierOut,
    LinksOut,
    ObjectiveOut,
    Retried,
    StudyDetail,
    StudyOut,
    Submitted,
    TrialDetail,
    TrialOut,
    WeightsOut,
    WinnerOut,
    WorkerOut,
)
from service.reports.found.confirmed import Confirmation
from service.settings import Settings
from service.statistics import Outcome
from service.storage.provenance import Provenance
from service.storage.records import CurvePoint, StudyRecord, TrialRecord, Weights, WorkerRecord, seeds_of
from service.storage.runs.history import Attempt
from service.storage.states import FINISHED_STATES
from service.web.elapsed import elapsed_s


def study_out(study: StudyRecord, settings: Settings) -> StudyOut:
    return StudyOut.model_validate(_study_fields(study, settings))


def submitted(study: StudyRecord, settings: Settings, advice: Iterable[str]) -> Submitted:
    return Submitted.model_validate({**_study_fields(study, settings), "advice": list(advice)})


def retried(study: StudyRecord, settings: Settings, runs: int) -> Retried:
    return Retried.model_validate({**_study_fields(study, settings), "retried": runs})


def study_detail(
    study: StudyRecord, settings: Settings, winner: WinnerOut | None, so_far: str | None = None
) -> StudyDetail:
    fields = _study_fields(study, settings)
    definition = study.definition.model_dump(mode="json")
    earlier = study.definition.start_from
    starts_from = None if earlier is None else EarlierOut(study=earlier, trials=study.knows)
    more = {"winner": winner, "confirmation_so_far": so_far, "starts_from": starts_from}
    return StudyDetail.model_validate({**fields, "definition": definition, **more})


def winner_out(confirmed: Confirmation, verdict: list[str]) -> WinnerOut:
    best, around = confirmed.winner, confirmed.winner.interval(confirmed.metric)
    return WinnerOut(
        run=best.trial.run_id,
        variant=best.trial.variant,
        params=dict(best.trial.params),
        metric=confirmed.metric,
        mean=best.mean(confirmed.metric),
        low=None if around is None else around.low,
        high=None if around is None else around.high,
        seeds=confirmed.seeds,
        outcome=_outcome(confirmed),
        verdict=verdict,
    )


def _outcome(confirmed: Confirmation) -> DecidedAs | None:
    """What was decided; a confirmation that ended early is undecided."""
    if confirmed.decision is None:
        return None
    decided: dict[Outcome, DecidedAs] = {Outcome.WINNER: "winner", Outcome.EQUAL: "practically equal"}
    return decided.get(confirmed.decision.outcome, "undecided")


def trial_out(trial: TrialRecord, definition: StudyShape) -> TrialOut:
    return TrialOut.model_validate(_trial_fields(trial, definition))


def trial_detail(
    trial: TrialRecord,
    definition: StudyShape,
    history: Iterable[Attempt],
    curves: Iterable[CurvePoint],
    provenance: Provenance | None,
    *,
    kept: Iterable[Weights] = (),
    logs: str | None = None,
) -> TrialDetail:
    attempts = [AttemptOut.model_validate(attempt, from_attributes=True) for attempt in history]
    points = [CurvePointOut.model_validate(point, from_attributes=True) for point in curves]
    seeds = seeds_of(definition, trial)
    weights = [
        WeightsOut(seed=seeds[one.repeat], epoch=one.epoch, digest=one.digest, bytes=one.size, reason=one.reason)
        for one in kept
    ]
    more = {"history": attempts, "curves": points, "provenance": provenance, "weights": weights, "logs": logs}
    return TrialDetail.model_validate({**_trial_fields(trial, definition), **more})


def worker_out(worker: WorkerRecord) -> WorkerOut:
    return WorkerOut.model_validate(worker, from_attributes=True)


def study_path(name: str, settings: Settings) -> str:
    """Where the study is served, of which a proxy may put a part in front."""
    return f"{urlsplit(settings.url).path}/v1/studies/{name}"


def _study_fields(study: StudyRecord, settings: Settings) -> dict[str, Any]:
    definition = study.definition
    path = study_path(study.name, settings)
    return {
        "name": study.name,
        "state": study.state,
        "failure": study.failure,
        "pause": study.pause,
        "task": definition.task.name,
        "priority": study.priority,
        "objectives": objectives_out(definition),
        "created_at": study.created_at,
        "finished_at": study.finished_at,
        "counts": CountsOut.model_validate(dict(study.counts)),
        "confirmation": CountsOut.model_validate(dict(study.confirmation)),
        "budget": BudgetOut(
            trials=sum(study.counts.values()),
            finished=sum(study.counts.get(state, 0) for state in FINISHED_STATES),
            elapsed_s=elapsed_s(study, datetime.now(UTC)),
            wall_time_s=definition.budget.wall_time,
            device_time_s=definition.budget.device_time,
            spent_s=study.device_time_s,
            patience=definition.budget.patience,
            epochs=definition.budget.epochs,
            booked_epochs=study.booked_epochs,
        ),
        "best": None if study.best is None else trial_out(study.best, definition),
        "tags": list(study.tags),
        "note": study.note,
        "links": LinksOut(
            self=path,
            report=f"{path}/report",
            dashboard=f"{settings.dashboard_url}/studies/{study.name}",
            weights=f"{path}/winner/weights" if keeps_confirmation(definition.keep) else None,
        ),
    }


def objectives_out(definition: StudyShape) -> list[ObjectiveOut]:
    return [_objective_out(objective.metric, objective.direction) for objective in definition.objectives]


@lru_cache(256)
def _objective_out(metric: str, direction: Literal["minimize", "maximize"]) -> ObjectiveOut:
    return ObjectiveOut(metric=metric, direction=direction)


def _trial_fields(trial: TrialRecord, definition: StudyShape) -> Mapping[str, Any]:
    return {
        "run": trial.run_id or None,
        "number": trial.number,
        "stage": trial.stage,
        "place": trial.place,
        "first_seed": trial.first_seed,
        "seeds": trial.seeds,
        "state": trial.state,
        "origin": trial.origin,
        "params": dict(trial.params),
        "variant": trial.variant,
        "values": trial.values,
        "best_epoch": trial.best_epoch,
        "epoch": trial.epoch,
        "epochs": definition.epochs_under(trial.seeds),
        "duration_s": trial.duration_s,
        "spent_s": trial.spent_s,
        "worker": trial.worker,
        "attempts": trial.attempts,
        "reason": trial.reason,
        "started_at": trial.started_at,
        "finished_at": trial.finished_at,
        "facts": dict(trial.facts),
    }
