"""The parameters that decide whether a trial is among the best."""

from service.reports.charts.chart import Chart, Figure, figure, plain, shown
from service.reports.found.importance import FEWEST_TRIALS, importances, spaced, varied, weighable
from service.reports.found.results import Results
from service.reports.markup import Html, element
from service.reports.sections.section import section
from service.reports.words.wording import plural

TITLE = "Importance of the parameters"


def importance(results: Results) -> Html | None:
    if not results.best_first:
        return None
    drawn = importance_charts(results)
    if drawn:
        return section(TITLE, *shown(drawn))
    weighed = weighable(results.best_first)
    if len(weighed) < FEWEST_TRIALS:
        few = f"{plural(len(weighed), 'complete trial')} cannot show it: at least {FEWEST_TRIALS} are needed."
        return section(TITLE, element("p", few))
    if len(varied(results.study.definition, weighed)) < 2:
        return section(TITLE, element("p", "Fewer than two parameters were varied, so there is nothing to weigh."))
    return section(TITLE, element("p", "Nothing tells the parameters of the best trials from those of the rest."))


def importance_charts(results: Results) -> list[Chart]:
    if len(results.best_first) < FEWEST_TRIALS:
        return []
    shares = importances(results.study.definition, results.best_first)
    if len(shares) < 2:
        return []
    caption = (
        f"How strongly each parameter's values differ between the best trials by {results.objective.metric} and all "
        "trials (PED-ANOVA, as shares of the sum). This is a hint, not a proof: few trials and a "
        "sampler's preferences blur it."
    )
    trials = weighable(results.best_first)
    weighed, of = len(spaced(trials)), len(trials)
    if weighed < of:
        caption += f" Of {of:,} trials {weighed:,} are weighed, evenly spaced in the ranking."
    return [Chart("importance", caption, importance_figure(shares))]


def importance_figure(shares: dict[str, float]) -> Figure:
    names = list(reversed(shares))
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": [plain(name) for name in names],
        "x": [shares[name] for name in names],
        "text": [f"{shares[name]:.0%}" for name in names],
        "textposition": "outside",
        "cliponaxis": False,
        "hoverinfo": "skip",
        "marker": {"color": "#2f7fd1"},
    }
    axis = {"tickformat": ".0%", "range": [0, 1.1 * max(shares.values())]}
    return figure([bars], x="share of importance", y="", height=90 + 34 * len(names), xaxis=axis)
