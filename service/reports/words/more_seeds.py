"""What would decide a confirmation that has no winner: how many seeds, and the command for them."""

import math

import numpy as np

from search_spaces import Confirmation as Asked
from service.reports.found.confirmed import Confirmation
from service.reports.words.naming import names
from service.reports.words.wording import number
from service.statistics import AllPairs
from service.statistics.seeds_needed import MOST, seeds_needed

MOST_REPEATS: int = next(each.le for each in Asked.model_fields["repeats"].metadata if hasattr(each, "le"))
FEW = 3  # seeds: docs/statistics.md has how often the number does what it says
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def more_seeds(study: str, confirmation: Confirmation) -> list[str]:
    """The sentence for a confirmation whose first configuration cannot be told from all others; [] if it can.

    It takes the lead over the nearest of those that cannot be told from the first, and its spread over the seeds, which
    must be the same for all.
    """
    differences = enumerate(confirmation.to_winner, start=1)
    level = [place for place, difference in differences if difference.low <= 0 <= difference.high]
    if not level:
        return []
    apart = (
        f"{_counted(confirmation, 1 + len(level)).capitalize()} cannot be told apart under {confirmation.seeds} seeds"
    )
    place = next((place for place in level if not has_same_mean(confirmation, place, 0)), level[0])
    nearest = names(confirmation)[place]
    if has_same_mean(confirmation, place, 0):
        return [f"{apart}, and {nearest} {_tied(study, confirmation, place)}"]
    lead, needed = _needed(confirmation, place)
    if needed is None:
        return [
            f"{apart}; more than {MOST:,} would be needed to show a difference as small as that to {nearest} "
            f"({number(lead, 2)}). Ask whether it matters, and name the difference that does not: "
            f"`pernodedrop confirm {study} --until decided --indifference {2 * lead:.1g}`."
        ]
    return [
        f"{apart}; about {needed:,} would show a difference of this size ({number(lead, 2)} to {nearest}): "
        f"`{_command(study, needed)}`.{_little(confirmation.seeds)}"
    ]


def _tied(study: str, confirmation: Confirmation, place: int) -> str:
    """What the same mean as the first's says: one training has it for ever, others by these seeds alone."""
    if confirmation.to_winner[place - 1].is_point:
        return "has the same figure as the first under every seed: they train alike, and no number would part them."
    more = _command(study, 2 * confirmation.seeds)
    return f"has the same mean as the first, so these do not say how many would part them: `{more}` adds seeds."


def has_same_mean(confirmation: Confirmation, place: int, other: int) -> bool:
    """Whether two configurations have the same mean, to the last digits."""
    one, two = (confirmation.found[each].mean(confirmation.metric) for each in (place, other))
    return math.isclose(one, two, rel_tol=1e-12)


def _little(seeds: int) -> str:
    """What to expect of a number that few seeds have given."""
    if seeds > FEW:
        return ""
    return f" So few as {seeds} seeds say little of the scatter: it may take several times as many."


def _needed(confirmation: Confirmation, place: int) -> tuple[float, int | None]:
    """The first configuration's lead over another, and the seeds that would show it: more than there are."""
    values = np.array([one.figures[confirmation.metric] for one in confirmation.found])
    seeds = values.shape[1]
    lead = abs(float((values[place] - values[0]).mean()))
    deviation = float(AllPairs(values).errors[place, 0]) * math.sqrt(seeds)
    needed = seeds_needed(lead, deviation, len(values)) if lead and deviation else seeds
    return lead, None if needed is None else max(needed, seeds + 1)


def _counted(confirmation: Confirmation, count: int) -> str:
    """ "five variants", or "five configurations" where a variant was confirmed more than once."""
    variants = [one.trial.variant for one in confirmation.found]
    noun = "variants" if len(set(variants)) == len(variants) else "configurations"
    return f"{COUNTS[count] if count < len(COUNTS) else f'{count:,}'} {noun}"


def _command(study: str, seeds: int) -> str:
    more = f"--repeats {seeds}" if seeds <= MOST_REPEATS else f"--until decided --most-repeats {seeds}"
    return f"pernodedrop confirm {study} {more}"
