"""A run's learning curves: a chart for each metric, with a line for each split and seed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from service.dashboard.trials.columns import figure
from service.dashboard.trials.plot import Line, Point, needs_log, plot
from service.reports.markup import Html, element, table
from service.reports.words.wording import plural
from service.storage.records import CurvePoint, StudyRecord, TrialRecord, seeds_of

SPLITS = ("train", "val", "test")
MOST_METRICS = 40  # that are drawn
LOSS, BYTES = "loss", "bytes"
Series = Mapping[tuple[str, int], Sequence[Point]]  # by split and repeat


def curves_of(study: StudyRecord, run: TrialRecord, points: Sequence[CurvePoint]) -> Html:
    """The charts, those of the objectives first, and the figures at the end of every line."""
    by_metric = _by_metric(points)
    if not by_metric:
        return element("p", "No epoch has been recorded.", class_="note")
    seeds = seeds_of(study.definition, run)
    first = [objective.metric.partition("_")[2] for objective in study.definition.objectives]
    order = sorted(by_metric, key=lambda metric: (metric not in first, LOSS not in metric, metric))
    charts = [_chart(metric, by_metric[metric], seeds, run.best_epoch) for metric in order[:MOST_METRICS]]
    left = len(order) - MOST_METRICS
    return element(
        "div",
        _key(sorted({split for each in by_metric.values() for split, _ in each}, key=_rank), len(seeds)),
        element("div", *charts, class_="panels"),
        element("p", f"{plural(left, 'further metric')} are in the table.", class_="note") if left > 0 else None,
        element("details", element("summary", "The figures"), _figures(order, by_metric, seeds)),
    )


def _by_metric(points: Sequence[CurvePoint]) -> dict[str, dict[tuple[str, int], list[Point]]]:
    found: dict[str, dict[tuple[str, int], list[Point]]] = {}
    for point in points:
        found.setdefault(point.metric, {}).setdefault((point.split, point.repeat), []).append(
            (point.epoch, point.value)
        )
    return found


def _chart(metric: str, series: Series, seeds: range, best: int | None) -> Html:
    lines = [
        Line(f"{split}, {_seed(seeds, repeat)}", points, f"{split} seed{'' if len(seeds) > 1 else ' alone'}")
        for (split, repeat), points in sorted(series.items(), key=lambda item: (_rank(item[0][0]), item[0][1]))
    ]
    lines += [Line(f"{split}, mean of the seeds", points, f"{split} mean") for split, points in _means(series).items()]
    values = [y for points in series.values() for _, y in points]
    is_log = LOSS in metric and needs_log(values)
    title = metric
    if metric.endswith(BYTES):
        title = f"{metric} in MB"
        lines = [replace(line, points=[(x, y / 1e6) for x, y in line.points]) for line in lines]
    drawn = plot(lines, x="epoch", y=title, is_log=is_log, best=best if len(seeds) == 1 else None)
    lost = [
        f"{split} of {_seed(seeds, repeat)} from epoch {epoch:,.0f}"
        for (split, repeat), points in series.items()
        if (epoch := next((x for x, y in points if not math.isfinite(y)), None)) is not None
    ]
    return element(
        "figure",
        element("h3", metric, element("small", " logarithmic") if is_log else None),
        drawn,
        element("figcaption", f"Not finite: {'; '.join(lost[:4])}{' and others' if len(lost) > 4 else ''}.")
        if lost
        else None,
    )


def _means(series: Series) -> dict[str, list[Point]]:
    """The mean of each split's seeds in the epochs that all of them have; none of a single seed."""
    found = {}
    for split in dict.fromkeys(split for split, _ in series):
        several = [dict(points) for (of, _), points in series.items() if of == split]
        if len(several) > 1:
            shared = sorted(set(several[0]).intersection(*several))
            found[split] = [(epoch, sum(one[epoch] for one in several) / len(several)) for epoch in shared]
    return found


def _key(splits: Sequence[str], seeds: int) -> Html:
    """What the colours mean."""
    keys = [element("span", element("i", class_=f"key {split}"), split) for split in splits]
    said = "Thin lines are seeds, thick ones their means." if seeds > 1 else "The dashed rule is the best epoch."
    return element("p", *keys, element("span", said), class_="keys")


def _figures(order: Sequence[str], by_metric: Mapping[str, Series], seeds: range) -> Html:
    rows = [
        (metric, split, _seed(seeds, repeat), f"{points[-1][0]:,}", figure(points[-1][1]), *_extremes(points))
        for metric in order
        for (split, repeat), points in sorted(
            by_metric[metric].items(), key=lambda item: (_rank(item[0][0]), item[0][1])
        )
    ]
    return table(["Metric", "Split", "Seed", "Last epoch", "Last", "Least", "Largest"], rows, words=3)


def _extremes(points: Sequence[Point]) -> tuple[str, str]:
    finite = [y for _, y in points if math.isfinite(y)]
    return (figure(min(finite)), figure(max(finite))) if finite else (figure(None), figure(None))


def _seed(seeds: range, repeat: int) -> str:
    return f"seed {seeds[repeat]}" if repeat < len(seeds) else f"repeat {repeat}"


def _rank(split: str) -> tuple[int, str]:
    return (SPLITS.index(split) if split in SPLITS else len(SPLITS), split)


def last_seconds(points: Sequence[CurvePoint]) -> float | None:
    """The mean time of an epoch in s, without the first of several, which pays for compilation; None if not timed."""
    timed = [point for point in points if point.metric == "seconds" and point.split == "train"]
    later = [point.value for point in timed if point.epoch > 1] or [point.value for point in timed]
    return sum(later) / len(later) if later else None
