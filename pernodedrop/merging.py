"""A fixed mask multiplied into a layer's weight, whatever the weight is computed from."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


def merge_factors(model: nn.Module, name: str, layer: nn.Linear, factors: Tensor) -> None:
    """Multiply the weight (J, I) of the model's layer of that name by factors of its shape, once for all.

    Raises:
        ValueError: the weight belongs to another layer too, or is computed in a way that keeps no such product.
    """
    with torch.no_grad():
        if "weight" in layer._parameters:
            _check_alone(model, name, layer)
            layer.weight.mul_(factors)
        elif "weight_mask" in layer._buffers and "weight_orig" in layer._parameters:  # torch.nn.utils.prune
            layer.get_parameter("weight_orig").mul_(factors)
        elif not (parametrize.is_parametrized(layer, "weight") and _kept_by_parametrization(layer, factors)):
            raise ValueError(
                f"the weight of layer {name!r} is computed from others and cannot hold a fixed mask: make it a plain "
                "parameter before (torch.nn.utils.parametrize.remove_parametrizations, remove_weight_norm, ...), or "
                "undo(merge=False)"
            )


def _check_alone(model: nn.Module, name: str, layer: nn.Linear) -> None:
    for other, module in model.named_modules():
        if module is not layer and any(held is layer.weight for held in module._parameters.values()):
            raise ValueError(
                f"layer {name!r} shares its weight with {other!r}, which its fixed mask would change: untie them, or "
                "undo(merge=False)"
            )


def _kept_by_parametrization(layer: nn.Linear, factors: Tensor) -> bool:
    """Whether the weight is the product now; if not it is as before."""
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    wanted = layer.weight * factors
    try:
        layer.weight = wanted
        if torch.allclose(layer.weight, wanted, rtol=1e-4, atol=1e-6):
            return True
    except (NotImplementedError, RuntimeError, ValueError):
        pass
    layer.load_state_dict(before)
    return False
