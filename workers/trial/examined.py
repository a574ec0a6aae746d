"""An examination on a trial's line: as plain data, and read again from data that nobody has checked."""

import base64
import math
import re
from typing import Any

import numpy as np

from service.storage import scores
from service.storage.records import Examination

KINDS = ("test", "shift", "semantic", "far")
OUTPUTS = ("softmax", "sigmoid")
INPUTS = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")  # the name of a set
MOST_FIGURES = 256
MOST_LEVEL, MOST_PASSES, MOST_NUMBER = 100, 10_000, 2**31 - 1
_FIGURE = re.compile(r"\w[\w.@+%/ -]{0,149}")  # a task's metric with a suffix


def told(examination: Examination) -> dict[str, Any]:
    """The examination as JSON can say it, with the scores as text of base64."""
    named = {field: getattr(examination, field) for field in Examination.__slots__}
    packed = base64.b64encode(scores.packed(examination.scores)).decode()
    return named | {"figures": dict(examination.figures), "scores": packed}


def heard(said: dict[str, Any], run_id: int) -> Examination:
    """What `told` has told of this run.

    Raises:
        ValueError, TypeError, KeyError: a field is missing, of another kind, or out of bounds.
    """
    figures = said["figures"]
    if not isinstance(figures, dict) or len(figures) > MOST_FIGURES:
        raise ValueError(f"figures must be at most {MOST_FIGURES} numbers by name")
    found = scores.unpacked(base64.b64decode(_text(said["scores"]), validate=True))
    if any(np.isinf(array).any() for array in found.values()):
        raise ValueError("scores must be finite or nan")
    lengths = {len(array) for array in found.values()}
    if len(lengths) != 1:
        raise ValueError(f"scores must be of the same inputs, got lengths {sorted(lengths)}")
    return Examination(
        run_id=run_id,
        repeat=_whole(said["repeat"], 0, MOST_NUMBER),
        epoch=_whole(said["epoch"], 1, MOST_NUMBER),
        inputs=_named(said["inputs"], INPUTS),
        kind=_one_of(said["kind"], KINDS),
        level=_whole(said["level"], 0, MOST_LEVEL),
        passes=_whole(said["passes"], 1, MOST_PASSES),
        outputs=_one_of(said["outputs"], OUTPUTS),
        figures={_named(name, _FIGURE): _number(figure) for name, figure in figures.items()},
        scores=found,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} is no text")
    return value


def _named(value: Any, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(_text(value)):
        raise ValueError(f"{value[:40]!r} is no name")
    return str(value)


def _one_of(value: Any, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ValueError(f"must be one of {', '.join(known)}")
    return str(value)


def _whole(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"must be a whole number from {least} to {most}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isinf(value):
        raise ValueError("must be a finite number or nan")
    return float(value)
