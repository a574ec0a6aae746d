"""`--scale`: makes a study smaller for a small machine."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from search_spaces import InvalidDefinition, InvalidScale, Scale, named_scale, parse_definition, scaled
from search_spaces.core_schema import resolved
from search_spaces.scalars import LARGEST
from service.cli.exit_codes import ExitCode, Failure

Scales = Annotated[
    list[str] | None,
    typer.Option(
        "--scale",
        metavar="small|medium|KEY=VALUE",
        help="Make the study smaller: by a named scale, by an upper limit on epochs, train_size, val_size, repeats or "
        "trials, or to certain variants, rates or units, as in rates=0.2,0.4. May be repeated.",
    ),
]


def scaled_definition(definition: dict[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """Return the definition on the scale of the texts, of which later ones take precedence; unchanged without any.

    Raises:
        Failure: a text has another form or names a part that the study does not have, or the definition is invalid.
    """
    if not texts:
        return definition
    try:
        whole = parse_definition(definition)
        scale = Scale()
        named: set[str] = set()
        for text in texts:
            key, equals, value = text.partition("=")
            if equals and key in named:
                raise Failure(f"--scale {key} is given twice: keep one of them", ExitCode.WRONG)
            named.add(key)
            scale = replace(scale, **{key: _read(key, value)}) if equals else named_scale(text, whole)
        return scaled(whole, scale).model_dump(mode="json")
    except InvalidScale as error:
        raise Failure(f"--scale: {error}", ExitCode.WRONG) from error
    except InvalidDefinition as error:
        raise Failure(str(error), ExitCode.WRONG) from error


def _read(key: str, text: str) -> Any:
    if key not in READERS:
        raise Failure(f"--scale takes {', '.join(READERS)}, got {key!r}", ExitCode.WRONG)
    try:
        return READERS[key](text)
    except ValueError as error:
        raise Failure(f"--scale {key}: {error}", ExitCode.WRONG) from error


def _count(text: str) -> int:
    try:
        number = _number(text)
    except ValueError:
        number = 0
    if number != int(number) or not 1 <= number < LARGEST:
        raise ValueError(f"must be a whole number from 1, got {text[:40]!r}")
    return int(number)


def _number(text: str) -> float:
    """The number as a definition has it, so that 1e1 is 10 here too."""
    number = resolved(text)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError(f"must be a number, got {text[:40]!r}")
    return number


def _several(one: Callable[[str], Any], example: str) -> Callable[[str], tuple[Any, ...]]:
    def read(text: str) -> tuple[Any, ...]:
        try:
            return tuple(one(part) for part in text.split(","))
        except ValueError as error:
            raise ValueError(f"must be given as {example}, got {text[:40]!r}") from error

    return read


READERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("epochs", "train_size", "val_size", "repeats", "trials"), _count),
    "variants": _several(str, "dropout,pernodedrop-gaussian"),
    "rates": _several(_number, "0.2,0.4"),
    "units": _several(_count, "32,64"),
}
