"""How a study goes on, as HTML: what a browser without scripts shows, and what the script keeps up to date."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service.dashboard.study.live.difference import State
from service.reports.markup import Html, element, join, table, with_commands
from service.reports.words.wording import DASH, duration, number, plural, setting
from service.storage.states import FINISHED_STATES, RunState, Stage
from service.times import near

WITHOUT_SCRIPTS = "This browser runs no scripts: reload the page to see how the study goes on."
CAPTIONS = {"progress": "Progress", "training": "In training", "confirmation": "Confirmation", "happened": "Lately"}


def live_part(name: str, state: State) -> Html:
    """The part of the page of the study of this name."""
    parts = {
        "progress": progress(state),
        "training": training(state),
        "confirmation": confirmation(state),
        "happened": happened(state),
    }
    return element(
        "div",
        element("p", class_="news", role="status"),
        element("noscript", element("p", WITHOUT_SCRIPTS, class_="hint")),
        *(
            element(
                "div",
                element("h2", CAPTIONS[part]),
                element("div", content, data_part=part),
                class_=f"card {part}",
                hidden=content is None,
            )
            for part, content in parts.items()
        ),
        id="live",
        class_="live",
        role="region",
        aria_label="How the study goes on",
        data_events=f"studies/{name}/events",
        data_report=f"studies/{name}/report-body",
    )


def progress(state: State) -> Html:
    study = state["study"]
    counts = study["counts"]
    ended = sum(counts[one] for one in FINISHED_STATES) + counts[RunState.CANCELLED]
    others = (RunState.RUNNING, RunState.PAUSED, RunState.PRUNED, RunState.FAILED, RunState.CANCELLED)
    said = [f"{ended:,} of {plural(study['trials'], 'trial')}"]
    said += [f"{counts[one]:,} {one.value}" for one in others if counts[one]]
    best, (taken, budget) = study["best"], study["epochs"]
    facts: dict[str, str] = {
        "Trials": ", ".join(said),
        **({} if budget is None else {"Epochs taken": f"{taken:,} of {budget:,}"}),
        f"Best {study['metric']} so far": DASH
        if best is None
        else f"{number(best['value'])} by {best['variant']}, trial {best['number']}",
        "Ends": _ends(state["ending"]),
    }
    shown = [element("div", element("dt", name), element("dd", value)) for name, value in facts.items()]
    reason = study["said"]
    return element("div", element("dl", *shown), element("p", with_commands(reason), class_="note") if reason else None)


def training(state: State) -> Html | None:
    """The runs in training, a line each."""
    rows = []
    for name, run in state.items():
        if not name.startswith("run:"):
            continue
        key = name.partition(":")[2]
        epoch, seconds = state.get(f"at:{key}", [0, None])
        points = state.get(f"curve:{key}", [])
        which = DASH if run["number"] is None else Stage(run["stage"]).called(run["number"])
        rows.append(
            (
                which,
                run["variant"],
                f"{epoch} of {run['epochs'] * run['repeats']}",
                number(points[-1][2]) if points else DASH,
                duration(seconds),
                run["worker"],
                run["device"],
            )
        )
    if not rows:
        return None
    header = ("Run", "Variant", "Epoch", state["study"]["metric"], "An epoch takes", "Worker", "Device")
    return table(header, rows, words=2)


def confirmation(state: State) -> Html | None:
    """The configurations, and who is left."""
    if not state["confirmed"]:
        return None
    header = ("Configuration", "", "Seeds", "In training", "Waiting", f"Mean {state['confirmed'][0]['metric']}")
    rows = [
        (
            f"{one['variant']}: {one['params']}",
            _standing(one),
            setting(one["seeds"]),
            setting(one["training"]),
            setting(one["waiting"]),
            number(one["mean"]),
        )
        for one in state["confirmed"]
    ]
    return table(header, rows, words=2)


def _standing(one: Mapping[str, Any]) -> Html | str:
    """Whether the configuration is in it still; of a run that was lost with the reason, and the way to it."""
    lost, said = one["lost"], one["standing"]
    if lost is None:
        return str(said)
    return join((element("a", said, href=lost["address"]), f": {lost['reason']}"))


def happened(state: State) -> Html | None:
    """What has happened, the newest first."""
    items = [
        element("li", element("time", _clock(one)), " ", one["text"], class_=one["kind"]) for one in state["happened"]
    ]
    return element("ol", *items, tabindex="0") if items else None  # it scrolls, also by keys


def ended_runs(state: State) -> int:
    """The runs of search and confirmation that have ended: how much there is to report."""
    both = (state["study"]["counts"], state["study"]["confirmation"])
    return sum(counts[one] for counts in both for one in (*FINISHED_STATES, RunState.CANCELLED))


def _clock(one: Mapping[str, Any]) -> str:
    return near(datetime.fromisoformat(one["at"]))


def _ends(ending: Mapping[str, Any]) -> str:
    if "over" in ending:
        return "it has ended"
    if "why" in ending:
        return f"cannot be known: {ending['why']}"
    earliest, at, latest = (datetime.fromisoformat(ending[name]) for name in ("earliest", "at", "latest"))
    note = f". {ending['note']}" if ending["note"] else ""
    return f"about {near(at)}, between {near(earliest)} and {near(latest)}{note}"
