"""What a confirmation's models say of sets of inputs."""

from pydantic import BaseModel, Field

from service.api.models.scalars import Finite


class FigureOut(BaseModel):
    name: str = Field(description="The figure's file has this name, without a suffix.", examples=["history"])
    caption: str = Field(examples=["Every complete trial's val_loss in the order of the search"])


class ExaminationOut(BaseModel):
    """An examination is what the best model of one seed says of one set of inputs."""

    run: int = Field(description="This is the run's id in the queue.", examples=[31])
    place: int | None = Field(description="The run has this place in the confirmation.", examples=[0])
    configuration: int | None = Field(
        description="The first run of the same configuration has this place; other runs add seeds to it.", examples=[0]
    )
    variant: str = Field(examples=["pernodedrop-gaussian-dynamic"])
    repeat: int = Field(description="Repeats, one for each seed, are counted from 0.", examples=[0])
    seed: int = Field(description="The seed has this number among the study's seeds.", examples=[1])
    epoch: int = Field(description="The model is the one of this epoch, the best by validation.", examples=[17])
    inputs: str = Field(
        description="The set is the split test (val if the task has none), or one out of distribution.",
        examples=["gaussian_noise_3"],
    )
    kind: str = Field(description="The set is a test, or its inputs are shift, semantic or far.", examples=["shift"])
    level: int = Field(description="A shift has levels from 1, the weakest; 0 is none.", examples=[3])
    passes: int = Field(description="The model predicted in this many passes; without noise in one.", examples=[20])
    outputs: str = Field(
        description="The outputs are logits of one class (softmax) or of each label (sigmoid).", examples=["softmax"]
    )
    figures: dict[str, Finite] = Field(
        description="These figures are of the whole set: docs/operations.md lists them.",
        examples=[{"loss": 0.31, "accuracy": 0.91, "epistemic": 0.04}],
    )


class ExaminationPage(BaseModel):
    examinations: list[ExaminationOut]
    total: int = Field(description="There are this many examinations in all, whatever limit and offset.")
