"""The sizes in the networks of the built-in tasks: what enters their slots, and the sides of their maps.

`workers.tasks.backbones` builds these networks; who judges a definition has no torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from search_spaces.task import DEFAULT_BACKBONE, TaskSpec

_WIDTH = 64  # of the last maps of "resnet", and of what "lstm" and "gru" read
_SMALLEST_STAGE = 4  # times smaller: the last maps of "paper" and "resnet"
_MAP = 32  # pixels a side, to which "resnet" brings larger images


@dataclass(frozen=True)
class Inputs:
    """Square images (C, side, side), and the filters of the last convolution of the backbone "paper"."""

    channels: int
    side: int
    filters: int


_INPUTS: Mapping[str, Inputs] = {
    "digits": Inputs(1, 8, 32),
    "cifar10": Inputs(3, 32, 64),
    "speech_commands": Inputs(1, 128, 64),
}
_HIDDEN_OF_DOCUMENTS = 1024
COLUMNS = 10  # of linear_factorization, unless task.options.columns says otherwise


def slot_widths(task: TaskSpec, units: int) -> tuple[int, ...]:
    """How many features enter each slot of the task's network; none where they are not known here."""
    backbone = task.options.get("backbone", DEFAULT_BACKBONE)
    if task.name == "rcv1":
        return _HIDDEN_OF_DOCUMENTS, 2 * units
    if task.name == "linear_factorization":
        columns = task.options.get("columns", COLUMNS)
        if not isinstance(columns, int):
            return ()
        chosen: Mapping[str, tuple[int, ...]] = {"first": (columns,), "second": (units,), "both": (columns, units)}
        return chosen.get(str(task.options.get("slots", "second")), ())
    if task.name not in _INPUTS:
        return ()
    inputs = _INPUTS[task.name]
    widths: Mapping[str, tuple[int, ...]] = {
        "paper": (inputs.filters * (inputs.side // _SMALLEST_STAGE) ** 2,),
        "resnet": (_WIDTH,),
        "transformer": (units,),
        "lstm": (_WIDTH, _WIDTH),
        "gru": (_WIDTH, _WIDTH),
        "mlp": (inputs.channels * inputs.side**2, units),
    }
    return widths.get(str(backbone), ())


def map_side(task: TaskSpec) -> int | None:
    """The side of the place "map" in pixels; None where the network has none, or is not known here."""
    inputs = _INPUTS.get(task.name)
    match task.options.get("backbone", DEFAULT_BACKBONE):
        case "paper" if inputs is not None:
            return inputs.side // _SMALLEST_STAGE
        case "resnet" if inputs is not None:
            return min(inputs.side, _MAP) // _SMALLEST_STAGE
        case _:
            return None
