"""What is expected of a study's confirmation, whatever has befallen it."""

from collections import Counter
from collections.abc import Sequence

from service.storage.database.database import Database
from service.storage.records import StudyRecord, TrialRecord
from service.storage.states import RunState, Stage
from service.storage.studies import studies, trials

ON_TEST = "test"


def unconfirmed(db: Database) -> list[str]:
    """As `shortfalls`, of all studies that have a confirmation."""
    return [
        problem
        for study in studies.page(db, limit=1000)
        if study.definition.confirmation is not None
        for problem in shortfalls(study, *(trials.page(db, study, stage=stage, limit=1000) for stage in Stage))
    ]


def shortfalls(study: StudyRecord, searched: Sequence[TrialRecord], confirmed: Sequence[TrialRecord]) -> list[str]:
    """What is not as it must be where every variant is searched once, as in a grid of variants.

    Then every configuration is the best of its variant: it is confirmed once, completely, on the test split, and one
    of them has won. That each has all its seeds is the audit's to say.
    """
    wanted = Counter(trial.variant for trial in searched)
    found = Counter(run.variant for run in confirmed if run.state is RunState.COMPLETE)
    problems = []
    if found != wanted or len(confirmed) != len(searched):
        problems.append(f"{study.name} confirmed {dict(found)} in {len(confirmed)} runs, expected {dict(wanted)}")
    problems += [
        f"{study.name} run {run.run_id} was confirmed on {run.facts.get('confirmed_on')}, expected {ON_TEST}"
        for run in confirmed
        if run.facts.get("confirmed_on") != ON_TEST
    ]
    return problems if study.winner is not None else [*problems, f"{study.name} has no winner"]
