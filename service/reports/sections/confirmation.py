"""The best configurations under fresh seeds, on the test split."""

from search_spaces.variants import VARIANT_PARAMETERS
from service.reports.charts.chart import Chart, shown
from service.reports.charts.confirmation_dots import MOST_ROWS, confirmation_figure
from service.reports.found.confirmed import Confirmation, Confirmed, confirmation_of
from service.reports.found.results import Results
from service.reports.markup import Html, element, join, table
from service.reports.sections.decided import decided, survivor_charts
from service.reports.sections.section import note, section, tag
from service.reports.words.varying import spoken_of
from service.reports.words.winner import undecided, without_figures
from service.reports.words.wording import DASH, decimal, listing, places_for, plural, settings
from service.statistics import Interval, PairedDifference
from service.storage.states import StudyState


def confirmation(results: Results) -> Html | None:
    confirmed = confirmation_of(results)
    if confirmed is None:
        return None
    if confirmed.decision is not None:
        return decided(results, confirmed, shown(confirmation_charts(results)))
    return section(
        "Confirmation",
        element("p", _intro(results, confirmed)),
        _table(results, confirmed),
        *shown(confirmation_charts(results)),
        _how(confirmed),
        *map(note, spoken_of(results.study.definition)),
    )


def confirmation_charts(results: Results) -> list[Chart]:
    """Every confirmed configuration with its seeds, and who was left at each look; nothing before one is complete."""
    confirmed = confirmation_of(results)
    if confirmed is None:
        return []
    first = _first(results, confirmed)
    dots = Chart("confirmation", _caption(confirmed, first), confirmation_figure(confirmed, first))
    return [dots, *survivor_charts(confirmed)]


def _first(results: Results, confirmed: Confirmation) -> str:
    """What the configuration with the best mean is called."""
    if results.study.state is not StudyState.COMPLETE:
        return "best so far"
    is_open = undecided(confirmed) if confirmed.decision is None else len(confirmed.left) != 1
    return "best mean" if is_open else "winner"


def _caption(confirmed: Confirmation, first: str) -> str:
    under = plural(confirmed.seeds, "fresh seed") if confirmed.decision is None else "fresh seeds"
    said = (
        f"{confirmed.metric} under {under}, the best mean at the top: a dot for each seed, and above the dots the mean "
        "with its 95% interval."
    )
    if len(confirmed.found) == 1:
        return said
    worse = "left" if confirmed.maximize else "right"
    if confirmed.decision is not None:
        said += (
            " On the right, the difference to the best of the others at the last look that compared the configuration, "
            f"with the interval of that look: {worse} of 0 is worse."
        )
    else:
        said += (
            f" On the right, the mean difference to the {first} over the seeds, with its simultaneous 95% interval: "
            f"{worse} of 0 is worse, and a difference whose interval includes 0 may be luck."
        )
    left_out = len(confirmed.found) - MOST_ROWS
    return said if left_out <= 0 else f"{said} {plural(left_out, 'configuration')} further down are left out."


def _intro(results: Results, confirmed: Confirmation) -> str:
    runs, found = results.confirmations, {one.trial.run_id for one in confirmed.found}
    missing = [trial for trial in runs if trial.run_id not in found]
    intro = (
        f"The best configurations of the search, trained again under {plural(confirmed.seeds, 'seed')} that it did not "
        f"use: {len(runs) - len(missing)} of {plural(len(runs), 'run')}."
    )
    return " ".join((intro, *without_figures(results, confirmed)))


def _table(results: Results, confirmed: Confirmation) -> Html:
    places = {metric: places_for([one.mean(metric) for one in confirmed.found]) for metric in confirmed.metrics}
    searched = results.study.definition.search_space

    def cells(one: Confirmed, against: PairedDifference | None) -> list[Html | str]:
        varied = {name: value for name, value in one.trial.params.items() if name in searched}
        configuration = element("small", settings(varied, without=VARIANT_PARAMETERS), class_="under")
        return [
            join((tag(one.trial.variant), configuration)),
            *_with_interval(one, confirmed.metric, places[confirmed.metric]),
            *_difference(confirmed, against, places[confirmed.metric]),
            *(decimal(one.mean(metric), places[metric]) for metric in confirmed.metrics[1:]),
        ]

    header = ["Variant and configuration", f"Mean {confirmed.metric}", "95% interval"]
    header += ["Difference to the first", "Simultaneous 95% interval", "Seeds won"]
    header += [f"Mean {metric}" for metric in confirmed.metrics[1:]]
    return table(header, map(cells, confirmed.found, (None, *confirmed.to_winner)))


def _with_interval(one: Confirmed, metric: str, places: int) -> list[str]:
    return [decimal(one.mean(metric), places), _bounds(one.interval(metric), places)]


def _bounds(around: Interval | None, places: int) -> str:
    if around is None or not around.is_known:
        return DASH
    return f"{decimal(around.low, places)} to {decimal(around.high, places)}"


def _difference(confirmed: Confirmation, against: PairedDifference | None, places: int) -> list[str]:
    if against is None:
        return [DASH, DASH, DASH]
    won = against.higher if confirmed.maximize else against.lower
    return [decimal(against.mean, places), _bounds(against, places), f"{won} of {confirmed.seeds}"]


def _how(confirmed: Confirmation) -> Html:
    split = "test" if confirmed.is_tested else "validation"
    said = f"Figures are of the {split} split, at the epoch of each training that is best by validation."
    if not confirmed.methods:
        return note(said)
    said += f" Intervals are for means over seeds, by {listing(confirmed.methods)}"
    first = " The first mean is the best of several, which flatters it." if len(confirmed.found) > 1 else ""
    apart = sorted({difference.method for difference in confirmed.to_winner if difference.is_known})
    if not apart:
        return note(f"{said}.{first}")
    return note(
        f"{said}; those of the differences, by {listing(apart)}, hold for all pairs of configurations at once "
        f"(Bonferroni), because it was not known in advance which would be the first.{first}"
    )
