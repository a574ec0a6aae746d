"""Where in a model a regularizer may act: the kinds of modules, and the names by which a model offers them.

A model offers a dense layer by the name "slot". An `nn.Identity` named "map" stands behind convolutional features, one
named "branch" at the end of a residual branch, before the addition: `x + self.branch(self.layers(x))`. A recurrence is
an `nn.LSTM` or `nn.GRU` that is named "recurrence", or lies in a module of that name. The place "gradient" is the
optimizer's, and every model has it.
"""

from collections.abc import Mapping

from torch import nn

GRADIENT = "gradient"

KINDS: Mapping[str, tuple[type[nn.Module], ...]] = {  # of the modules at a place
    "slot": (nn.Linear,),
    "map": (nn.Identity,),
    "branch": (nn.Identity,),
    "recurrence": (nn.LSTM, nn.GRU),
}


def is_offered(place: str, name: str) -> bool:
    """Whether a model offers its module of this qualified name as such a place, if it is of the right kind."""
    parts = name.split(".")
    return place in parts if place == "recurrence" else parts[-1] == place


def offered(model: nn.Module, place: str) -> list[str]:
    """The names of the modules that the model offers as such places, in its order."""
    return [
        name for name, module in model.named_modules() if isinstance(module, KINDS[place]) and is_offered(place, name)
    ]
