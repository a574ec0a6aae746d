"""Measuring a model without changing it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from pernodedrop.layers.noisy import DropoutSwitch


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Restore afterwards what forward passes in any mode change.

    These are the modes of the model's modules, its buffers, the generators of its layers and torch's random states.
    """
    buffers = [buffer.clone() for buffer in model.buffers()]
    own = {getattr(module, "generator", None) for module in model.modules()}
    generators = [(each, each.get_state()) for each in own if isinstance(each, torch.Generator)]
    devices = sorted({p.device.index for p in model.parameters() if p.is_cuda})
    with modes_kept(model), torch.random.fork_rng(devices):
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, value in zip(model.buffers(), buffers, strict=True):
                    buffer.copy_(value)
            for generator, state in generators:
                generator.set_state(state)


@contextmanager
def modes_kept(model: nn.Module) -> Iterator[None]:
    """Give each module of the model its own mode again afterwards."""
    modules = list(model.modules())
    modes = [(module, module.training) for module in modules]
    alone = [module for module in modules if isinstance(module, DropoutSwitch) and module.is_alone]
    try:
        yield
    finally:
        model.eval()
        for module, mode in modes:
            module.training = mode
        for switch in alone:
            switch.is_alone = True
