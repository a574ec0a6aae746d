"""The ranking of the PerNodeDrop paper (arXiv:2512.12663), for comparison with its Table V; it proves nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.statistics.friedman import Friedman, friedman
from service.statistics.laws import ranks

RECORDS = 5  # of each variant


@dataclass(frozen=True)
class PaperRanking:
    """The paper's two figures: mean ranks over all records, and Friedman's test over "blocks"."""

    mean_ranks: dict[str, float]  # among 1..records * k, the best variant first
    test: Friedman  # block i is every variant's i-th best record


def paper_protocol(costs: Mapping[str, Sequence[float]], records: int = RECORDS) -> PaperRanking:
    """Rank each variant's best records jointly and test them as the paper does; `costs` are all its records' losses.

    The test is not valid: a block of i-th best records is not an independent repetition, because all records of a
    variant come from the same few trainings. Between identical variants it nearly always "finds" a difference.

    Raises:
        ValueError: fewer than 2 variants, or one with too few records.
    """
    few = [variant for variant, losses in costs.items() if len(losses) < records]
    if few or len(costs) < 2:
        missing = f"too few of {', '.join(few)}" if few else f"{len(costs)} variants"
        raise ValueError(f"the paper's protocol needs {records} records of each of at least 2 variants, got {missing}")
    best = np.asarray([sorted(losses)[:records] for losses in costs.values()])  # (variants, records)
    joint = ranks(best.ravel()).reshape(best.shape).mean(axis=1)
    mean_ranks = dict(sorted(zip(costs, joint.tolist(), strict=True), key=lambda item: item[1]))
    return PaperRanking(mean_ranks=mean_ranks, test=friedman(best.T))
