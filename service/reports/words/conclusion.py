"""What can and what cannot be concluded about a study's variants, in plain sentences."""

import math

from service.reports.found.comparison import ALPHA, Comparison
from service.reports.found.confirmed import confirmation_of
from service.reports.found.results import Results
from service.reports.words.advice import to_compare, to_decide, without_result
from service.reports.words.task_code import codes_in, mixed
from service.reports.words.winner import verdict_of
from service.reports.words.wording import listing, plural
from service.statistics import FEWEST_SEEDS, Friedman, protected_p
from service.storage.states import StudyState

UNDECIDED = "It cannot be concluded which variant is better."


def conclusion(results: Results, comparison: Comparison | None) -> list[str]:
    """The sentences, the verdict first, with the remedy that fits the study, and whether its task was changed; [] while
    no trial is complete.

    If the study has a confirmation, only that is judged: the search's best values are those of the luckiest seeds.
    """
    said = _concluded(results, comparison)
    caveat = mixed(results.study.definition.task.name, codes_in(results)) if said else None
    return said if caveat is None else [*said, caveat]


def _concluded(results: Results, comparison: Comparison | None) -> list[str]:
    confirmed = confirmation_of(results)
    if confirmed is not None:
        said, has_ended = verdict_of(results, confirmed), results.study.state is StudyState.COMPLETE
        return said if has_ended else [*said, to_decide(results.study)]
    if not results.compared:
        return without_result(results)
    if len(results.compared) == 1:
        only = f"Nothing is compared: {results.compared[0]} is the only variant with a complete trial."
        return [only, to_compare(results)]
    obstacle = _obstacle(results.study.definition.repeats, comparison)
    if obstacle is not None or comparison is None:
        return [UNDECIDED, *([obstacle] if obstacle else []), to_decide(results.study)]
    said = _judgement(comparison, comparison.test(), to_decide(results.study))
    return [*said, *_without_noise(comparison), *_limits(results, comparison)]


def _obstacle(repeats: int, comparison: Comparison | None) -> str | None:
    """The reason why nothing can be tested; None if it can."""
    if repeats < FEWEST_SEEDS:
        return (
            f"Every configuration was trained with {plural(repeats, 'seed')}, so the ranking may be luck; a "
            f"comparison needs at least {FEWEST_SEEDS} shared seeds."
        )
    if comparison is None:
        return f"Fewer than two variants have a configuration that was trained with all {repeats} seeds."
    if not comparison.is_fair:
        least, most = min(comparison.configurations), max(comparison.configurations)
        return (
            "The same seeds chose and judged the configurations, and some variants had more to choose from "
            f"({least} to {most}), which favours them."
        )
    if not comparison.can_decide:
        return (
            f"{comparison.seeds} seeds cannot decide between {len(comparison.variants)} variants: even if all of them "
            f"agreed, chance alone would do that in more than {ALPHA:.0%} of cases."
        )
    return None


def _judgement(comparison: Comparison, test: Friedman, remedy: str) -> list[str]:
    seeds, p = plural(comparison.seeds, "shared seed"), p_text(test.p_value)
    if test.p_value >= ALPHA:
        return [
            f"No variant is shown to be better: over {seeds} the differences between the "
            f"{len(comparison.variants)} variants cannot be distinguished from luck (Friedman, {p}).",
            "That does not show that they are equal; more seeds might tell them apart.",
            remedy,
        ]
    better, worse = _told_apart(comparison, test)
    if not better:
        return [
            f"The variants are not all equal (Friedman over {seeds}, {p}), but more seeds are needed to say which "
            "of them differ.",
            remedy,
        ]
    return [
        f"{listing(better[:1])} is better than {listing(worse)} (Friedman over {seeds}, {p}, then Nemenyi at "
        f"{ALPHA:.0%}).",
        *_undecided(comparison, better[0], worse),
    ]


def _told_apart(comparison: Comparison, test: Friedman) -> tuple[list[str], list[str]]:
    """The variant of the best mean rank, and those significantly worse than it; both [] if there are none."""
    order = sorted(range(len(comparison.variants)), key=lambda i: test.mean_ranks[i])
    p = protected_p(test)
    worse = [comparison.variants[i] for i in order[1:] if p[order[0], i] < ALPHA]
    return ([comparison.variants[order[0]]], worse) if worse else ([], [])


def _undecided(comparison: Comparison, best: str, worse: list[str]) -> list[str]:
    open_ones = [variant for variant in comparison.variants if variant != best and variant not in worse]
    if not open_ones:
        return []
    return [f"Nothing is decided between {best} and {listing(open_ones)}."]


def _without_noise(comparison: Comparison) -> list[str]:
    """Name the variants that do best at rate 0: they won or lost as the plain network."""
    plain = [trial.variant for trial in comparison.chosen if trial.params.get("drop_rate") == 0]
    return [f"Best at rate 0, which is no noise at all: {listing(plain)}."] if plain else []


def _limits(results: Results, comparison: Comparison) -> list[str]:
    metric = results.objective.metric
    return [
        f"{_choice(comparison)} This holds for {metric} of these configurations on this task, measured on data that "
        "also chose the epoch. Another search might find better configurations, and no test set was used."
    ]


def _choice(comparison: Comparison) -> str:
    if comparison.choosing:
        first = "first seed" if comparison.choosing == 1 else f"first {comparison.choosing} seeds"
        return f"The {first} chose each variant's configuration, the other {comparison.seeds} judged it."
    if max(comparison.configurations) == 1:
        return "Each variant had one configuration."
    return (
        "All variants had equally many configurations, and the same seeds chose and judged them, which hides "
        "differences rather than inventing them."
    )


def p_text(p: float) -> str:
    """ "p = 0.031", "p < 0.001"."""
    return "p < 0.001" if p < 0.001 else f"p = {p_number(p)}"


def p_number(p: float) -> str:
    """The p-value to three decimal places, and to more where rounding would bring it up to ALPHA: 0.0496.

    One that seven would bring there is cut.
    """
    places = next((places for places in range(3, 8) if p >= ALPHA or float(f"{p:.{places}f}") < ALPHA), 0)
    return f"{p:.{places}f}" if places else f"{math.floor(p * 1e7) / 1e7:.7f}"
