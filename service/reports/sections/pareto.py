"""The Pareto front of a study with several objectives: the trials to choose from."""

from search_spaces.variants import VARIANT_PARAMETERS
from service.reports.charts.chart import Chart, shown, thinned, thinning
from service.reports.charts.pareto_panels import pareto_figure
from service.reports.found.results import Results
from service.reports.markup import Html, element, table
from service.reports.sections.history import described
from service.reports.sections.section import note, section, tag
from service.reports.words.wording import DASH, decimal, places_for, plural, settings

MOST_ROWS = 50
MEANS = (
    "A trial is on the front if no other one is at least as good in every objective and better in one. Which of them "
    "is best is yours to say."
)


def pareto(results: Results) -> Html | None:
    if not results.front:
        return None
    count = len(results.front)
    more = f"The first {MOST_ROWS} of {count:,} are here; trials.csv has the values of every trial."
    return section(
        "Pareto front",
        element("p", f"{plural(count, 'trial')} {'is' if count == 1 else 'are'} on the front. {MEANS}"),
        *shown(pareto_charts(results)),
        _table(results),
        note(more) if count > MOST_ROWS else None,
    )


def pareto_charts(results: Results) -> list[Chart]:
    objectives = results.study.definition.objectives
    if len(objectives) == 1 or len(results.best_first) < 2:
        return []
    drawn = thinned(results.complete)
    notes = {trial.run_id: described(trial) for several in drawn.values() for trial in several}
    if len(objectives) == 2:
        said = (
            "Complete trials by both objectives. The dotted line joins those of the Pareto front, which are in full "
            "colour, all others pale."
        )
    else:
        said = (
            "Complete trials by each pair of the three objectives. Those of the Pareto front are in full colour, all "
            "others pale: a trial of the front that another one beats in both objectives of a panel is better in the "
            "third."
        )
    caption = f"{said}{thinning(results.complete)}"
    return [Chart("pareto_front", caption, pareto_figure(objectives, drawn, results.front, notes))]


def _table(results: Results) -> Html:
    objectives = results.study.definition.objectives
    listed = results.front[:MOST_ROWS]
    columns = zip(*(trial.values or [] for trial in listed), strict=True)
    places = [places_for(column) for column in columns]
    without = sorted({*results.study.definition.fixed, *VARIANT_PARAMETERS})
    rows = [
        [
            tag(trial.variant),
            settings(trial.params, without=without) or DASH,
            *(decimal(value, digits) for value, digits in zip(trial.values or [], places, strict=True)),
            str(trial.number),
        ]
        for trial in listed
    ]
    return table(["Variant", "Settings", *(objective.metric for objective in objectives), "Trial"], rows, words=2)
