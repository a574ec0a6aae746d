"""Statistics for comparing regularizers: pure functions of arrays. Of costs, less is better."""

from service.statistics.all_pairs import AllPairs
from service.statistics.confidence import Reliability, RiskCoverage, reliability, risk_coverage
from service.statistics.control import ZeroRate, zero_rate_control
from service.statistics.crossed import Estimate, over_seeds_and_inputs, resampled
from service.statistics.deciding import Bound, Decision, Outcome, Round, Rules, decide
from service.statistics.detection import Detection, average_precision, detection, prevalence
from service.statistics.ensemble import Ensemble, ensemble_of
from service.statistics.friedman import Friedman, friedman
from service.statistics.interval import Interval, Method, mean_interval
from service.statistics.nemenyi import critical_difference, indistinct_groups, pairwise_p, protected_p
from service.statistics.paired import PairedDifference, paired_difference
from service.statistics.paper_protocol import RECORDS, PaperRanking, paper_protocol
from service.statistics.selection import FEWEST_SEEDS, Chosen, choose, choosing_seeds
from service.statistics.spending import next_look

__all__ = [
    "FEWEST_SEEDS",
    "RECORDS",
    "AllPairs",
    "Bound",
    "Chosen",
    "Decision",
    "Detection",
    "Ensemble",
    "Estimate",
    "Friedman",
    "Interval",
    "Method",
    "Outcome",
    "PairedDifference",
    "PaperRanking",
    "Reliability",
    "RiskCoverage",
    "Round",
    "Rules",
    "ZeroRate",
    "average_precision",
    "choose",
    "choosing_seeds",
    "critical_difference",
    "decide",
    "detection",
    "ensemble_of",
    "friedman",
    "indistinct_groups",
    "mean_interval",
    "next_look",
    "over_seeds_and_inputs",
    "paired_difference",
    "pairwise_p",
    "paper_protocol",
    "prevalence",
    "protected_p",
    "reliability",
    "resampled",
    "risk_coverage",
    "zero_rate_control",
]
