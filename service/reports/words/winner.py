"""The winner of the confirmation, and how certain it is, in plain sentences."""

from collections.abc import Sequence

from search_spaces import Confirmation as AskedConfirmation
from service.reports.found.configurations import configurations
from service.reports.found.confirmed import Confirmation
from service.reports.found.decided import has_decision, standing
from service.reports.found.results import Results
from service.reports.words.more_seeds import has_same_mean, more_seeds
from service.reports.words.naming import named, names
from service.reports.words.varying import FOLDS_TESTED
from service.reports.words.wording import decimal, listing, places_for, plural, setting
from service.statistics import Decision, Outcome, next_look
from service.storage.records import StudyRecord, TrialRecord, seeds_of
from service.storage.states import RunState, StudyState

MOST_SEEDS = 1000  # of a confirmation that goes on until it is decided


def verdict_of(results: Results, confirmation: Confirmation) -> list[str]:
    """The sentences, the winner or who is ahead first; nobody is named before every run of the confirmation has
    ended."""
    if results.study.state is StudyState.STOPPED:
        return ["The study was stopped during its confirmation: no winner is named."]
    if results.study.state is not StudyState.COMPLETE:
        return [
            so_far(results.study, results.confirmations)
            or "The confirmation has not ended: no winner is named before that."
        ]
    if confirmation.decision is not None and len(confirmation.compared) > 1:
        return [
            outcome_of(results.study, confirmation),
            *_figure(confirmation),
            _promise(results.study, confirmation.decision),
            *without_figures(results, confirmation),
            _measured(results, confirmation),
        ]
    remedy = more_seeds(results.study.name, confirmation)
    said = [_ahead(confirmation), *_certainty(confirmation), *remedy, *without_figures(results, confirmation)]
    return [*said, _measured(results, confirmation)]


def without_figures(results: Results, confirmation: Confirmation) -> list[str]:
    """The sentence on the configurations that the table lacks, each with its reason; [] where it has all."""
    there = {one.trial.run_id for one in confirmation.found}
    several = configurations(results.study.definition, results.confirmations)
    trials = [runs[0] for runs in several]
    missing = [
        _without(name, runs, confirmation.metric)
        for name, runs in zip(named(trials), several, strict=True)
        if runs[0].run_id not in there
    ]
    return [f"Without a result: {listing(missing)}."] if missing else []


def _without(name: str, runs: Sequence[TrialRecord], metric: str) -> str:
    """The configuration with the reason why it has no result under every seed."""
    ended = next((run for run in runs if run.state is not RunState.COMPLETE), None)
    why = f"{metric} not finite under some seed" if ended is None else ended.reason or ended.state
    return f"{name} ({why})"


def so_far(study: StudyRecord, confirmations: Sequence[TrialRecord]) -> str | None:
    """Say where a confirmation that goes on until it is decided stands; None for another, and before it has begun."""
    is_open = study.state in (StudyState.RUNNING, StudyState.PAUSED) and study.decision is None
    if not confirmations or not has_decision(study) or not is_open:
        return None
    left, every = standing(study, confirmations)
    if not study.looks:
        first = min(len(seeds_of(study.definition, run)) for run in confirmations)
        return f"Not decided yet: {plural(every, 'configuration')} will be compared after {plural(first, 'seed')}."
    return f"Not decided yet: {left} of {every} left after {plural(study.looks[-1][0], 'seed')}."


def outcome_of(study: StudyRecord, confirmation: Confirmation) -> str:
    """What a confirmation that went on until it was decided, and compared several configurations, has come to."""
    decision, every = confirmation.decision, names(confirmation)
    if decision is None:
        raise ValueError(f"the confirmation of {study.name!r} has a fixed number of seeds: it decides nothing")
    chosen, left = every[confirmation.named], [every[place] for place in decision.left if place < len(every)]
    match decision.outcome:
        case Outcome.WINNER:
            return f"{chosen} wins the confirmation: {_others(study, confirmation)}."
        case Outcome.EQUAL:
            alike = _alike(study, confirmation, len(left))
            return f"{listing(left)} are practically equal: {alike}; {_why(study, confirmation)}."
        case Outcome.UNDECIDED | Outcome.OPEN:
            after = plural(confirmation.looked, "seed")
            if not left:
                return f"Undecided after {after}: no configuration is left that has a result under every seed."
            if tied := ties(confirmation):
                first = f"{listing([chosen, *tied])} have the same mean"
            else:
                first = f"{chosen} leads"
            others = [name for name in left if name != chosen and name not in tied]
            level = f", {listing(others)} may be as good" if others else ""
            return f"Undecided after {after}: {first}{level}{_further(study)}."


def end_of(study: StudyRecord, confirmation: Confirmation) -> str:
    """Why a confirmation that went on until it was decided has ended, or what it goes on to."""
    asked, after, decision = _asked(study), plural(confirmation.looked, "seed"), confirmation.decision
    if decision is None:
        raise ValueError(f"the confirmation of {study.name!r} has a fixed number of seeds: it decides nothing")
    near = f"lie within {setting(asked.indifference)} of each other"
    if study.state is StudyState.STOPPED:
        return f"It was stopped after {after}."
    if study.state is not StudyState.COMPLETE:
        level = f", all that are left {near}" if asked.indifference else ""
        goes_on = f"It goes on until one configuration is left{level} or {asked.most} seeds are reached."
        if not 0 < confirmation.looked < asked.most:
            return goes_on
        return f"{goes_on} The next look comes after {plural(next_look(confirmation.looked, asked.most), 'seed')}."
    because = {
        Outcome.WINNER: ", because one configuration was left",
        Outcome.EQUAL: f", because all that were left {near}",
        Outcome.UNDECIDED: ", the most that it was given",
        Outcome.OPEN: ", because further runs were cancelled",
    }
    return f"It ended after {after}{because[decision.outcome]}."


def _ahead(confirmation: Confirmation) -> str:
    """Name the winner, or who is ahead where nobody has won."""
    mean = confirmation.winner.mean(confirmation.metric)
    figure = f"mean {confirmation.metric} {decimal(mean, places_for([mean]))} {_over_seeds(confirmation)}."
    first, *others = names(confirmation)
    if not others:
        return f"{first} is confirmed: {figure}"
    if tied := ties(confirmation):
        return f"No winner yet. {listing([first, *tied])} have the same mean: {figure}"
    if undecided(confirmation):
        return f"No winner yet. {first} is ahead: {figure}"
    return f"{first} wins the confirmation: {figure}"


def undecided(confirmation: Confirmation) -> list[str]:
    """The others that cannot be told from the first: no look dropped them, or the interval includes 0."""
    return [names(confirmation)[place] for place in _level(confirmation) if place]


def ties(confirmation: Confirmation) -> list[str]:
    """The others that cannot be told from the first, or from the one that is named, and have its mean: nobody is ahead
    then."""
    first = 0 if confirmation.decision is None else confirmation.named
    return [
        names(confirmation)[place]
        for place in _level(confirmation)
        if place != first and has_same_mean(confirmation, place, first)
    ]


def _level(confirmation: Confirmation) -> list[int]:
    """The places of the first, and of those that cannot be told from it."""
    if confirmation.decision is not None:
        return [place for place in range(len(confirmation.found)) if place in confirmation.left]
    compared = enumerate(confirmation.to_winner, start=1)
    return [0, *(place for place, difference in compared if difference.low <= 0 <= difference.high)]


def _certainty(confirmation: Confirmation) -> list[str]:
    """Say of each other configuration whether it can be told from the first."""
    others, level = names(confirmation)[1:], undecided(confirmation)
    if not others:
        return ["Nothing else was confirmed, so nothing is compared."]
    intervals = "the simultaneous 95% intervals of the paired differences"
    behind = [name for name in others if name not in level]
    tied = ties(confirmation)
    it, its = (names(confirmation)[0], f"{names(confirmation)[0]}'s") if tied else ("It", "Its")
    said = [f"{it} is better than {listing(behind)}: {intervals} exclude 0."] if behind else []
    ahead_of = [name for name in level if name not in tied]
    if ahead_of:
        said.append(
            f"{its} lead over {listing(ahead_of)} may be luck: {intervals} include 0. That does not show that they are "
            "equal."
        )
    return said


def told_apart_after(study: StudyRecord, seeds: int) -> str:
    """ "dropped after 7 seeds"; a fixed confirmation that was extended trains those on that are worse."""
    return f"{'dropped' if _asked(study).is_decided else 'told apart'} after {plural(seeds, 'seed')}"


def _others(study: StudyRecord, confirmation: Confirmation) -> str:
    """ "the 8 others are worse, the last of them dropped after 9 seeds"."""
    others = [place for place in range(len(confirmation.found)) if place != confirmation.named]
    after = [confirmation.dropped_after.get(place, confirmation.looked) for place in others]
    if not others:
        return "no other has a result under every seed"
    last = told_apart_after(study, max(after))
    if len(others) == 1:
        return f"{names(confirmation)[others[0]]} is worse, {last}"
    whole = "all of them" if min(after) == max(after) else "the last of them"
    return f"the {len(others)} others are worse, {whole} {last}"


def _alike(study: StudyRecord, confirmation: Confirmation, count: int) -> str:
    """ "none is more than 0.005 worse in test_loss than another"."""
    none, other = ("neither", "the other") if count == 2 else ("none", "another")
    return f"{none} is more than {setting(_asked(study).indifference)} worse in {confirmation.metric} than {other}"


def _why(study: StudyRecord, confirmation: Confirmation) -> str:
    """ "a is named because it is the cheapest"."""
    if confirmation.winner.trial.variant == _asked(study).prefer:
        reason = "the study prefers it"
    else:
        reason = "it is the cheapest" if study.decision is not None else "its mean is the best"
    return f"{names(confirmation)[confirmation.named]} is named because {reason}"


def _further(study: StudyRecord) -> str:
    """The end of a sentence: how an undecided confirmation goes on, where it can."""
    asked = _asked(study)
    if not asked.is_decided:
        return f"; `pernodedrop confirm {study.name} --until decided` goes on"
    if asked.most >= MOST_SEEDS:
        return ""
    return f"; `pernodedrop confirm {study.name} --most-repeats {min(2 * asked.most, MOST_SEEDS)}` goes on"


def _figure(confirmation: Confirmation) -> list[str]:
    """The sentence on the figure of the one that is named; [] where none is left to be."""
    if not confirmation.left:
        return []
    metric, mean = confirmation.metric, confirmation.winner.mean(confirmation.metric)
    shown = f"{decimal(mean, places_for([mean]))} {_over_seeds(confirmation)}"
    return [f"The mean {metric} of {names(confirmation)[confirmation.named]} is {shown}."]


def _over_seeds(confirmation: Confirmation) -> str:
    """The winner's interval, where it has several seeds, and their number."""
    around = confirmation.winner.interval(confirmation.metric)
    if around is None and confirmation.seeds > 1:
        return f"under each of {plural(confirmation.seeds, 'fresh seed')}, which shows no interval"
    if around is None:
        return f"over {plural(confirmation.seeds, 'fresh seed')}, too few for an interval"
    places = places_for([confirmation.winner.mean(confirmation.metric)])
    interval = f"({decimal(around.low, places)} to {decimal(around.high, places)})"
    return f"{interval} over {plural(confirmation.seeds, 'fresh seed')}"


def _promise(study: StudyRecord, decision: Decision) -> str:
    """The error of the whole procedure, whenever it ends."""
    by = _asked(study).indifference
    beyond = f" by more than {setting(by)}" if by else ""
    looks = "at its one look" if len(decision.rounds) == 1 else f"at any of its {len(decision.rounds)} looks"
    promise = f"At most 5% of such confirmations drop the best {looks}, or name one that is worse than another{beyond}."
    if decision.outcome is Outcome.UNDECIDED:
        return f"{promise} That nothing was decided does not show that those left are equal."
    return promise


def _asked(study: StudyRecord) -> AskedConfirmation:
    if study.definition.confirmation is None:
        raise ValueError(f"study {study.name!r} has no confirmation")
    return study.definition.confirmation


def _measured(results: Results, confirmation: Confirmation) -> str:
    if confirmation.is_tested and results.study.definition.folds is not None:
        return FOLDS_TESTED
    if confirmation.is_tested:
        return (
            "Measured on the test split, at the epoch that is best by validation; neither this split nor these "
            "seeds chose the configurations."
        )
    return (
        "Measured on the validation split, which also chose the epoch and so flatters all of them: the task has no "
        "test split with this metric."
    )
