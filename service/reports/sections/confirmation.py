"""The best configurations under fresh seeds, on the test split."""

from service.reports.confirmed import Confirmation, Confirmed, confirmation_of
from service.reports.markup import Html, element, join, table
from service.reports.results import Results
from service.reports.sections.section import note, section, tag
from service.reports.statistics import PairedDifference
from service.reports.variants import look_of
from service.reports.winner import IN_THE_VARIANT
from service.reports.wording import DASH, decimal, listing, places_for, plural, settings
from service.storage.records import RunState, TrialRecord


def confirmation(results: Results) -> Html | None:
    confirmed = confirmation_of(results)
    if confirmed is None:
        return None
    return section("Confirmation", element("p", _told(results, confirmed)), _table(results, confirmed), _how(confirmed))


def _told(results: Results, confirmed: Confirmation) -> str:
    runs = results.confirmations
    missing = [trial for trial in runs if trial.state is not RunState.COMPLETE]
    told = (
        f"The best configurations of the search, trained again under {plural(confirmed.seeds, 'seed')} that it has not "
        f"seen: {len(runs) - len(missing)} of {plural(len(runs), 'run')}."
    )
    return told if not missing else f"{told} Without a result: {listing([_without(trial) for trial in missing])}."


def _without(trial: TrialRecord) -> str:
    return f"{trial.variant} ({trial.reason or trial.state})"


def _table(results: Results, confirmed: Confirmation) -> Html:
    places = {metric: places_for([one.mean(metric) for one in confirmed.found]) for metric in confirmed.metrics}
    searched = results.study.definition.search_space

    def cells(one: Confirmed, against: PairedDifference | None) -> list[Html | str]:
        varied = {name: value for name, value in one.trial.params.items() if name in searched}
        configuration = element("small", settings(varied, without=IN_THE_VARIANT), class_="under")
        return [
            join((tag(one.trial.variant, look_of(one.trial.variant).colour), configuration)),
            *_with_interval(one, confirmed.metric, places[confirmed.metric]),
            *_difference(confirmed, against, places[confirmed.metric]),
            *(decimal(one.mean(metric), places[metric]) for metric in confirmed.metrics[1:]),
        ]

    header = ["Variant and configuration", f"Mean {confirmed.metric}", "95% interval"]
    header += ["Difference to the winner", "Simultaneous 95% interval", "Seeds won"]
    header += [f"Mean {metric}" for metric in confirmed.metrics[1:]]
    return table(header, map(cells, confirmed.found, (None, *confirmed.to_winner)))


def _with_interval(one: Confirmed, metric: str, places: int) -> list[str]:
    around = one.interval(metric)
    return [decimal(one.mean(metric), places), f"{decimal(around.low, places)} to {decimal(around.high, places)}"]


def _difference(confirmed: Confirmation, against: PairedDifference | None, places: int) -> list[str]:
    if against is None:
        return [DASH, DASH, DASH]
    won = against.higher if confirmed.maximize else against.lower
    interval = f"{decimal(against.low, places)} to {decimal(against.high, places)}"
    return [decimal(against.mean, places), interval, f"{won} of {confirmed.seeds}"]


def _how(confirmed: Confirmation) -> Html:
    methods = sorted({one.interval(confirmed.metric).method for one in confirmed.found})
    split = "test" if confirmed.is_tested else "validation"
    return note(
        f"Figures of the {split} split, at the epoch of each training that is best by validation. Intervals are of "
        f"means over seeds, by {listing(methods)}; those of the differences hold for all pairs of configurations at "
        "once (Bonferroni), because the winner was not known before."
    )
