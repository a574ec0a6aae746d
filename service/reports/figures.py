"""Every chart of a study by name: the same ones that its page shows."""

from service.reports.charts import Chart
from service.reports.results import Results
from service.reports.sections.confirmation import confirmation_charts
from service.reports.sections.generalization import generalization_charts
from service.reports.sections.history import history_charts
from service.reports.sections.importance import importance_charts
from service.reports.sections.learning_curves import curve_charts
from service.reports.sections.rate_response import rate_charts
from service.reports.sections.records import record_charts
from service.reports.sections.seeds import seed_charts

SOURCES = (
    confirmation_charts,
    rate_charts,
    curve_charts,
    generalization_charts,
    history_charts,
    importance_charts,
    seed_charts,
    record_charts,
)


def charts_of(results: Results) -> dict[str, Chart]:
    """The charts that the study has the results for, in the order of the page."""
    return {chart.name: chart for source in SOURCES for chart in source(results)}
