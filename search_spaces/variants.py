"""The variants that a study searches, and the same study with some of them."""

from collections.abc import Collection, Mapping
from itertools import islice

from pernodedrop.near import hint
from search_spaces.conditions import Space, in_order
from search_spaces.dimensions import Dimension, Value
from search_spaces.grids import Params, boxes
from search_spaces.narrowing import CannotNarrow, narrowed, searchable, setters
from search_spaces.parameters import OPTIONS, PARAMETERS
from search_spaces.problems import listed
from search_spaces.trial_config import variant_of

VARIANT_PARAMETERS = (
    "regularizer",
    "stir_type",
    "mask_mode",
    *(name for name, option in OPTIONS.items() if option.label),
)

SCHEDULE = "drop_rate_schedule"
MOST_POINTS = 20_000


def telling_in(space: Space) -> tuple[str, ...]:
    """The parameters of the recipe that tell the variants of this space apart: a drop-rate schedule if it has several.

    A study that fixes its schedule compares regularizers under it, and their names say nothing of it.
    """
    values = {value for dimension in setters(space, SCHEDULE).values() for value in dimension.values or ()}
    known = [value for value in values if PARAMETERS[SCHEDULE].refusal(value) is None]  # else an own task's
    return (SCHEDULE,) if len(known) > 1 and len(known) == len(values) else ()


def variants_of(space: Space, fixed: Mapping[str, Value], telling: Collection[str] | None = None) -> dict[str, Params]:
    """Every variant (see `variant_of`) in the space, each with parameters that give it.

    `telling` are those of `telling_in`, or of the space that this is a part of.

    Raises:
        CannotNarrow: the dimensions that tell variants apart have more than MOST_POINTS combinations.
    """
    telling = telling_in(space) if telling is None else telling
    needed = needed_dimensions(space, telling)
    part = {name: dimension for name, dimension in space.items() if name in needed}
    points = ({**fixed, **box.point(index)} for box in boxes(part, fixed) for index in range(box.size))
    found = {variant_of(point, telling): point for point in islice(points, MOST_POINTS)}
    if next(points, None) is not None:
        what = ", ".join(sorted(needed))
        raise CannotNarrow(f"{what} must have at most {MOST_POINTS:,} combinations to choose variants from, got more")
    return found


def needed_dimensions(space: Space, telling: Collection[str]) -> set[str]:
    """The dimensions that tell the space's variants apart (see `telling_in`), and those that they depend on."""
    parameters = (*VARIANT_PARAMETERS, *telling)
    needed = {name for name, dimension in space.items() if (dimension.parameter or name) in parameters}
    for name in reversed(in_order(space)):  # children first, so that parents' parents are found
        if name in needed:
            needed |= space[name].when.keys() & space.keys()
    return needed


def with_variants(space: Space, fixed: Mapping[str, Value], wanted: Collection[str]) -> dict[str, Dimension]:
    """The space with only the wanted variants; "pernodedrop-gaussian" names every variant that begins with it.

    Raises:
        CannotNarrow: a name fits no variant, or no space has the wanted variants without others.
    """
    telling = telling_in(space)
    found = variants_of(space, fixed, telling)
    for name in wanted:
        if not any(fits(variant, name) for variant in found):
            raise CannotNarrow(f"variants must be of {listed(found)}, got {name!r}{hint(name, found)}")
    kept = {variant: point for variant, point in found.items() if any(fits(variant, name) for name in wanted)}
    narrow: dict[str, Dimension] = {}
    for name, dimension in space.items():
        parameter = dimension.parameter or name
        if parameter in (*VARIANT_PARAMETERS, *telling):
            less = narrowed(dimension, {point[parameter] for point in kept.values() if parameter in point})
            narrow |= {} if less is None else {name: less}
        else:
            narrow[name] = dimension
    narrow = searchable(narrow, fixed)
    others = sorted(variants_of(narrow, fixed, telling).keys() - kept.keys())
    if others:
        raise CannotNarrow(f"variants {', '.join(wanted)} bring {', '.join(others)} with them: name these too")
    return narrow


def fits(variant: str, name: str) -> bool:
    """Whether the name is the variant's, or its beginning up to a dash."""
    return f"{variant}-".startswith(f"{name}-")
