"""A study's answer: the ranking, the confirmation and what is recommended."""

from typing import Literal

from pydantic import BaseModel, Field

from service.api.models.scalars import DecidedAs, Finite, Scalar


class ObjectiveOut(BaseModel):
    metric: str = Field(examples=["val_loss"])
    direction: Literal["minimize", "maximize"]


class WinnerOut(BaseModel):
    """This configuration is first by its figures under fresh seeds; the verdict says whether it has won."""

    run: int = Field(description="This is the run's id in the queue.", examples=[31])
    variant: str = Field(examples=["pernodedrop-gaussian-dynamic"])
    params: dict[str, Scalar] = Field(examples=[{"regularizer": "pernodedrop", "drop_rate": 0.3}])
    metric: str = Field(examples=["test_loss"])
    mean: Finite = Field(description="This is the metric's mean over the seeds.", examples=[0.1311])
    low: Finite = Field(description="The mean's 95% interval begins here; null if unknown.", examples=[0.1274])
    high: Finite = Field(description="The mean's 95% interval ends here.", examples=[0.1348])
    seeds: int = Field(examples=[5])
    outcome: DecidedAs | None = Field(
        None,
        description="This is what a confirmation that went on until it was decided has come to; one with a fixed "
        "number of seeds has none.",
    )
    verdict: list[str] = Field(
        description="These sentences say what can be concluded.",
        examples=[["dropout wins the confirmation: mean test_loss 0.1311 (0.1274 to 0.1348) over 5 fresh seeds."]],
    )


class RecommendedOut(BaseModel):
    """The study recommends this configuration of its confirmation."""

    run: int = Field(description="This is the run's id in the queue.", examples=[31])
    variant: str = Field(examples=["pernodedrop-gaussian-dynamic"])
    params: dict[str, Scalar] = Field(examples=[{"regularizer": "pernodedrop", "drop_rate": 0.3}])
    why: str = Field(
        description="The sentence says whether it has won.", examples=["dropout, the winner of the confirmation."]
    )
    fixed: str = Field(
        description="This YAML can be pasted into a study's definition.",
        examples=["fixed:\n  regularizer: dropout\n  drop_rate: 0.3"],
    )


class ConfirmedOut(BaseModel):
    """A row has the figures of one confirmed configuration under the fresh seeds."""

    run: int = Field(description="This is the run's id in the queue.", examples=[31])
    variant: str = Field(examples=["pernodedrop-gaussian-dynamic"])
    params: dict[str, Scalar] = Field(examples=[{"regularizer": "pernodedrop", "drop_rate": 0.3}])
    metric: str = Field(examples=["test_loss"])
    seeds: int = Field(examples=[5])
    mean: Finite = Field(description="This is the metric's mean over the seeds.", examples=[0.1311])
    low: Finite = Field(description="The mean's 95% interval begins here.", examples=[0.1274])
    high: Finite = Field(description="The mean's 95% interval ends here.", examples=[0.1348])
    difference: Finite = Field(
        description="This is its mean difference to the first row over the seeds; null in the first row. Of a "
        "confirmation that went on until it was decided it is the one to the best of the others at the last look that "
        "compared the configuration, under the seeds of that look."
    )
    difference_low: Finite = Field(
        description="The difference's interval begins here. It holds for all pairs at once, or for all looks."
    )
    difference_high: Finite = Field(description="The difference's interval ends here.")
    seeds_won: int | None = Field(description="It was better than the first row under this many seeds.")
    weights: str | None = Field(
        None,
        description='The digest of its weights under all seeds: SHA-256 of a line "SEED DIGEST" for each; null where '
        "not all are kept.",
    )


class RankingRow(BaseModel):
    """A row has the results of one variant of regularization in the study."""

    rank: int = Field(description="Rank 1 is the best.", examples=[1])
    variant: str = Field(examples=["pernodedrop-gaussian-dynamic"])
    trials: int = Field(description="The variant has this many complete trials.", examples=[9])
    pruned: int = Field(examples=[3])
    best_values: list[Finite] | None = Field(examples=[[0.1234]])
    mean_of_top: Finite = Field(
        description="This is the mean of the first objective over the variant's top 3 complete trials."
    )
    best_params: dict[str, Scalar] | None
    best_number: int | None = Field(examples=[4])
    begun: int = Field(description="The variant has had this many trials, of any state.", examples=[12])
    epochs: int = Field(description="They were trained for this many epochs in all, over all seeds.", examples=[96])
    few: bool = Field(
        description="The variant may have lost for want of trials: it has under 2 complete ones, or fewer than a third "
        "of those of the variant with the most."
    )


class FrontRow(BaseModel):
    """A complete trial of a study with several objectives, which no other one dominates."""

    number: int | None = Field(examples=[4])
    variant: str = Field(examples=["pernodedrop-gaussian-dynamic"])
    values: list[Finite] = Field(description="There is one for each objective.", examples=[[0.1234, 0.97]])
    params: dict[str, Scalar]


class Ranking(BaseModel):
    ranking: list[RankingRow]
    front: list[FrontRow] = Field(
        [],
        description="These trials are on the Pareto front, the best by the first objective first, at most 100; empty "
        "with a single objective.",
    )
    on_front: int = Field(0, description="So many trials are on the Pareto front in all.")
