"""The variants, the best first; what can be concluded; the recommended configuration, and the search's best."""

from collections.abc import Sequence

from search_spaces.variants import VARIANT_PARAMETERS
from service.reports.found.comparison import compare
from service.reports.found.confirmed import confirmation_of
from service.reports.found.ranking import TOP, RankingRow
from service.reports.found.recommended import recommended_of
from service.reports.found.results import Results
from service.reports.markup import Html, element, table, with_commands
from service.reports.sections.section import facts, note, section, tag
from service.reports.words.conclusion import conclusion
from service.reports.words.recommended import fixed_block, recommendation, searchs_best
from service.reports.words.tuning import want_of_trials
from service.reports.words.wording import DASH, decimal, places_for, plural, setting, settings
from service.storage.records import TrialRecord
from service.storage.states import RunState


def ranked(results: Results) -> Html:
    if not results.ranking:
        return section("Ranked variants", element("p", "No trial has chosen its configuration yet."))
    return section("Ranked variants", _table(results), _how(results))


def verdict(results: Results) -> Html | None:
    """The answer to "which variant is better?"."""
    said = conclusion(results, compare(results))
    if not said:
        return None
    first, rest = said[0], said[1:]
    return section(
        "What can be concluded",
        element("p", element("strong", with_commands(first)), class_="verdict"),
        *(element("p", with_commands(sentence)) for sentence in rest),
    )


def recommended(results: Results) -> Html | None:
    """The configuration to use, with the lines that a definition takes."""
    confirmed = confirmation_of(results)
    chosen = None if confirmed is None else recommended_of(results.study, confirmed)
    if confirmed is None or chosen is None:
        return None
    return section(
        "Recommended configuration",
        element("p", element("strong", with_commands(recommendation(confirmed, chosen)))),
        element("p", "To train it in another study, paste this into the definition:"),
        element("pre", element("code", fixed_block(results.study.definition, chosen.trial.params))),
    )


def searched_best(results: Results) -> Html | None:
    """The trial that reached the best value in the search, by luck too."""
    if not results.best_first:
        return None
    best = results.best_first[0]
    objectives = results.study.definition.objectives
    reached = {o.metric: value for o, value in zip(objectives, best.values or (), strict=True)}
    shown = {
        **{name: decimal(value, places_for([value])) for name, value in reached.items()},
        "trial": str(best.number),
        "best epoch": _best_epoch(results, best),
        **{name: setting(value) for name, value in best.params.items()},
    }
    title = "The search's best" if len(objectives) == 1 else "The search's best by the first objective"
    return section(title, facts(shown.items()), note(with_commands(searchs_best(results))))


def _best_epoch(results: Results, best: TrialRecord) -> str:
    """ "7 of 10"; every seed has a best epoch of its own, and the trial's is that of the first."""
    if best.best_epoch is None:
        return DASH
    whose = " of the first seed" if results.study.definition.repeats > 1 else ""
    return f"{best.best_epoch} of {results.study.definition.task.epochs}{whose}"


def _table(results: Results) -> Html:
    metrics = [objective.metric for objective in results.study.definition.objectives]
    columns = list(zip(*(row.best_values for row in results.ranking if row.best_values), strict=True))
    places = [places_for(column) for column in columns] or [0] * len(metrics)
    only_fixed = set(results.study.definition.fixed) | set(VARIANT_PARAMETERS)

    def cells(row: RankingRow) -> list[Html | str]:
        values: Sequence[float | None] = row.best_values or [None] * len(metrics)
        number = DASH if row.best_number is None else str(row.best_number)
        return [
            element("span", str(row.rank), class_="number"),  # a number never breaks
            tag(row.variant),
            settings(row.best_params or {}, without=sorted(only_fixed)) or DASH,
            *(decimal(value, digits) for value, digits in zip(values, places, strict=True)),
            decimal(row.mean_of_top, places[0]),
            number,
            *(f"{count:,}" for count in (row.begun, row.trials, row.pruned, row.epochs)),
        ]

    best = "Best {}" if len(metrics) == 1 else "{} of its best trial"  # of several, another trial may have a better one
    header = ["Rank", "Variant", "Best settings", *map(best.format, metrics), f"Mean of top {TOP}"]
    header += ["Trial", "Begun", "Complete", "Pruned", "Epochs trained"]
    return table(header, map(cells, results.ranking), words=3)


# What the way to search did to the variants' chances.
CHANCES = {
    "free": "A sampler that favours a variant gives it more chances.",
    "race": "The trials were dealt by a race: all variants got a share, then those that were ahead got the rest.",
    "fair": "All variants got equally many trials, as far as they have configurations.",
}


def _how(results: Results) -> Html:
    failed = sum(trial.state is RunState.FAILED for trial in results.trials)
    several = len(results.study.definition.objectives) > 1
    return note(
        "Ranked by the best complete trial"
        + (" (by non-dominated fronts, then by the first objective)" if several else "")
        + f". The best of many trials is partly luck; the mean of a variant's top {TOP} is less so. "
        + CHANCES[results.study.definition.search]
        + " The sections below say which differences are real."
        + "".join(f" {said}" for said in want_of_trials(results.ranking))
        + (f" {plural(failed, 'failed trial')} {'is' if failed == 1 else 'are'} listed at the end." if failed else "")
    )
