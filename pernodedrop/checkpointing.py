"""Which of torch's checkpoints a call lies in, as the frames around it show: torch has no function that tells."""

from types import CodeType, FrameType
from typing import Any

import torch
from torch.utils import checkpoint

_UNKNOWN = f"checkpoints of torch {torch.__version__} cannot repeat noise here: install torch 2.9 to 2.15, or use none"


def checkpoints_around(frame: FrameType | None) -> tuple[list[object], tuple[object, object] | None]:
    """The checkpoints around a call from the innermost on: those computed for the first time, up to one repeated.

    Each is told by an object that lives as long as its graph; the repeated one with a name of the repetition.
    """
    begun: list[object] = []
    while frame is not None:
        code = frame.f_code
        if code is _BACKWARD:
            return begun, (frame.f_locals["ctx"], torch._C._current_graph_task_id())
        if code is _UNPACK:
            return begun, (frame.f_locals["frame"], frame.f_locals["gid"])
        begun += _begun_by(frame)
        frame = frame.f_back
    return begun, None


def begun_between(frame: FrameType | None, until: FrameType | None) -> list[object]:
    """The checkpoints computed for the first time between a call and one around it, or one that computes again."""
    begun: list[object] = []
    while frame is not None and frame is not until and frame.f_code not in (_BACKWARD, _UNPACK):
        begun += _begun_by(frame)
        frame = frame.f_back
    return begun


def _begun_by(frame: FrameType) -> list[object]:
    """The checkpoint that the frame computes for the first time, if it is one.

    Raises:
        RuntimeError: it is one of a release of torch whose checkpoints cannot be read.
    """
    if not KNOWN and frame.f_code.co_filename == checkpoint.__file__:
        raise RuntimeError(_UNKNOWN)
    if frame.f_code is _FORWARD:
        return [frame.f_locals["ctx"]]
    if frame.f_code is _CHECKPOINT and "gen" in frame.f_locals:
        started = frame.f_locals["gen"].gi_frame
        return [] if started is None else [started.f_locals["new_frame"]]
    return []


def _inner(code: CodeType, name: str) -> CodeType | None:
    found = (const for const in code.co_consts if isinstance(const, CodeType) and const.co_name == name)
    return next(found, None)


def _code(name: str) -> CodeType | None:
    """The code of a function of torch's checkpoints; None where this release has no such function."""
    found: Any = checkpoint
    for part in name.split("."):
        found = getattr(found, part, None)
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    return getattr(found, "__code__", None)


def _has(code: CodeType | None, *variables: str) -> bool:
    return code is not None and {*variables} <= {*code.co_varnames, *code.co_cellvars, *code.co_freevars}


_FORWARD, _BACKWARD = _code("CheckpointFunction.forward"), _code("CheckpointFunction.backward")
_CHECKPOINT = _code("_checkpoint_impl") or _code("checkpoint")  # the first since torch 2.15
_hook = _code("_checkpoint_hook.__init__")
_UNPACK = None if _hook is None else _inner(_hook, "unpack_hook")
KNOWN = _has(_FORWARD, "ctx") and _has(_BACKWARD, "ctx") and _has(_CHECKPOINT, "gen") and _has(_UNPACK, "frame", "gid")
