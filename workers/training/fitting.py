"""Whether a kept state fits a training: a wrong part must not come to light in the middle of its next epoch."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


def require_fit(kept: Mapping[str, Any], own: Mapping[str, Any], optimizer: Optimizer | None) -> None:
    """Return if a training whose state is `own` could have come to the state `kept`, as far as shapes and types say.

    `optimizer` is None for a task's own, of whose state nothing is known beforehand.

    Raises:
        ValueError: it could not, with the part that does not fit.
        Any other error: a part is of another kind altogether.
    """
    for part in ("model", "order", "noise"):
        _require_like(part, kept[part], own[part])
    if optimizer is not None:
        _require_optimizer(kept["optimizer"], own["optimizer"], optimizer)
    for snapshot in kept["snapshots"] if "snapshots" in own else ():
        _require_like("snapshots", snapshot, own["model"])
    if "best" in kept:
        if type(kept["best"]["epoch"]) is not int:
            raise ValueError(f"best.epoch is {kept['best']['epoch']!r}")
        _require_like("best.model", kept["best"]["model"], own["model"])
    torch.Generator().set_state(kept["noise"]["cpu"])  # refuses numbers that are no state


def _require_optimizer(kept: Mapping[str, Any], own: Mapping[str, Any], optimizer: Optimizer) -> None:
    """Return if the groups are the same, and of each parameter is kept what such an optimizer remembers of one."""
    groups, own_groups = kept["param_groups"], own["param_groups"]
    _require_like("optimizer.param_groups", groups, own_groups)
    if [group["params"] for group in groups] != [group["params"] for group in own_groups]:
        raise ValueError("optimizer.param_groups has other parameters")
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    numbers = _numbers_of(optimizer)
    for index, state in kept["state"].items():
        if type(index) is not int or not 0 <= index < len(parameters):
            raise ValueError(f"optimizer.state has a parameter {index!r}")
        _require_keys(f"optimizer.state.{index}", state, numbers)
        for name, value in state.items():
            of_parameter = isinstance(numbers[name], Tensor) and numbers[name].dim() > 0
            like = torch.empty_like(parameters[index], device="cpu") if of_parameter else numbers[name]
            _require_like(f"optimizer.state.{index}.{name}", value, like)


def _numbers_of(optimizer: Optimizer) -> dict[str, Any]:
    """What such an optimizer remembers of a parameter after its first step: of one with a single weight."""
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.zeros(1)
    kind: type[Any] = type(optimizer)
    probe = kind([{**optimizer.defaults, "params": [weight]}])  # not every default is an argument: AdamW's
    probe.step()
    return dict(probe.state[weight])


def _require_like(name: str, kept: Any, own: Any) -> None:
    if isinstance(own, Tensor):
        if not isinstance(kept, Tensor) or (kept.shape, kept.dtype) != (own.shape, own.dtype):
            found = f"{kept.dtype} {tuple(kept.shape)}" if isinstance(kept, Tensor) else type(kept).__name__
            raise ValueError(f"{name} is {found}, not {own.dtype} {tuple(own.shape)}")
    elif isinstance(own, Mapping):
        _require_keys(name, kept, own)
        for key, value in own.items():
            _require_like(f"{name}.{key}", kept[key], value)
    elif isinstance(own, Sequence) and not isinstance(own, str):
        if not isinstance(kept, list | tuple) or len(kept) != len(own):
            raise ValueError(f"{name} has not {len(own)} parts")
        for place, value in enumerate(own):
            _require_like(f"{name}.{place}", kept[place], value)
    elif type(kept) is not type(own) and not (isinstance(kept, int | float) and isinstance(own, int | float)):
        raise ValueError(f"{name} is {type(kept).__name__}, not {type(own).__name__}")


def _require_keys(name: str, kept: Any, own: Mapping[Any, Any]) -> None:
    if not isinstance(kept, Mapping):
        raise ValueError(f"{name} is {type(kept).__name__}")
    if kept.keys() != own.keys():
        other = sorted(map(str, kept.keys() ^ own.keys()))[0]
        raise KeyError(f"{name}: {other}")
