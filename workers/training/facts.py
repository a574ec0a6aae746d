"""The facts that a result states about its making."""

import copy

import torch
from torch import nn

from pernodedrop.layers import ChoosesBackend, HasGradientNoise, RoundsDropRate
from workers.tasks.inputs import Inputs, batch_of

Facts = dict[str, str | int | float]


def facts_of(model: nn.Module, batch: Inputs) -> Facts:
    """Backend, parameter count, torch and device of a model that trains on batches like this one.

    A layer chooses its backend when it sees its input, so a copy of the model computes one batch.
    """
    probe = copy.deepcopy(model).train()
    with torch.no_grad():
        probe(batch_of(batch))
    facts: Facts = {
        "backend": backend_of(probe),
        "parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "torch": str(torch.__version__),
        **_device_facts(batch.device),
    }
    told = (module.gradient_noise for module in probe.modules() if isinstance(module, HasGradientNoise))
    noises = sorted({noise for noise in told if noise is not None})
    facts |= {"gradient_noise": "+".join(noises)} if noises else {}
    rates = [module.effective_drop_rate for module in probe.modules() if isinstance(module, RoundsDropRate)]
    return facts | ({"effective_drop_rate": rates[0]} if rates else {})


def backend_of(model: nn.Module) -> str:
    """The backends that the model's layers last ran, joined by "+"; "torch" where no layer had a choice."""
    used = {m.backend_used for m in model.modules() if isinstance(m, ChoosesBackend) and m.backend_used is not None}
    return "+".join(sorted(used)) or "torch"


def _device_facts(device: torch.device) -> Facts:
    if device.type == "cuda":
        return {"device": torch.cuda.get_device_name(device)}
    return {"device": device.type, "threads": torch.get_num_threads()}
