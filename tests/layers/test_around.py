"""Layers that `regularize` has put into a model, in what torch does to models around them."""

import copy
import gc
import pickle

import pytest
import torch
from torch import Tensor, fx, nn

from pernodedrop import GaussianDropout, Masksembles, PerNodeDropLinear, mc_mode, regularize
from pernodedrop.expected_loss import explicit_penalty
from tests.layers.subjects import Doubled

NOISY = ["gaussian_dropout", "dropconnect", "pernodedrop"]


class Reader(nn.Module):
    """Reads the weight of its layer."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.dense.weight, self.dense.bias)


@pytest.mark.parametrize("regularizer", NOISY)
def test_a_switch_is_that_of_the_layer_it_lies_in(regularizer: str) -> None:
    model, x = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8)).eval(), torch.randn(4, 8)
    handle = regularize(model, regularizer)
    for twin in (model, copy.deepcopy(model)):
        assert not any(module.training for module in twin.modules())
        for module in twin.modules():
            if isinstance(module, nn.Dropout):
                module.train()
                module.p = 0.25
        assert not torch.equal(twin(x), twin(x))
        assert torch.equal(twin.eval()(x), twin(x))
    handle.undo()
    assert [*dict(model.named_modules())] == ["", "0", "1"]
    regularize(model, regularizer, drop_rate=0.0)
    assert torch.equal(model.train()(x), model(x))


@pytest.mark.parametrize("regularizer", NOISY)
def test_a_layer_with_its_own_forward_is_one_call_of_a_traced_graph(regularizer: str) -> None:
    model, x = nn.Sequential(Doubled(8, 8), nn.ReLU()), torch.randn(4, 8)
    regularize(model, regularizer, where=Doubled)
    graph = fx.symbolic_trace(model)
    for model_or_graph in (model, graph):
        torch.manual_seed(1)
        model_or_graph.seen = model_or_graph(x)
    assert torch.equal(model.seen, graph.seen)
    assert not torch.equal(graph(x), graph(x))
    assert torch.equal(graph.eval()(x), model.eval()(x))


def test_a_traced_graph_meets_no_hook_twice() -> None:
    model = nn.Sequential(PerNodeDropLinear(8, 8))
    model[0].register_forward_hook(lambda _, inputs, output: 2 * output)
    with pytest.raises(RuntimeError, match="would run the hooks of PerNodeDropLinear twice: trace the model before"):
        fx.symbolic_trace(model)


@pytest.mark.parametrize("regularizer", NOISY)
@pytest.mark.parametrize("warm", [True, False])
def test_a_graph_loses_no_noise_of_a_layer_that_is_read(regularizer: str, warm: bool) -> None:
    model = nn.Sequential(Reader())
    regularize(model, regularizer)
    if warm:
        model(torch.randn(4, 8))
    with pytest.raises(RuntimeError, match=r"cannot trace a model that reads the weight of 0\.dense"):
        fx.symbolic_trace(model)


def test_monte_carlo_mode_reaches_what_is_read_and_what_torch_fuses() -> None:
    x = torch.randn(4, 5, 16)
    reader = nn.Sequential(Reader()).eval()
    regularize(reader)
    reader.train()(x[..., :8])
    encoder = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    own = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    own.dropout1 = GaussianDropout().eval()
    for model, inputs in ((reader.eval(), x[..., :8]), (encoder, x), (own, x)):
        with torch.no_grad():
            before = model(inputs)
            with mc_mode(model):
                assert not torch.equal(model(inputs), model(inputs))
            torch.testing.assert_close(model(inputs), before)
    assert not any(module._forward_pre_hooks for module in encoder.modules())


def test_monte_carlo_mode_leaves_what_computes_a_weight_alone() -> None:
    model = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(8, 8))).eval()
    regularize(model)
    state = copy.deepcopy(model.state_dict())
    with mc_mode(model):
        assert not torch.equal(model(torch.ones(2, 8)), model(torch.ones(2, 8)))
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("regularizer", NOISY)
def test_a_layer_is_copied_when_its_model_is_gone(regularizer: str) -> None:
    model = nn.Sequential(Doubled(8, 8))
    regularize(model, regularizer, where=Doubled)
    layer = model[0]
    del model
    gc.collect()
    twin = copy.deepcopy(layer)
    assert torch.equal(twin.eval()(torch.ones(2, 8)), layer.eval()(torch.ones(2, 8)))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_padding_that_torch_leaves_out_reaches_the_layers() -> None:
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2)
    regularize(encoder, "masksembles", drop_rate=0.3)
    encoder.eval()
    x, padding = torch.randn(4, 6, 16), torch.zeros(4, 6, dtype=torch.bool)
    padding[:, 4:] = True
    with torch.no_grad():
        y = encoder(x, src_key_padding_mask=padding)
    torch.testing.assert_close(y[:, :4], encoder(x, src_key_padding_mask=padding)[:, :4])


def test_a_model_that_an_earlier_release_has_pickled_runs() -> None:
    x = torch.ones(4, 2, 8)
    for layer in (PerNodeDropLinear(8, 8), Masksembles(8)):
        state = layer.__getstate__()
        for later in ("batch_dim", "only"):
            state.pop(later, None)
        state["_modules"] = {}
        old = type(layer).__new__(type(layer))
        old.__setstate__(state)
        assert torch.equal(old.eval()(x), layer.eval()(x))
        assert not torch.equal(old.train()(x), x)
    assert pickle.loads(b"cpernodedrop.insertion\n_stand\n.")(layer, ()) is None


def test_a_layer_that_computes_something_else_has_no_penalty() -> None:
    model, x = nn.Sequential(Doubled(8, 8)), torch.randn(4, 8)
    for name in ("Doubled", "PerNodeDropLinear_Doubled"):
        with pytest.raises(ValueError, match=f"layers must compute as nn.Linear, got a {name} at place 0"):
            explicit_penalty(model, x, torch.sum, layers=[model[0]], regularizer="pernodedrop", variance=0.1)
        regularize(model, where=Doubled)
