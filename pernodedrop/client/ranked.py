"""The variants of a study in order, and its Pareto front."""

from dataclasses import dataclass, field

from pernodedrop.client.answers import Scalar


@dataclass(frozen=True)
class RankingRow:
    """A variant of regularization, and how its trials did."""

    rank: int
    variant: str
    trials: int
    pruned: int
    best_values: list[float | None] | None
    mean_of_top: float | None
    best_params: dict[str, Scalar] | None
    best_number: int | None
    begun: int
    epochs: int
    few: bool


@dataclass(frozen=True)
class FrontRow:
    """A complete trial of a study with several objectives, which no other one dominates."""

    number: int | None
    variant: str
    values: list[float | None]
    params: dict[str, Scalar]


@dataclass(frozen=True)
class Ranking:
    """The variants, the best first; of several objectives the first trials of the Pareto front, and their number."""

    ranking: list[RankingRow]
    front: list[FrontRow] = field(default_factory=list)
    on_front: int = 0
