"""The body of a comparison: what may be compared, the variants of all studies, their confirmations, their courses."""

import math
from collections.abc import Sequence

from service.dashboard.trials.columns import figure
from service.dashboard.trials.marks import pill, variant_tag
from service.dashboard.trials.plot import Line, plot
from service.dashboard.trials.summary import Confirmed, Ranked, Step, Summary
from service.reports.markup import Content, Html, element, table
from service.reports.words.wording import DASH, duration, listing

HOUR = 3600.0
NOT_OF_THE_TASK = ("name",)


def comparison_of(found: Sequence[Summary]) -> list[Html]:
    """The sections of a comparison of at least two studies."""
    kinds: dict[tuple[str, str, bool], list[Summary]] = {}
    for one in found:
        kinds.setdefault(one.kind, []).append(one)
    look = {one.name: f"study-{place}" for place, one in enumerate(found)}
    parts = [_overview(found, look)]
    if len(kinds) > 1:
        parts.append(_not_comparable(list(kinds.values())))
    for alike in kinds.values():
        parts += _of_one_kind(alike, look, titled=len(kinds) > 1)
    return parts


def _overview(found: Sequence[Summary], look: dict[str, str]) -> Html:
    rows = [
        (
            _named(one, look),
            pill(one.state),
            str(one.task["name"]),
            f"{one.metric}, {'more' if one.maximizes else 'less'} is better",
            f"{one.finished:,}",
            duration(one.device_time_s),
            figure(one.ranked[0].best if one.ranked else None),
        )
        for one in found
    ]
    header = ["Study", "State", "Task", "Objective", "Trials ended", "Device time", "Best"]
    further = [one.name for one in found if one.others]
    note = f"{listing(further)} have further objectives, which are not compared here." if further else None
    return element("section", table(header, rows, words=4), _note(note), class_="card")


def _note(said: str | None) -> Html | None:
    return element("p", said, class_="note") if said else None


def _not_comparable(kinds: Sequence[Sequence[Summary]]) -> Html:
    """Say which studies measure something else."""
    said = [
        f"{listing([one.name for one in alike])} {'measures' if len(alike) == 1 else 'measure'} {alike[0].metric} of "
        f"task {alike[0].task['name']} ({'more' if alike[0].maximizes else 'less'} is better)"
        for alike in kinds
    ]
    return element(
        "p", f"Not all of these can be compared: {'; '.join(said)}. Each kind stands by itself.", class_="warning card"
    )


def _of_one_kind(alike: Sequence[Summary], look: dict[str, str], *, titled: bool) -> list[Html]:
    title = f": {alike[0].metric} of {alike[0].task['name']}" if titled else ""
    if len(alike) == 1 and titled:
        said = f"{alike[0].name} is alone with its metric and task, so it is compared with none."
        return [
            element(
                "section", element("h2", f"By itself{title}"), element("p", said), _ranked(alike, look), class_="card"
            )
        ]
    return [
        element("section", element("h2", f"Variants{title}"), _differing(alike), _ranked(alike, look), class_="card"),
        *_confirmed(alike, look, title),
        *_courses(alike, look, title),
    ]


def _differing(alike: Sequence[Summary]) -> Html | None:
    """Say which settings of the common task differ, since a difference may come from them."""
    names = dict.fromkeys(name for one in alike for name in one.task if name not in NOT_OF_THE_TASK)
    told = []
    for name in names:
        values = [one.task.get(name) for one in alike]
        if any(value != values[0] for value in values):
            each = ", ".join(f"{_short(value)} in {one.name}" for one, value in zip(alike, values, strict=True))
            told.append(f"{name} is {each}")
    if not told:
        return None
    return element(
        "p", f"The studies train differently, so a difference may come from that: {'; '.join(told)}.", class_="warning"
    )


def _short(value: object) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _ranked(alike: Sequence[Summary], look: dict[str, str]) -> Html:
    """Each variant's best value in every study, the best variant of all first."""
    maximizes = alike[0].maximizes
    by_study = [{row.variant: row for row in one.ranked} for one in alike]

    def cost(variant: str) -> tuple[float, str]:
        reached = [rows[variant].best for rows in by_study if variant in rows]
        costs = [(-value if maximizes else value) for value in reached if value is not None]
        return (min(costs, default=math.inf), variant)

    variants = sorted({variant for rows in by_study for variant in rows}, key=cost)
    rows = [
        (
            f"{rank}",
            variant_tag(variant),
            *(_best(one, rows.get(variant), cost(variant)[0]) for one, rows in zip(alike, by_study, strict=True)),
        )
        for rank, variant in enumerate(variants, 1)
    ]
    if not rows:
        return element("p", "No trial has begun.", class_="note")
    header: list[Content] = ["Rank", "Variant", *(_named(one, look) for one in alike)]
    note = "The best value of each variant's complete trials, with their number; the best of a row is bold. "
    return element(
        "div",
        table(header, rows, words=2),
        element("p", note, "A best value is partly luck, and more trials have more of it.", class_="note"),
    )


def _best(study: Summary, row: Ranked | None, best: float) -> Content:
    if row is None:
        return DASH
    if row.best is None:
        return element("small", "none complete")
    cost = -row.best if study.maximizes else row.best
    link = element("a", figure(row.best), href=f"studies/{study.name}/trials/{row.number}", title=row.settings)
    shown = element("strong", link) if cost == best else link
    return element("span", shown, element("small", f" of {row.trials:,}"))


def _confirmed(alike: Sequence[Summary], look: dict[str, str], title: str) -> list[Html]:
    having = [one for one in alike if one.confirmed]
    if not having:
        return []
    rows = [
        (_named(study, look), variant_tag(one.variant), *_mean(study, one))
        for study in having
        for one in study.confirmed
    ]
    metrics = sorted({str(one.confirmed_on) for one in having})
    different = f" They are of {listing(metrics)}, so only those of one metric compare." if len(metrics) > 1 else ""
    note = (
        "Means over seeds that chose nothing, with the 95 % interval of each mean by itself. Intervals of two studies "
        f"that overlap decide nothing: a test needs both in one study.{different}"
    )
    header = ["Study", "Variant", "Metric", "Mean", "95 % interval", "Seeds"]
    return [
        element(
            "section",
            element("h2", f"Confirmed{title}"),
            table(header, rows, words=3),
            element("p", note, class_="note"),
            class_="card",
        )
    ]


def _mean(study: Summary, one: Confirmed) -> tuple[Content, ...]:
    mean = element("a", figure(one.mean), href=f"studies/{study.name}/confirmation/{one.place}")
    interval = f"{figure(one.low)} to {figure(one.high)}" if one.low < one.high else DASH
    return (str(study.confirmed_on), mean, interval, f"{one.seeds}")


def _courses(alike: Sequence[Summary], look: dict[str, str], title: str) -> list[Html]:
    """The best value so far against the trials that had ended, and against the device time that they had taken."""
    drawn = [one for one in alike if one.steps]
    if not drawn:
        return []
    y = f"best {drawn[0].metric}"
    trials = [
        Line(one.name, [(step.trials, step.best) for step in one.steps], look[one.name], stepped=True) for one in drawn
    ]
    unit, seconds = _unit(max(one.steps[-1].seconds for one in drawn))
    times = [
        Line(one.name, [(step.seconds / seconds, step.best) for step in one.steps], look[one.name], stepped=True)
        for one in drawn
    ]
    keys = [element("span", element("i", class_=f"key {look[one.name]}"), one.name) for one in drawn]
    without = [one.name for one in alike if not one.steps]
    missing = f"{listing(without)}: no complete trial yet." if without else None
    return [
        element(
            "section",
            element("h2", f"The best so far{title}"),
            element("p", *keys, class_="keys"),
            element(
                "div",
                element("figure", plot(trials, x="trials ended", y=y)),
                element("figure", plot(times, x=f"device time of ended trials in {unit}", y=y)),
                class_="panels",
            ),
            _note(missing),
            element("details", element("summary", "The figures"), _steps(drawn, look)),
            class_="card",
        )
    ]


def _unit(longest: float) -> tuple[str, float]:
    if longest < 300:
        return "s", 1.0
    return ("min", 60.0) if longest < 2 * HOUR else ("h", HOUR)


def _steps(drawn: Sequence[Summary], look: dict[str, str]) -> Html:
    rows = [
        (_named(one, look), f"{step.trials:,}", duration(step.seconds), figure(step.best))
        for one in drawn
        for step in _improved(one.steps)
    ]
    return table(["Study", "Trials ended", "Device time", "Best"], rows)


def _improved(steps: Sequence[Step]) -> Sequence[Step]:
    return [step for place, step in enumerate(steps) if place == 0 or step.trials != steps[place - 1].trials]


def _named(one: Summary, look: dict[str, str]) -> Html:
    return element(
        "a", element("i", class_=f"key {look[one.name]}"), one.name, href=f"studies/{one.name}", class_="named"
    )
