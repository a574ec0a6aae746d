"""Monte Carlo predictions: the noise of training in a model that otherwise evaluates."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from pernodedrop.layers.noisy import DropoutSwitch, Noisy
from pernodedrop.layers.regularizing import must_be_called
from pernodedrop.unchanged import modes_kept


@contextmanager
def mc_mode(model: nn.Module) -> Iterator[None]:
    """Within it the model's dropout layers, torch's and the family's, draw noise; all other modules evaluate.

    Every call of the model is then one Monte Carlo sample. Afterwards each module has its own mode again. Fixed masks
    and Masksembles do not draw: see `ensemble_predict`. Noise that a module draws by itself, as the attention of
    nn.MultiheadAttention and nn.LSTM between its layers do, stays off.

    Raises:
        ValueError: no layer of the model draws noise, so that all samples would be equal.
    """
    drawing = dropout_layers(model)
    if not draws_noise(model):
        raise ValueError(f"mc_mode needs a layer that draws noise, and {type(model).__name__} has none")
    switches = [module for module in model.modules() if isinstance(module, DropoutSwitch)]
    with ExitStack() as stack:
        stack.enter_context(modes_kept(model))
        for layer in drawing:
            stack.callback(must_be_called(layer).remove)
        model.eval()
        for layer in (*switches, *(each for each in drawing if not isinstance(each, Noisy))):
            layer.train()
        yield


def draws_noise(model: nn.Module) -> bool:
    """Whether a layer of the model draws noise in `mc_mode`."""
    return any(getattr(layer, "mask", None) is None for layer in dropout_layers(model))


def dropout_layers(model: nn.Module) -> list[nn.Module]:
    """The layers of the model that draw noise in training, torch's and the family's."""
    kinds = Noisy | _DropoutNd
    return [each for each in model.modules() if isinstance(each, kinds) and not isinstance(each, DropoutSwitch)]
