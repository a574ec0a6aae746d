"""The course of the search: every complete trial in its order, and the search's best so far."""

from itertools import accumulate

from service.reports.charts.chart import GREY, Chart, Figure, figure, grey_line, points, shown, thinned, thinning
from service.reports.charts.scale import scaled
from service.reports.found.results import Results, value_of
from service.reports.markup import Html
from service.reports.sections.section import section
from service.reports.words.wording import number, settings
from service.storage.records import TrialRecord


def history(results: Results) -> Html | None:
    drawn = history_charts(results)
    return section("Search history", *shown(drawn)) if drawn else None


def history_charts(results: Results) -> list[Chart]:
    if len(results.best_first) < 2:
        return []
    better = "higher" if results.maximize else "lower"
    caption = (
        f"Every complete trial's {results.objective.metric} in the order of the search, and the search's best so far; "
        f"{better} is better.{thinning(results.complete)}"
    )
    return [Chart("history", caption, history_figure(results))]


def history_figure(results: Results) -> Figure:
    in_time = sorted(results.best_first, key=lambda trial: trial.number or 0)
    best = list(accumulate(map(value_of, in_time), max if results.maximize else min))
    steps = [i for i in range(len(best)) if i in (0, len(best) - 1) or best[i] != best[i - 1]]
    style = {"width": 2, "shape": "hv", "color": GREY}
    so_far = grey_line("the search's best so far", [in_time[i].number for i in steps], [best[i] for i in steps], style)
    marks = [
        points(variant, [trial.number for trial in trials], list(map(value_of, trials)), list(map(described, trials)))
        for variant, trials in thinned(results.complete).items()
    ]
    title, upward = scaled(results.objective.metric, [] if results.maximize else map(value_of, in_time))
    return figure([so_far, *marks], x="trial", y=title, yaxis=upward)


def described(trial: TrialRecord) -> str:
    """The note on a trial that shows on hovering."""
    values = " / ".join(number(value) for value in trial.values or ())
    return f"trial {trial.number}: {values}, {settings(trial.params)}"
