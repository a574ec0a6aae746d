"""Monte Carlo predictions: the noise of training in a model that otherwise evaluates."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from pernodedrop.layers.noisy import DropoutSwitch, Noisy
from pernodedrop.layers.regularizing import must_be_called
from pernodedrop.passes import Passes, cut


@contextmanager
def mc_mode(model: nn.Module) -> Iterator[None]:
    """Within it the model's dropout layers, torch's and the family's, draw noise; all other modules evaluate.

    Every call of the model is then one Monte Carlo sample. Afterwards each module has its own mode again. Fixed masks
    and Masksembles do not draw: see `ensemble_predict`. Noise that a module draws by itself, as the attention of
    nn.MultiheadAttention and nn.LSTM between its layers do, stays off.

    Raises:
        ValueError: no layer of the model draws noise, so that all samples would be equal.
    """
    modules = list(model.modules())
    drawing = dropout_layers(model)
    if not draws_noise(model):
        raise ValueError(f"mc_mode needs a layer that draws noise, and {type(model).__name__} has none")
    modes = [(module, module.training) for module in modules]
    switches = [module for module in modules if isinstance(module, DropoutSwitch)]
    alone = [switch for switch in switches if switch.is_alone]
    called = [must_be_called(layer) for layer in drawing]
    model.eval()
    for layer in (*switches, *(each for each in drawing if not isinstance(each, Noisy))):
        layer.train()
    try:
        yield
    finally:
        for hook in called:
            hook.remove()
        model.eval()
        for module, mode in modes:
            module.training = mode
        for switch in alone:
            switch.is_alone = True


def mc_passes(model: nn.Module, count: int) -> Passes | None:
    """The `count` calls in `mc_mode` that make one Monte Carlo prediction; None where no layer draws noise.

    What runs before the first layer that draws may be computed once. Repeating the samples within one call is not the
    same: DropConnect draws one mask a call, so all repetitions would be equal.

    Raises:
        ValueError: fewer than one pass.
    """
    if count < 1:
        raise ValueError(f"mc_passes needs at least 1 pass, got {count}")
    drawing = [layer for layer in dropout_layers(model) if _draws(layer)]
    return Passes(count, lambda _number: mc_mode(model), "evaluated", drawing) if drawing else None


@torch.no_grad()
def mc_predict(model: nn.Module, x: Tensor, passes: int = 20) -> Tensor:
    """The outputs (S, N, ...) of S = `passes` calls of the model for inputs x (N, ...), each with fresh noise.

    Monte Carlo dropout (Gal and Ghahramani 2016, arXiv:1506.02142) with any noise, see `mc_mode`; without gradients. A
    plain nn.Sequential computes once what lies before the first layer that draws. The draws follow from torch's seed,
    or from the generators of the layers that have one. `uncertainty_of` says what the outputs mean.

    Raises:
        ValueError: no layer draws noise, or fewer than one pass.
    """
    found = mc_passes(model, passes)
    with mc_mode(model):
        front, rest = cut(model, () if found is None else found.modules)
        entering = front(x)
        return torch.stack([rest(entering) for _ in range(passes)])


def draws_noise(model: nn.Module) -> bool:
    """Whether a layer of the model draws noise in `mc_mode`."""
    return any(map(_draws, dropout_layers(model)))


def dropout_layers(model: nn.Module) -> list[nn.Module]:
    """The layers of the model that draw noise in training, torch's and the family's."""
    kinds = Noisy | _DropoutNd
    return [each for each in model.modules() if isinstance(each, kinds) and not isinstance(each, DropoutSwitch)]


def _draws(layer: nn.Module) -> bool:
    return getattr(layer, "mask", None) is None  # a fixed mask was drawn once
