"""What a capsule says of the examinations of a study's confirmation: their figures, without scores of single inputs."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from search_spaces.problems import shown
from service.storage.capsule.content import EXAMINATIONS, Capsule, Figures, number_or_none
from service.storage.capsule.plain_json import BadCapsule, plain_json
from service.storage.records import Examination

MOST = 1_000_000
MOST_FIGURES = 256

Name = Annotated[str, Field(min_length=1, max_length=150)]


class CapsuleExamination(BaseModel):
    """What the best model of a run's repeat said of one set of inputs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: int = Field(ge=1)
    repeat: int = Field(ge=0)
    epoch: int = Field(ge=1)
    inputs: Name
    figures: dict[Name, float | None] = Field(max_length=MOST_FIGURES)  # null for what is not finite


class _Examinations(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    examinations: list[CapsuleExamination] = Field(max_length=MOST)


def examinations_file(examinations: Iterable[Examination]) -> bytes:
    """The file of the capsule; the same examinations give the same bytes."""
    told = [
        CapsuleExamination(
            run=one.run_id,
            repeat=one.repeat,
            epoch=one.epoch,
            inputs=one.inputs,
            figures={name: number_or_none(figure) for name, figure in sorted(one.figures.items())},
        ).model_dump()
        for one in examinations
    ]
    return json.dumps({"examinations": told}, indent=1, allow_nan=False).encode() + b"\n"


def examined_of(capsule: Capsule) -> Mapping[int, Figures]:
    """The figures of every examination by run, repeat, epoch and "figure of inputs"; empty where none were packed.

    Raises:
        BadCapsule: the file is not what it should be.
    """
    if capsule.examinations is None:
        return {}
    try:
        read = _Examinations.model_validate(plain_json(capsule.examinations, EXAMINATIONS))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        got = shown(first["input"])
        raise BadCapsule(f"{EXAMINATIONS} is wrong at {shown(where)}: {first['msg']}, got {got}") from error
    found: dict[int, Figures] = {}
    for one in read.examinations:
        found.setdefault(one.run, {}).update(figures_of(one.repeat, one.epoch, one.inputs, one.figures))
    return found


def figures_of(repeat: int, epoch: int, inputs: str, figures: Mapping[str, float | None]) -> Figures:
    """An examination's figures as those of curves are named; what is not finite is nan."""
    return {
        (repeat, epoch, f"{name} of {inputs}"): math.nan if figure is None or not math.isfinite(figure) else figure
        for name, figure in figures.items()
    }
