"""What to do next to learn which variant is better: the remedy that fits the state of the study."""

from service.reports.found.results import Results
from service.reports.words.wording import plural
from service.storage.records import StudyRecord
from service.storage.states import FINISHED_STATES, OPEN_STATES, RunState, StudyState

REPEATS = 10  # seeds that are proposed: docs/statistics.md, "How many seeds"
AGAIN = f"submit it under another name with confirmation: {{top: 1, repeats: {REPEATS}}}"

TO_FIND_OUT = "To find out which variant is better,"


def to_decide(study: StudyRecord) -> str:
    """The sentence on what decides between the variants of a study that has no verdict of a confirmation yet."""
    if len(study.definition.objectives) > 1:
        return (
            "With several objectives no configuration is the best one, so none can be confirmed: choose from the front "
            "yourself, or submit the study with the one objective that counts."
        )
    if study.state is StudyState.FAILED:
        return "No trial is complete, so there is nothing to confirm."
    if study.state is StudyState.STOPPED:
        return f"The study was stopped for good and cannot be confirmed. {TO_FIND_OUT} {_again(study)}."
    if study.definition.confirmation is None:
        return _to_be_asked_for(study)
    if study.state is StudyState.COMPLETE:
        return _confirmed_in_vain(study, study.definition.confirmation.top)
    paused = study.state is StudyState.PAUSED
    return _under_way(study) + (f" It is paused: `pernodedrop resume {study.name}` lets it go on." if paused else "")


def to_compare(results: Results) -> str:
    """The sentence on how a study comes to a second variant with a complete trial."""
    study, others = results.study, len(results.variants) > 1
    if _open_trials(study):
        waits = f": `pernodedrop resume {study.name}` lets them begin" if study.state is StudyState.PAUSED else ""
        return f"{plural(_open_trials(study), 'trial')} of the search may still bring another{waits}."
    if not others:
        return "To compare it, submit a study that has others beside it, such as none, the control without noise."
    if study.state is StudyState.STOPPED or study.definition.sampler.visits_grid:
        return "To compare it, submit the study under another name with more trials."
    more = max(1, len(results.trials))
    return f"To give the others more trials: `pernodedrop extend {study.name} --trials {more}`."


def without_result(results: Results) -> list[str]:
    """The sentences for a study that has ended without a complete trial; [] while it goes on."""
    study = results.study
    if study.state not in (StudyState.COMPLETE, StudyState.FAILED, StudyState.STOPPED) or not results.trials:
        return []
    said = f"Nothing can be concluded: {study.failure or 'no trial is complete'}."
    failed = sum(trial.state is RunState.FAILED for trial in results.trials)
    if not failed:
        pruned = any(trial.state is RunState.PRUNED for trial in results.trials)
        milder = " with another pruner, or one that begins later" if pruned else ""
        return [said, f"No trial was trained to its end: submit the study under another name{milder}."]
    anew = study.state is StudyState.STOPPED or study.definition.sampler.visits_grid
    remedy = "submit the study under another name"
    if not anew:
        remedy = f"add as many trials: `pernodedrop extend {study.name} --trials {failed}`"
    return [said, f"{plural(failed, 'trial')} failed. Mend what makes them fail, then {remedy}."]


def _again(study: StudyRecord) -> str:
    """How to get what a stopped study can no longer give; a confirmation that it has is submitted with it."""
    return AGAIN if study.definition.confirmation is None else "submit it under another name"


def _to_be_asked_for(study: StudyRecord) -> str:
    command = f"`pernodedrop confirm {study.name} --repeats {REPEATS}`"
    if study.state is StudyState.COMPLETE:
        return f"{TO_FIND_OUT} train the best configuration of each again under fresh seeds: {command}."
    said = f"{TO_FIND_OUT} have the best of each trained again under fresh seeds when the search has ended: {command}."
    if study.state is StudyState.PAUSED:
        return f"{said} The study is paused: `pernodedrop resume {study.name}` lets it go on."
    return said


def _confirmed_in_vain(study: StudyRecord, top: int) -> str:
    """A confirmation that has ended without a result."""
    without = "No run of the confirmation has a result"
    if study.decision is not None:  # looks may have dropped some, before the others failed
        without = "No configuration is left in the confirmation that has a result under every seed"
    return (
        f"{without}: mend what makes them fail, then train further configurations with "
        f"`pernodedrop confirm {study.name} --top {top + 1}`."
    )


def _under_way(study: StudyRecord) -> str:
    asked = study.definition.confirmation
    runs = sum(study.confirmation.values())
    if _open_trials(study) or not runs or asked is None:
        seeds = "" if asked is None else f" under {plural(asked.repeats, 'fresh seed')}"
        return f"When the search has ended, the best configurations are trained again{seeds}: that will decide."
    ended = sum(study.confirmation.get(state, 0) for state in (*FINISHED_STATES, RunState.CANCELLED))
    return f"The best configurations are being confirmed: {ended:,} of {plural(runs, 'run')} have ended."


def _open_trials(study: StudyRecord) -> int:
    """The runs of the search that wait or are in training; of a stopped study none begins."""
    if study.state is StudyState.STOPPED:
        return 0
    return sum(study.counts.get(state, 0) for state in OPEN_STATES)
