"""How much tuning the variants had, where that may have decided their order."""

from collections.abc import Sequence

from service.reports.found.ranking import RankingRow
from service.reports.words.wording import listing


def want_of_trials(ranking: Sequence[RankingRow]) -> list[str]:
    """The sentence that names the variants with far fewer complete trials than another; [] if there are none."""
    few = [f"{row.variant} ({row.trials:,})" for row in ranking if row.few]
    if not few:
        return []
    most = max(ranking, key=lambda row: row.trials)
    return [
        f"For want of complete trials, beside {most.trials:,} of {most.variant}, these may have lost: {listing(few)}."
    ]
