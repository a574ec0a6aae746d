"""What a study answers, in the API's models: the confirmed configurations, the recommended one, or what to do next."""

from collections.abc import Mapping, Sequence

from service.api.models import BestOut, ConfirmedOut, RecommendedOut, StudyDetail
from service.api.models.studies import TaskCodeOut
from service.api.records import trial_out
from service.reports.found.confirmed import Confirmation
from service.reports.found.recommended import recommended_of
from service.reports.words.advice import to_decide
from service.reports.words.recommended import fixed_block, recommendation
from service.reports.words.task_code import mixed
from service.storage.provenance import TaskCode
from service.storage.records import StudyRecord, TrialRecord


def with_answer(
    detail: StudyDetail, study: StudyRecord, confirmed: Confirmation | None, weights: Mapping[int, str] | None = None
) -> StudyDetail:
    """The study with what its ended confirmation found; None is a study without one. `weights` are digests by run."""
    if confirmed is None:
        return detail.model_copy(update={"advice": to_decide(study)})
    answer = {"recommended": recommended_out(study, confirmed), "confirmed": confirmed_out(confirmed, weights or {})}
    return detail.model_copy(update=answer)


def with_task_code(detail: StudyDetail, codes: Sequence[TaskCode]) -> StudyDetail:
    """The study with the sources of its own task that trained it."""
    told = [TaskCodeOut(**code._asdict()) for code in codes]
    return detail.model_copy(update={"task_code": told, "task_changed": mixed(detail.task, codes)})


def best_out(best: TrialRecord, study: StudyRecord, confirmed: Confirmation | None) -> BestOut:
    recommended = None if confirmed is None else recommended_out(study, confirmed)
    return BestOut(**dict(trial_out(best, study.definition)), recommended=recommended)


def recommended_out(study: StudyRecord, confirmed: Confirmation) -> RecommendedOut | None:
    chosen = recommended_of(study, confirmed)
    if chosen is None:
        return None
    trial = chosen.trial
    return RecommendedOut(
        run=trial.run_id,
        variant=trial.variant,
        params=dict(trial.params),
        why=recommendation(confirmed, chosen),
        fixed=fixed_block(study.definition, trial.params),
    )


def confirmed_out(confirmed: Confirmation, weights: Mapping[int, str]) -> list[ConfirmedOut]:
    """The rows of the confirmation's table, the best mean first."""
    rows = []
    for one, against in zip(confirmed.found, (None, *confirmed.to_winner), strict=True):
        around = one.interval(confirmed.metric)
        won = None if against is None else against.higher if confirmed.maximize else against.lower
        rows.append(
            ConfirmedOut(
                run=one.trial.run_id,
                variant=one.trial.variant,
                params=dict(one.trial.params),
                metric=confirmed.metric,
                seeds=len(one.figures[confirmed.metric]),
                mean=one.mean(confirmed.metric),
                low=None if around is None else around.low,
                high=None if around is None else around.high,
                difference=None if against is None else against.mean,
                difference_low=None if against is None else against.low,
                difference_high=None if against is None else against.high,
                seeds_won=won,
                weights=weights.get(one.trial.run_id),
            )
        )
    return rows
