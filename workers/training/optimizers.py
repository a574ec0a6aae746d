"""The optimizers that a study may choose, all torch's. To add one, write a function and a line in the list."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from pernodedrop.layers.regularizing import noise_parameters
from search_spaces import TrialConfig

Parameters = Iterable[nn.Parameter] | list[dict[str, Any]]


def _momentum(parameters: Parameters, config: TrialConfig, *, nesterov: bool) -> Optimizer:
    return SGD(parameters, lr=config.learning_rate, momentum=config.momentum, nesterov=nesterov, fused=True)


OPTIMIZERS: Mapping[str, Callable[[Parameters, TrialConfig], Optimizer]] = {
    "adam": lambda parameters, config: Adam(parameters, lr=config.learning_rate, fused=True),
    "adamw": lambda parameters, config: AdamW(parameters, lr=config.learning_rate, weight_decay=0.0, fused=True),
    "sgd": lambda parameters, config: _momentum(parameters, config, nesterov=False),
    "nesterov": lambda parameters, config: _momentum(parameters, config, nesterov=config.momentum > 0.0),
}


def optimizer_of(model: nn.Module, config: TrialConfig) -> Optimizer:
    """The trial's optimizer for the model's parameters.

    adam and sgd add weight decay to the gradient, adamw decouples it. By default it does not apply to biases and the
    parameters of normalizations, which have one dimension, nor to those of a regularizer's noise.
    """
    build = OPTIMIZERS[config.optimizer]
    if config.weight_decay == 0.0:
        return build(model.parameters(), config)
    decayed: list[nn.Parameter] = []
    left: list[nn.Parameter] = []
    noise = {id(parameter) for parameter in noise_parameters(model)}
    for parameter in model.parameters():
        is_weight = parameter.dim() > 1 and id(parameter) not in noise
        (decayed if config.weight_decay_on == "all" or is_weight else left).append(parameter)
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": left, "weight_decay": 0.0}]
    return build([group for group in groups if group["params"]], config)


def set_in_groups(optimizer: Optimizer, name: str, number: float) -> None:
    """Set a number of the optimizer, such as "lr", for all parameters, from the next step on.

    Raises:
        ValueError: the optimizer has no such number.
    """
    for group in optimizer.param_groups:
        if name not in group:
            raise ValueError(f"{type(optimizer).__name__} has no {name} to set: choose an optimizer that has")
        group[name] = number


def clip_gradient(model: nn.Module, longest: float) -> None:
    """Shorten the gradient that the model holds to this Euclidean length, where it is longer."""
    torch.nn.utils.clip_grad_norm_(model.parameters(), longest)
