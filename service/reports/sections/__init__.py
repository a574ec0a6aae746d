"""The parts of a report, in the order of its page: what each says, and the charts that it shows."""

from collections.abc import Callable
from typing import NamedTuple

from service.reports.charts.chart import Chart
from service.reports.found.results import Results
from service.reports.markup import Html
from service.reports.sections.backends import backends
from service.reports.sections.confirmation import confirmation, confirmation_charts
from service.reports.sections.control import control
from service.reports.sections.epoch_time import epoch_time
from service.reports.sections.failures import failures
from service.reports.sections.generalization import generalization, generalization_charts
from service.reports.sections.history import history, history_charts
from service.reports.sections.importance import importance, importance_charts
from service.reports.sections.knowledge import knowledge, knowledge_charts
from service.reports.sections.learning_curves import curve_charts, learning_curves
from service.reports.sections.legend import legend
from service.reports.sections.own_metrics import own_charts, own_metrics
from service.reports.sections.paper import paper
from service.reports.sections.pareto import pareto, pareto_charts
from service.reports.sections.ranked import ranked, recommended, searched_best, verdict
from service.reports.sections.rate_response import rate_charts, rate_response
from service.reports.sections.records import record_charts, records
from service.reports.sections.seeds import seed_charts, seeds
from service.reports.sections.summary import definition, head
from service.reports.sections.weights import weights


class Part(NamedTuple):
    """A part of the page."""

    body: Callable[[Results], Html | None]  # None where there is nothing to say
    charts: Callable[[Results], list[Chart]] | None = None  # those of the body, to keep as files


PARTS = (
    Part(head),
    Part(ranked),
    Part(verdict),
    Part(recommended),
    Part(legend),
    Part(pareto, pareto_charts),
    Part(confirmation, confirmation_charts),
    Part(weights),
    Part(knowledge, knowledge_charts),
    Part(searched_best),
    Part(rate_response, rate_charts),
    Part(own_metrics, own_charts),
    Part(learning_curves, curve_charts),
    Part(generalization, generalization_charts),
    Part(history, history_charts),
    Part(importance, importance_charts),
    Part(seeds, seed_charts),
    Part(control),
    Part(records, record_charts),
    Part(paper),
    Part(epoch_time),
    Part(backends),
    Part(failures),
    Part(definition),
)


def charts_of(results: Results) -> dict[str, Chart]:
    """Every chart that the study has the results for, by its name, in the order of the page."""
    return {chart.name: chart for part in PARTS if part.charts is not None for chart in part.charts(results)}
