"""Known configurations: parameters that somebody chose, as today's production setting, beside those that are drawn."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from search_spaces.dimensions import MOST_DIMENSIONS, Value
from search_spaces.part import Part
from search_spaces.scalars import ParameterName, Scalar

MOST_KNOWN = 100
OUTSIDE = "outside"  # the key under which a run keeps parameters that lie outside of its study's space

Given = Mapping[str, Any]  # the parameters that a run is given; {OUTSIDE: all of them} where they lie outside


class Known(Part):
    """A known configuration: what its trial is trained with, and whether it lies outside of the search space.

    Inside, the sampler draws the dimensions that are missing, and learns from the result. Outside, the trial is only
    compared: missing parameters are the fixed ones, else the training's defaults, and the sampler never sees it.
    """

    params: dict[ParameterName, Scalar] = Field(
        max_length=MOST_DIMENSIONS,
        description="The trial has these parameters; the sampler draws the dimensions that are missing.",
        examples=[{"regularizer": "dropout", "drop_rate": 0.5}],
    )
    outside: bool = Field(
        default=False,
        description="The configuration lies outside of the search space: it is trained, ranked and confirmed, and the "
        "sampler does not learn from it.",
        examples=[False],
    )


def _with_params(value: Any) -> Any:
    """Return {"params": parameters} for the parameters alone."""
    if isinstance(value, dict) and not isinstance(value.get("params"), dict):
        return {"params": value}
    return value


KnownOrParams = Annotated[
    Known, BeforeValidator(_with_params, json_schema_input_type=Known | Annotated[dict[ParameterName, Scalar], Field()])
]


def outside_of(given: Given) -> Mapping[str, Value] | None:
    """The parameters of a run outside of its study's space, None of any other run. No parameter is an object."""
    params = given.get(OUTSIDE)
    return params if isinstance(params, dict) else None  # every ask looks at all trials: an abstract class is slow
