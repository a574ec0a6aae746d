"""One study in the list: its state, progress, best result so far, and links."""

import itertools
from datetime import datetime

from service.dashboard.listing.sparkline import Line, sparkline
from service.reports.markup import Html, element, with_commands
from service.reports.sections.noted import noted
from service.reports.words.wording import DASH, duration, number
from service.storage.records import StudyRecord
from service.storage.states import FINISHED_STATES, OPEN_STATES, RunState
from service.web.elapsed import elapsed_s

# The segments of the progress bar from left to right.
SEGMENTS = (RunState.COMPLETE, RunState.PRUNED, RunState.FAILED, RunState.PAUSED, RunState.RUNNING)


def study_card(study: StudyRecord, now: datetime, line: Line = ()) -> Html:
    """The study's card as of `now`, with the line of its best value so far and a box to choose it for a comparison."""
    heading = element(
        "h2",
        element("input", type="checkbox", name="study", value=study.name, aria_label=f"compare {study.name}"),
        element("a", study.name, href=f"studies/{study.name}"),
        element("span", study.state, class_=f"pill {study.state}"),
    )
    links = element(
        "p",
        element("a", "Report", href=f"studies/{study.name}"),
        element("a", "Trials in Optuna", href=f"dashboard/studies/{study.optuna_study_id}"),
        class_="links",
    )
    return element(
        "article",
        element("div", heading, sparkline(study, line), links, class_="top"),
        element("p", study.definition.description, class_="description") if study.definition.description else None,
        *noted(study),
        _progress_bar(study),
        element("dl", *_facts(study, now)),
        class_="card",
    )


def _progress_bar(study: StudyRecord) -> Html:
    """Runs by state as widths, in an image of rectangles, since a strict policy forbids inline styles."""
    begun = [study.counts[state] for state in SEGMENTS]
    starts = itertools.accumulate(begun, initial=0)
    parts = [
        element("rect", x=str(start), y="0", width=str(runs), height="1", class_=state)
        for state, start, runs in zip(SEGMENTS, starts, begun, strict=False)
        if runs
    ]
    title = element("title", _progress(study))
    view = f"0 0 {study.definition.trials} 1"
    return element("svg", title, *parts, viewBox=view, preserveAspectRatio="none", class_="bar", role="img")


def _progress(study: StudyRecord) -> str:
    finished = sum(study.counts[state] for state in FINISHED_STATES)
    others = (RunState.RUNNING, RunState.PAUSED, RunState.PRUNED, RunState.FAILED, RunState.CANCELLED)
    parts = [f"{study.counts[state]} {state}" for state in others if study.counts[state]]
    confirming, left = sum(study.confirmation.values()), sum(study.confirmation[state] for state in OPEN_STATES)
    if left:
        parts.append(f"confirmation {confirming - left} of {confirming}")
    return ", ".join([f"{finished} of {study.definition.trials} trials", *parts])


def _facts(study: StudyRecord, now: datetime) -> list[Html]:
    best, epochs = study.best, study.definition.budget.epochs
    facts: dict[str, str] = {
        "Task": study.definition.task.name,
        "Progress": _progress(study),
        f"The search's best {study.definition.objectives[0].metric}": number(
            best.values[0] if best and best.values else None
        ),
        "by": best.variant if best else DASH,
        "Time": duration(elapsed_s(study, now)) if study.started_at else DASH,
        **({"Epochs taken": f"{study.booked_epochs:,} of {epochs:,}"} if epochs is not None else {}),
        **({"Why it failed": with_commands(study.failure)} if study.failure else {}),
        **({"Why it has paused": with_commands(study.pause)} if study.pause else {}),
        **({"Priority": str(study.priority)} if study.priority else {}),
    }
    return [
        element("div", element("dt", name), element("dd", value), class_="whole" if name.startswith("Why") else None)
        for name, value in facts.items()
    ]
