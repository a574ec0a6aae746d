"""The variants that a study searches, and the same study with some of them."""

from collections.abc import Collection, Mapping

from search_spaces.conditions import Space, in_order
from search_spaces.dimensions import Dimension, Value
from search_spaces.grids import Params, boxes
from search_spaces.narrowing import CannotNarrow, narrowed, searchable
from search_spaces.parameters import OPTIONS
from search_spaces.problems import listed
from search_spaces.trial_config import variant_of

VARIANT_PARAMETERS = (
    "regularizer",
    "stir_type",
    "mask_mode",
    *(name for name, option in OPTIONS.items() if option.label),
)


def variants_of(space: Space, fixed: Mapping[str, Value]) -> dict[str, Params]:
    """Every variant (see `variant_of`) in the space, each with parameters that give it."""
    needed = needed_dimensions(space)
    part = {name: dimension for name, dimension in space.items() if name in needed}
    points = [{**fixed, **box.point(index)} for box in boxes(part, fixed) for index in range(box.size)]
    return {variant_of(point): point for point in points}


def needed_dimensions(space: Space) -> set[str]:
    """The dimensions that tell the space's variants apart, and those that they depend on."""
    needed = {name for name, dimension in space.items() if (dimension.parameter or name) in VARIANT_PARAMETERS}
    for name in reversed(in_order(space)):  # children first, so that parents' parents are found
        if name in needed:
            needed |= space[name].when.keys() & space.keys()
    return needed


def with_variants(space: Space, fixed: Mapping[str, Value], wanted: Collection[str]) -> dict[str, Dimension]:
    """The space with only the wanted variants; "pernodedrop-gaussian" names every variant that begins with it.

    Raises:
        CannotNarrow: a name fits no variant, or no space has the wanted variants without others.
    """
    found = variants_of(space, fixed)
    for name in wanted:
        if not any(fits(variant, name) for variant in found):
            raise CannotNarrow(f"variants must be of {listed(found)}, got {name!r}")
    kept = {variant: point for variant, point in found.items() if any(fits(variant, name) for name in wanted)}
    narrow: dict[str, Dimension] = {}
    for name, dimension in space.items():
        parameter = dimension.parameter or name
        if parameter in VARIANT_PARAMETERS:
            less = narrowed(dimension, {point[parameter] for point in kept.values() if parameter in point})
            narrow |= {} if less is None else {name: less}
        else:
            narrow[name] = dimension
    narrow = searchable(narrow, fixed)
    others = sorted(variants_of(narrow, fixed).keys() - kept.keys())
    if others:
        raise CannotNarrow(f"variants {', '.join(wanted)} bring {', '.join(others)} with them: name these too")
    return narrow


def fits(variant: str, name: str) -> bool:
    """Whether the name is the variant's, or its beginning up to a dash."""
    return f"{variant}-".startswith(f"{name}-")
