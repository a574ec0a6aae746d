"""Statistics for comparing regularizers: pure functions of arrays. Of costs, less is better."""

from service.reports.statistics.all_pairs import AllPairs
from service.reports.statistics.control import ZeroRate, zero_rate_control
from service.reports.statistics.friedman import Friedman, friedman
from service.reports.statistics.interval import Interval, Method, mean_interval
from service.reports.statistics.nemenyi import critical_difference, indistinct_groups, pairwise_p
from service.reports.statistics.paired import PairedDifference, paired_difference
from service.reports.statistics.paper_protocol import RECORDS, PaperRanking, paper_protocol
from service.reports.statistics.selection import FEWEST_SEEDS, Chosen, choose, choosing_seeds

__all__ = [
    "FEWEST_SEEDS",
    "RECORDS",
    "AllPairs",
    "Chosen",
    "Friedman",
    "Interval",
    "Method",
    "PairedDifference",
    "PaperRanking",
    "ZeroRate",
    "choose",
    "choosing_seeds",
    "critical_difference",
    "friedman",
    "indistinct_groups",
    "mean_interval",
    "paired_difference",
    "pairwise_p",
    "paper_protocol",
    "zero_rate_control",
]
