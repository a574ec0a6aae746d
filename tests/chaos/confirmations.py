"""What is expected of a study's confirmation, whatever has befallen it."""

from collections import Counter
from collections.abc import Sequence

from service.storage.database.database import Database
from service.storage.records import StudyRecord, TrialRecord
from service.storage.states import RunState, Stage
from service.storage.studies import studies, trials
from tests.chaos import own_loop
from tests.chaos.definitions import MORE_SEEDS

ON_TEST = "test"


def unconfirmed(db: Database) -> list[str]:
    """As `shortfalls`, of all studies that have a confirmation."""
    return [
        problem
        for study in studies.page(db, limit=1000)
        if study.definition.confirmation is not None
        for problem in _lacking(db, study)
    ]


def _lacking(db: Database, study: StudyRecord) -> list[str]:
    searched, confirmed = (trials.page(db, study, stage=stage, limit=1000) for stage in Stage)
    if study.definition.task.is_external:
        return own_loop.shortfalls(study, confirmed)
    return shortfalls(study, searched, confirmed)


def shortfalls(study: StudyRecord, searched: Sequence[TrialRecord], confirmed: Sequence[TrialRecord]) -> list[str]:
    """What is not as it must be where every variant is searched once, as in a grid of variants.

    Then every configuration is the best of its variant: it is confirmed completely, on the test split, and one of them
    is recommended. What was not dropped has all seeds of the last look. That no seed comes twice, and that who was
    dropped gets no more, is the audit's to say.
    """
    seeds = Counter[str]()
    for run in confirmed:
        seeds[run.variant] += (run.seeds or 0) if run.state is RunState.COMPLETE else 0
    wanted, verdict = {trial.variant for trial in searched}, study.decision
    problems = []
    if {variant for variant, number in seeds.items() if number} != wanted or not all(map(is_complete, confirmed)):
        problems.append(f"{study.name} confirmed {dict(seeds)} in {len(confirmed)} runs, expected {sorted(wanted)}")
    problems += [
        f"{study.name} run {run.run_id} was confirmed on {run.facts.get('confirmed_on')}, expected {ON_TEST}"
        for run in confirmed
        if run.facts.get("confirmed_on") != ON_TEST
    ]
    if verdict is None or study.looks[-1:] != ((verdict["seeds"], "sequential"),):
        return [*problems, f"{study.name} has the verdict {verdict} and the looks {study.looks}"]
    least = {run.variant: seeds[run.variant] for run in confirmed if run.run_id in verdict["left"]}
    if set(least.values()) != {verdict["seeds"]}:
        problems.append(f"{study.name} has {least} seeds, expected {verdict['seeds']} of each that is left")
    if len(least) > 1 and verdict["seeds"] < MORE_SEEDS:
        problems.append(f"{study.name} was not extended: it has {verdict['seeds']} seeds, expected {MORE_SEEDS}")
    return problems if study.winner is not None else [*problems, f"{study.name} has no winner"]


def is_complete(run: TrialRecord) -> bool:
    return run.state is RunState.COMPLETE
