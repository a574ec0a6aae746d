"""A confirmation that goes on until it is decided: who is left, when the others were dropped, and why it ended."""

from collections.abc import Sequence

from search_spaces.variants import VARIANT_PARAMETERS
from service.reports.charts.chart import Chart
from service.reports.charts.survivors import MOST_LINES, beyond, survivors_figure
from service.reports.found.confirmed import Confirmation, Confirmed
from service.reports.found.results import Results
from service.reports.markup import Html, element, join, table
from service.reports.sections.section import note, section, tag
from service.reports.words.naming import named
from service.reports.words.winner import end_of, told_apart_after, without_figures
from service.reports.words.wording import DASH, decimal, places_for, plural, settings
from service.statistics import Outcome, PairedDifference
from service.storage.records import StudyRecord
from service.storage.states import StudyState


def decided(results: Results, confirmed: Confirmation, charts: Sequence[Html]) -> Html:
    """The section; `charts` are those of `confirmation_charts` as the page shows them."""
    return section(
        "Confirmation",
        element("p", _intro(results, confirmed)),
        _table(results, confirmed),
        *charts,
        element("p", end_of(results.study, confirmed)),
        _how(confirmed),
    )


def survivor_charts(confirmed: Confirmation) -> list[Chart]:
    """Who was still compared at each look, where a look has compared several."""
    if not any(True for place in range(len(confirmed.compared)) for _ in confirmed.spans(place)):
        return []
    drawn = survivors_figure(confirmed, named([one.trial for one in confirmed.compared]))
    return [Chart("survivors", _caption(confirmed), drawn)]


def _caption(confirmed: Confirmation) -> str:
    worse = "below" if confirmed.maximize else "above"
    said = (
        f"Every look at the confirmation: the difference in {confirmed.metric} of each configuration that was still "
        f"compared to the best of the others, with its interval; {worse} 0 is worse. A line ends with a ring where "
        "the look dropped its configuration."
    )
    far, left_out = beyond(confirmed), len(confirmed.compared) - MOST_LINES
    said += f" {plural(far, 'line')} dropped by the first look {_be(far)} beyond the edge." if far else ""
    return (
        said if left_out <= 0 else f"{said} {plural(left_out, 'configuration')} further down {_be(left_out)} left out."
    )


def _be(count: int) -> str:
    return "is" if count == 1 else "are"


def _intro(results: Results, confirmed: Confirmation) -> str:
    most = max(one.seeds for one in confirmed.found)
    asked = results.study.definition.confirmation
    rounds = (
        " After each look those that are certainly worse than another are dropped, and the others get further seeds"
        if asked is not None and asked.is_decided
        else " Further seeds were added to a first round"
    )
    until = "in the end" if results.study.state is StudyState.COMPLETE else "so far"
    trainings = sum(one.seeds for one in confirmed.found)
    intro = (
        f"The best configurations of the search, trained again under seeds that it did not use.{rounds}: "
        f"{plural(most, 'seed')} {until}, {trainings:,} trainings of {plural(len(confirmed.found), 'configuration')}."
    )
    return " ".join((intro, *without_figures(results, confirmed)))


def _table(results: Results, confirmed: Confirmation) -> Html:
    places = {metric: places_for([one.mean(metric) for one in confirmed.found]) for metric in confirmed.metrics}
    searched, metric = results.study.definition.search_space, confirmed.metric

    def cells(place: int, one: Confirmed, against: PairedDifference | None) -> list[Html | str]:
        varied = {name: value for name, value in one.trial.params.items() if name in searched}
        configuration = element("small", settings(varied, without=VARIANT_PARAMETERS), class_="under")
        return [
            join((tag(one.trial.variant), configuration)),
            element("span", _status(results.study, confirmed, place), class_="number"),  # it never breaks
            decimal(one.mean(metric), places[metric]),
            str(one.seeds),
            *_difference(against, places[metric]),
            *(decimal(one.mean(other), places[other]) for other in confirmed.metrics[1:]),
        ]

    header = ["Variant and configuration", "Standing", f"Mean {metric}", "Seeds"]
    header += ["Difference to the best", "Its interval, over all looks"]
    header += [f"Mean {other}" for other in confirmed.metrics[1:]]
    against = (None, *confirmed.to_winner)
    rows = (cells(place, one, against[place]) for place, one in enumerate(confirmed.found))
    return table(header, rows, words=2)


def _status(study: StudyRecord, confirmed: Confirmation, place: int) -> str:
    if place in confirmed.dropped_after:
        return told_apart_after(study, confirmed.dropped_after[place])
    if study.state is not StudyState.COMPLETE or confirmed.decision is None:
        return "left"
    if confirmed.decision.outcome is Outcome.EQUAL:
        return "practically equal, named" if place == confirmed.named else "practically equal"
    if confirmed.decision.outcome is Outcome.WINNER:
        return "wins"
    return "leads" if place == confirmed.named else "may be as good"


def _difference(against: PairedDifference | None, places: int) -> list[str]:
    """The cells of a difference; dashes for the first, and where no look has compared the configuration."""
    if against is None:
        return [DASH, DASH]
    low, high = ("0" if end == 0 else decimal(end, places) for end in (against.low, against.high))
    return [decimal(against.mean, places), DASH if DASH in (low, high) else f"{low} to {high}"]


def _how(confirmed: Confirmation) -> Html:
    split = "test" if confirmed.is_tested else "validation"
    ends = [end for place in range(len(confirmed.found)) for _, (_, *ends) in confirmed.spans(place) for end in ends]
    certain = (
        " An interval with 0 at one end says that a configuration is certainly worse, and by how much at most."
        if 0.0 in ends
        else ""
    )
    return note(
        f"Figures are of the {split} split, at the epoch of each training that is best by validation. A difference is "
        "to the best of the others at the last look that compared the configuration, under the seeds of that look. "
        "The intervals of all configurations at all looks hold together, in 95% of studies (comparisons with the best, "
        f"Hsu 1984, each look with its share of the 5%), so the confirmation may stop at any look.{certain} Means are "
        "over the seeds that a configuration has: compare configurations by the differences, which share their seeds."
    )
