"""The reasons why trials failed, each once."""

from collections import defaultdict

from service.reports.found.results import Results
from service.reports.markup import Html, table
from service.reports.sections.section import note, section
from service.reports.words.wording import DASH, settings
from service.storage.records import TrialRecord
from service.storage.states import RunState

MOST_REASONS = 50
MOST_NUMBERS = 8


def failures(results: Results) -> Html | None:
    by_reason: dict[str, list[TrialRecord]] = defaultdict(list)
    for trial in results.trials:
        if trial.state is RunState.FAILED:
            by_reason[trial.reason or "no reason was recorded"].append(trial)
    if not by_reason:
        return None
    often_first = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    rows = [
        (reason, settings(trials[0].params) or DASH, _numbers(trials), f"{len(trials):,}")
        for reason, trials in often_first[:MOST_REASONS]
    ]
    hidden = len(by_reason) - len(rows)
    more = note(f"{hidden:,} rarer reasons are not shown.") if hidden else None
    return section(
        "Failed trials", table(["Reason", "First such configuration", "Trials", "Count"], rows, words=3), more
    )


def _numbers(trials: list[TrialRecord]) -> str:
    shown = [DASH if trial.number is None else str(trial.number) for trial in trials[:MOST_NUMBERS]]
    return ", ".join(shown) + (", ..." if len(trials) > MOST_NUMBERS else "")
