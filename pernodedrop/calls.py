"""Which module's call runs: read from the frames of this thread."""

import sys
from types import FrameType

from torch import nn

_CALL = nn.Module._call_impl.__code__


def called() -> object:
    """The module whose call runs, the innermost one in this thread; None where no call does."""
    frame = sys._getframe()
    while frame is not None and frame.f_code is not _CALL:
        frame = frame.f_back  # type: ignore[assignment]
    return None if frame is None else frame.f_locals["self"]


def call_of(module: nn.Module) -> FrameType | None:
    """The frame of the module's innermost call in this thread; None outside it, as in a repetition."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and not (frame.f_code is _CALL and frame.f_locals["self"] is module):
        frame = frame.f_back
    return frame


def has_itself(module: object, weight: object) -> bool:
    """Whether the module itself has the weight, not a module in it."""
    if not isinstance(module, nn.Module):
        return False
    return any(held is weight for held in (*module._parameters.values(), *vars(module).values()))
